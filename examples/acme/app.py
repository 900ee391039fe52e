"""Acme, a small product with users of its own, which leaves its referral program to Goodword. See README.md."""

import logging
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from sqlite3 import Row
from typing import Annotated, Any
from urllib.parse import parse_qsl

import uvicorn
from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import PlainTextResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from accounts import Accounts
from goodword_api import Goodword, Refused, Unavailable
from orders import Orders
from reports import Reporter

GOODWORD_URL = os.environ.get("GOODWORD_URL", "http://127.0.0.1:8000")
PORT = int(os.environ.get("PORT", "9000"))
HERE = Path(__file__).parent
RULE = {
    "trigger": "purchase",
    "beneficiary": "referrer",
    "kind": "credit",
    "basis_points": 1000,
    "description": "10 % of a friend's order",
}
CODE_LIFETIME = 30 * 24 * 3600
POLICY = f"default-src 'self' {GOODWORD_URL}"

accounts = Accounts(Path(os.environ.get("ACME_DATABASE", "acme.sqlite3")))
goodword = Goodword(GOODWORD_URL, os.environ["GOODWORD_KEY"])
orders = Orders(accounts)
receiver = Webhook(os.environ["WEBHOOK_SECRET"])
reporter = Reporter(accounts, goodword, float(os.environ.get("REPEAT_SECONDS", "5")))
logger = logging.getLogger("acme")
templates = Jinja2Templates(HERE / "pages")


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    thread = threading.Thread(target=reporter.run)
    thread.start()
    yield
    reporter.stop()
    thread.join()


app = FastAPI(title="Acme", lifespan=lifespan, openapi_url=None)
app.mount("/static", StaticFiles(directory=HERE / "static"))


async def read_form(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode()))


async def read_body(request: Request) -> bytes:
    return await request.body()


def get_user(request: Request) -> Row | None:
    return accounts.signed_in(request.cookies.get("acme", ""))


Form = Annotated[dict[str, str], Depends(read_form)]
Body = Annotated[bytes, Depends(read_body)]
User = Annotated[Row | None, Depends(get_user)]


def show(request: Request, page: str, *, status: int = 200, **values: Any) -> Response:
    answer = templates.TemplateResponse(request, page, {"goodword": GOODWORD_URL, **values}, status)
    answer.headers["Content-Security-Policy"] = POLICY
    return answer


def let_in(user_id: str) -> Response:
    answer = RedirectResponse("/", 303)
    answer.set_cookie("acme", accounts.begin_session(user_id), httponly=True, samesite="lax")
    return answer


@app.get("/")
def home(request: Request, user: User) -> Response:
    if user is None:
        return show(request, "home.html")
    bought, credit = orders.of(user["id"]), orders.credit_of(user["id"])
    return show(request, "home.html", user=user, orders=bought, credit=credit)


@app.get("/join")
def join(request: Request, ref: str = "", touch: str = "") -> Response:
    """Show the form. Links of Goodword lead here, with the code and the id of the click."""
    return show(request, "join.html", form={"referral_code": ref, "referral_touch": touch})


@app.post("/join")
def sign_up(request: Request, form: Form) -> Response:
    """Create the user. Goodword learns of it at once, or later if it is away."""
    if not all(form.get(field) for field in ("name", "email", "password")):
        return show(request, "join.html", status=422, form=form, error="Please fill in all fields.")
    referral = {"referral_code": form.get("referral_code"), "touch": form.get("referral_touch")}
    user_id = accounts.add(form["email"], form["name"], form["password"], referral)
    if user_id is None:
        return show(request, "join.html", status=409, form=form, error="This address has an account already.")
    reporter.deliver(user_id)
    return let_in(user_id)


@app.get("/sign-in")
def sign_in_page(request: Request) -> Response:
    return show(request, "sign_in.html")


@app.post("/sign-in")
def sign_in(request: Request, form: Form) -> Response:
    user_id = accounts.check(form.get("email", ""), form.get("password", ""))
    if user_id is None:
        return show(request, "sign_in.html", status=401, error="Wrong address or password.")
    return let_in(user_id)


@app.post("/sign-out")
def sign_out(request: Request) -> Response:
    accounts.end_session(request.cookies.get("acme", ""))
    return RedirectResponse("/", 303)


@app.get("/refer")
def refer(request: Request, user: User) -> Response:
    """Show the embed with a token for this user, who gets a code if there is none."""
    if user is None:
        return RedirectResponse("/sign-in", 303)
    try:
        if goodword.participant(user["id"])["code"] is None:
            goodword.create_code(user["id"], CODE_LIFETIME)
        token = goodword.create_token(user["id"])
    except (Unavailable, Refused):  # refused: the report of this user still waits
        return show(request, "refer.html", user=user, token=None, status=503)
    return show(request, "refer.html", user=user, token=token)


@app.post("/refer/token")
def new_token(user: User) -> Response:
    """Return a token in place of one that has expired; static/acme.js asks for it."""
    if user is None:
        return PlainTextResponse(status_code=401)
    return PlainTextResponse(goodword.create_token(user["id"]))


@app.post("/orders")
def order(user: User) -> Response:
    """Sell an anvil. The friend who referred this user earns a part of the price."""
    if user:
        orders.add(user["id"])
        reporter.deliver(user["id"])
    return RedirectResponse("/", 303)


@app.post("/orders/{order_id}/return")
def take_back(order_id: str, user: User) -> Response:
    if user:
        orders.take_back(user["id"], order_id)
        reporter.deliver(user["id"])
    return RedirectResponse("/", 303)


@app.post("/webhooks")
def handle_webhook(request: Request, body: Body) -> Response:
    """Change a user's credit as Goodword says. It calls again until it gets this answer."""
    try:
        event = receiver.verify(body, dict(request.headers))
    except WebhookVerificationError:
        return Response(status_code=400)
    if event["type"].startswith("reward."):
        orders.handle(event)
    return Response(status_code=204)


@app.post("/delete-account")
def delete_account(user: User) -> Response:
    if user:
        accounts.delete(user["id"])
        reporter.deliver(user["id"])
    return RedirectResponse("/", 303)


def set_up() -> None:
    """Set what an administrator of Goodword can set too, once for all: where links lead, and a reward rule."""
    program = "/programs/default"
    try:
        goodword.call("PATCH", program, {"link_target": f"http://127.0.0.1:{PORT}/join?ref={{code}}"})
        if not goodword.call("GET", f"{program}/reward-rules")["items"]:
            goodword.call("POST", f"{program}/reward-rules", RULE)
    except Unavailable:
        logger.warning("Goodword is away: its links do not lead here yet")


if __name__ == "__main__":
    set_up()
    uvicorn.run(app, port=PORT, log_level="warning")
