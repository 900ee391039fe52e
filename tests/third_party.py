"""An app that people let in, and the browser in which they do so: real forms, read from the pages."""

import base64
import hashlib
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import UUID

from fastapi import FastAPI, Request, Response as BareResponse
from httpx2 import AsyncClient, Response

from asgi import Client
from goodword.clock import utc_now
from goodword.oauth import clients, registration
from goodword.sessions.cookies import start_session
from goodword.users.service import LOCKED
from people import LOCAL, PASSWORD, Person, as_a_request

VERIFIER = "the verifier that only the tests know, in forty-three characters".replace(" ", "-").replace(
    ",", ""
)
ALL = "openid profile email codes:read codes:write referrals:read offline_access"


def challenge_of(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def answer_of(response: Response) -> dict[str, str]:
    """The parameters that a redirect carries back to the app."""
    assert response.status_code == 303, response.text
    return dict(parse_qsl(urlsplit(response.headers["location"]).query, keep_blank_values=True))


class Form(HTMLParser):
    """The form of a page: where it goes, and its fields as they stand. The choice of language is another one."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action, self.fields, self.is_over = "", {}, False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.is_over |= tag == "footer"
        if tag == "form" and not self.is_over:
            self.action = found["action"]
        if tag == "input" and not self.is_over:
            self.fields[found["name"]] = found.get("value") or ""


@dataclass
class Browser:
    """A browser of one person, with cookies of its own."""

    client: Client

    async def get(self, url: str, **options: Any) -> Response:
        return await self.client.get(url, **options)

    async def send(self, page: Response, *, headers: dict[str, str] | None = None, **fields: str) -> Response:
        """Fill in the form of a page and send it, as a browser does."""
        form = Form(page.text)
        own = {"Origin": str(self.client.base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"}
        data = {name: value for name, value in {**form.fields, **fields}.items() if value is not None}
        return await self.client.post(form.action, data=data, headers={**own, **(headers or {})})

    async def sign_in_by_form(self, person: Person, page: Response | None = None) -> Response:
        page = page or await self.get("/sign-in")
        answer = await self.send(page, email=person.email, password=PASSWORD)
        assert answer.status_code == 303, answer.text
        return answer

    async def sign_in(self, person: Person) -> None:
        """Begin a session without the requests, and take its cookie."""
        services, sent = self.client.app.state.services, self.client.build_request("POST", "/sign-in")
        request = Request(
            {
                "type": "http",
                "method": "POST",
                "app": self.client.app,
                "state": {},
                "headers": [(name.lower(), value) for name, value in sent.headers.raw],
                "client": (LOCAL, 54321),
            }
        )
        answer = BareResponse()
        with as_a_request(services):
            async with services.database.transaction() as session:
                user = await session.scalar(LOCKED, {"user_id": UUID(person.id)})
                await start_session(request, session, answer, user, now=services.clock())
        self.client.cookies.extract_cookies(Response(200, headers=answer.headers, request=sent))


@dataclass
class App:
    """A registered app, and what it sends."""

    api: AsyncClient
    client_id: str
    secret: str | None
    redirect_uri: str

    def url(self, **parameters: str | None) -> str:
        """Where it sends people; None takes a parameter away."""
        asked = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "code_challenge": challenge_of(VERIFIER),
            "code_challenge_method": "S256",
            "state": "where the app was",
            **parameters,
        }
        return "/oauth/authorize?" + urlencode({k: v for k, v in asked.items() if v is not None})

    async def code(self, browser: Browser, **parameters: str | None) -> str:
        """Ask somebody who is signed in, who says yes if asked."""
        answer = await browser.get(self.url(**parameters))
        if answer.status_code == 200:
            answer = await browser.send(answer, decision="allow")
        return answer_of(answer)["code"]

    async def post(self, path: str, *, basic: bool = False, **fields: str | None) -> Response:
        """Call as this app: by form parameters, or by HTTP Basic."""
        known = {} if basic else {"client_id": self.client_id, "client_secret": self.secret}
        data = {name: value for name, value in {**known, **fields}.items() if value is not None}
        auth = (self.client_id, self.secret or "") if basic else None
        return await self.api.post(path, data=data, auth=auth)

    async def exchange(self, code: str, **fields: Any) -> Response:
        given: dict[str, Any] = {
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": VERIFIER,
            **fields,
        }
        return await self.post("/oauth/token", **{"grant_type": "authorization_code", **given})

    async def refresh(self, token: str, **fields: Any) -> Response:
        return await self.post("/oauth/token", grant_type="refresh_token", refresh_token=token, **fields)

    async def let_in(self, browser: Browser, scope: str = ALL, **parameters: str | None) -> dict[str, Any]:
        """The whole way, to the tokens."""
        answer = await self.exchange(await self.code(browser, scope=scope, **parameters))
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def get(self, path: str, tokens: dict[str, Any]) -> Response:
        return await self.api.get(path, headers={"Authorization": f"Bearer {tokens['access_token']}"})


async def register_app(app: FastAPI, api: AsyncClient, *redirect_uris: str, **fields: Any) -> App:
    fields = {
        "name": "Garden letters",
        "scope": ALL.split(),
        "grant_types": clients.GRANT_TYPES,
        "public": False,
        **fields,
    }
    async with app.state.services.database.transaction() as session:
        made, secret = await registration.register(
            session, app.state.services.keys.oauth, redirect_uris=redirect_uris, now=utc_now(), **fields
        )
        return App(api, made.client_id, secret, redirect_uris[0] if redirect_uris else "")
