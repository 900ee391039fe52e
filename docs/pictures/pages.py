"""Pictures of the pages, on a phone and a desktop, in light and dark, by headless Chromium: `make pictures`."""

import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from playwright.sync_api import Browser, Page, sync_playwright

from people import PASSWORD
from seed_data import give_past
from serving import Served, goodword, serving
from third_party import VERIFIER, challenge_of

HERE = Path(__file__).parent
SIZES = {"phone": {"width": 360, "height": 640}, "desktop": {"width": 800, "height": 600}}
TALLEST = 1060
THEMES = ("light", "dark")
ALICE, RITA = "alice@example.com", "rita@example.com"
BRAND = {
    "BRAND_NAME": "Acme Notes",
    "BRAND_COLOR": "#7a3ff2",
    "OFFER": "en=A month of Pro for free, for you both; ru=Месяц Pro бесплатно вам обоим",
    "SUPPORT_EMAIL": "help@acme.example",
}
APP = "https://garden.example/callback"


def call(served: Served, path: str, body: object, token: str = "") -> dict[str, str]:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    with urlopen(Request(served.url + path, json.dumps(body).encode(), headers)) as answer:
        return json.load(answer)


def app_asks(served: Served, client_id: str) -> str:
    asked = {"response_type": "code", "client_id": client_id, "redirect_uri": APP, "state": "s"}
    asked |= {"code_challenge": challenge_of(VERIFIER), "code_challenge_method": "S256"}
    return f"{served.url}/oauth/authorize?{urlencode(asked)}"


def tour(page: Page, served: Served, email: str, client_id: str) -> Iterator[str]:
    """Each page in turn, by its name, as somebody new meets them."""
    page.goto(f"{served.url}/r/ALICE-2026")
    yield "landing"
    page.goto(f"{served.url}/r/CAROL-2025")
    yield "dead-code"
    page.goto(f"{served.url}/")
    yield "welcome"
    for name in ("sign-in", "forgot-password"):
        page.goto(f"{served.url}/{name}")
        yield name
    page.goto(f"{served.url}/nowhere")
    yield "not-found"
    page.goto(f"{served.url}/unsubscribe?token=x")
    yield "unsubscribe"
    for name in ("verify-email", "confirm-email", "reset-password"):
        page.goto(f"{served.url}/{name}#token=gwv_3kX0")
        yield name
    page.goto(f"{served.url}/sign-up?referral_code=ALICE-2026")
    page.fill("#email", email)
    page.fill("#password", "password123")
    page.press("#password", "Enter")
    yield "sign-up"
    page.fill("#password", PASSWORD)
    page.press("#password", "Enter")
    page.wait_for_url("**/check-mail")
    yield "check-mail"
    page.goto(app_asks(served, client_id))
    yield "consent"
    page.goto(f"{served.url}/")
    yield "home"


def tour_of_a_referrer(page: Page, served: Served) -> Iterator[str]:
    sign_in(page, served, ALICE)
    page.goto(f"{served.url}/")
    yield "code"
    page.goto(f"{served.url}/account/address")
    yield "account-address"
    page.goto(f"{served.url}/people")
    yield "referrals"
    page.goto(f"{served.url}/account")
    yield "account"
    for name in ("security", "apps", "data"):
        page.goto(f"{served.url}/account/{name}")
        yield f"account-{name}"


def tour_of_an_administrator(page: Page, served: Served, user_id: str) -> Iterator[str]:
    sign_in(page, served, RITA)
    paths = {
        "statistics": "",
        "users": "/users?q=Greta",
        "referrals": "/referrals",
        "codes": "/codes",
        "apps": "/apps",
        "jobs": "/jobs",
        "audit": "/audit",
        "appearance": "/appearance",
    }
    paths |= {"user": f"/users/{user_id}", "tree": f"/users/{user_id}/tree"}
    for name, path in paths.items():
        page.goto(f"{served.url}/admin{path}")
        yield f"admin-{name}"


def taken(page: Page, name: str) -> None:
    height = min(page.evaluate("document.documentElement.scrollHeight"), TALLEST)
    clip = {"x": 0, "y": 0, "width": page.viewport_size["width"], "height": height}
    page.screenshot(path=HERE / name, full_page=True, clip=clip)


def sign_in(page: Page, served: Served, email: str) -> None:
    page.context.clear_cookies()
    page.goto(f"{served.url}/sign-in")
    page.fill("#email", email)
    page.fill("#password", PASSWORD)
    page.press("#password", "Enter")
    page.wait_for_url(lambda url: "/sign-in" not in url)


def draw_brand(chromium: Browser) -> None:
    """Take pictures of what friends and users see of the product of an operator."""
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), DATA_DIR="data", **BRAND) as served:
        alice = {"email": ALICE, "password": PASSWORD}
        call(served, "/api/v1/users", alice | {"first_name": "Alice"})
        token = call(served, "/api/v1/sessions", alice)["access_token"]
        call(served, "/api/v1/me/referral-codes", {"code": "ALICE-2026", "lifetime": 30 * 24 * 3600}, token)
        give_past(Path(folder), of=ALICE, code="ALICE-2026", people=30)
        for language in ("en", "ru"):
            for size, viewport in SIZES.items():
                page = chromium.new_page(viewport=viewport, locale=language)
                page.goto(f"{served.url}/r/ALICE-2026")
                taken(page, f"brand-landing-{size}-{language}.png")
                page.goto(f"{served.url}/sign-in")
                taken(page, f"brand-sign-in-{size}-{language}.png")
                sign_in(page, served, ALICE)
                taken(page, f"brand-home-{size}-{language}.png")
                page.close()


with (
    tempfile.TemporaryDirectory() as folder,
    serving(Path(folder), DATA_DIR="data") as served,
    sync_playwright() as playwright,
):
    alice = {"email": ALICE, "password": PASSWORD}
    user_id = call(served, "/api/v1/users", alice | {"first_name": "Alice", "last_name": "Liddell"})["id"]
    token = call(served, "/api/v1/sessions", alice)["access_token"]
    term = {"code": "ALICE-2026", "lifetime": 30 * 24 * 3600}
    call(served, "/api/v1/me/referral-codes", term, token)
    made = goodword(Path(folder), "oauth-client", "create", "Garden letters", "--redirect-uri", APP)
    goodword(Path(folder), "admin", "create", RITA, "--password-stdin", stdin=PASSWORD)
    give_past(Path(folder), of=ALICE, code="ALICE-2026", people=90)
    client_id = re.search(r"gwc_\w+", made.stdout)[0]
    chromium = playwright.chromium.launch(
        executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-lcd-text"]
    )
    for size, viewport in SIZES.items():
        for theme in THEMES:
            context = chromium.new_context(viewport=viewport, color_scheme=theme, locale="en-GB")
            page = context.new_page()
            for name in chain(
                tour(page, served, f"bob.{size}.{theme}@example.com", client_id),
                tour_of_a_referrer(page, served),
                tour_of_an_administrator(page, served, user_id),
            ):
                taken(page, f"page-{name}-{size}-{theme}.png")
            context.close()
    page = chromium.new_page(viewport=SIZES["phone"], locale="ru")
    page.goto(f"{served.url}/r/ALICE-2026")
    taken(page, "page-landing-phone-light-ru.png")
    draw_brand(chromium)
    chromium.close()
