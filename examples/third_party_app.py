# ruff: noqa: INP001  a single file to run, not a package
"""A web app that signs people in with Goodword and reads their referrals, in one file.

It knows only the URL of Goodword and reads everything else from the published metadata. Register it first:

    goodword oauth-client create "My app" --redirect-uri http://127.0.0.1:9000/callback \
        --scope "openid referrals:read offline_access"

then start it with what that printed, and open http://127.0.0.1:9000:

    GOODWORD=http://127.0.0.1:8000 CLIENT_ID=gwc_… CLIENT_SECRET=gws_… python examples/third_party_app.py

It needs authlib, httpx2, starlette and uvicorn.
"""

import os
import secrets

import httpx2
import uvicorn
from authlib.integrations.starlette_client import OAuth
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

GOODWORD = os.environ["GOODWORD"]
PORT = int(os.environ.get("PORT", "9000"))

goodword = OAuth().register(
    "goodword",
    server_metadata_url=f"{GOODWORD}/.well-known/openid-configuration",
    client_id=os.environ["CLIENT_ID"],
    client_secret=os.environ["CLIENT_SECRET"],
    client_kwargs={"scope": "openid referrals:read offline_access", "code_challenge_method": "S256"},
)
sessions: dict[str, dict] = {}  # by cookie; a real app stores these in a database


async def home(request: Request) -> Response:
    known = "userinfo" in request.session
    links = ["referrals", "make-code", "refresh"] if known else ["sign-in"]
    return HTMLResponse(" · ".join(f'<a href="/{link}">{link}</a>' for link in links))


async def sign_in(request: Request) -> Response:
    return await goodword.authorize_redirect(request, f"http://127.0.0.1:{PORT}/callback")


async def callback(request: Request) -> Response:
    token = await goodword.authorize_access_token(request)  # checks state, nonce and the ID token's signature
    request.session.update(token=token, userinfo=token["userinfo"])
    return RedirectResponse("/", 303)


async def referrals(request: Request) -> Response:
    url = f"{GOODWORD}/api/v1/users/{request.session['userinfo']['sub']}/referrals"
    return _forward(await goodword.get(url, token=request.session["token"]))


async def make_code(request: Request) -> Response:
    """Call an endpoint that needs `codes:write`, which this app does not request, so it is refused."""
    url = f"{GOODWORD}/api/v1/me/referral-codes"
    return _forward(await goodword.post(url, json={"lifetime": 86400}, token=request.session["token"]))


async def refresh(request: Request) -> Response:
    old = request.session["token"]["refresh_token"]
    token = await goodword.fetch_access_token(grant_type="refresh_token", refresh_token=old)
    request.session["token"] = token
    return JSONResponse({"scope": token["scope"], "expires_in": token["expires_in"]})


def _forward(answer: httpx2.Response) -> Response:
    return JSONResponse(answer.json(), answer.status_code)


class Remember:
    """Middleware that gives each browser a session by a cookie."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            key = Request(scope).cookies.get("third_party_app")
            if key not in sessions:
                key = secrets.token_urlsafe(32)
            scope["session"] = sessions.setdefault(key, {})
            cookie = f"third_party_app={key}; HttpOnly; SameSite=Lax; Path=/"

            async def send_with_cookie(message: Message) -> None:
                if message["type"] == "http.response.start":
                    message["headers"].append((b"set-cookie", cookie.encode()))
                await send(message)

            await self.app(scope, receive, send_with_cookie)
        else:
            await self.app(scope, receive, send)


pages = {
    "/": home,
    "/sign-in": sign_in,
    "/callback": callback,
    "/referrals": referrals,
    "/make-code": make_code,
    "/refresh": refresh,
}
app = Remember(Starlette(routes=[Route(path, page) for path, page in pages.items()]))

if __name__ == "__main__":
    uvicorn.run(app, port=PORT, log_level="warning")
