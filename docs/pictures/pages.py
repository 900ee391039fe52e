"""Pictures of the pages, on a phone and a desktop, in light and dark, by headless Chromium: `make pictures`."""

import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from playwright.sync_api import Page, sync_playwright

from people import PASSWORD
from serving import Served, goodword, serving
from third_party import VERIFIER, challenge_of

HERE = Path(__file__).parent
SIZES = {"phone": {"width": 360, "height": 640}, "desktop": {"width": 800, "height": 600}}
THEMES = ("light", "dark")
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
    for name in ("verify-email", "reset-password"):
        page.goto(f"{served.url}/{name}#token=gwv_3kX0")
        yield name
    page.goto(f"{served.url}/sign-up?referral_code=ALICE-2026")
    page.fill("#email", email)
    page.fill("#password", "password123")
    page.fill("#first_name", "Bob")
    page.click("main form button")
    yield "sign-up"
    page.fill("#password", PASSWORD)
    page.click("main form button")
    page.wait_for_url("**/check-mail")
    yield "check-mail"
    page.goto(app_asks(served, client_id))
    yield "consent"
    page.goto(f"{served.url}/")
    yield "home"


with (
    tempfile.TemporaryDirectory() as folder,
    serving(Path(folder)) as served,
    sync_playwright() as playwright,
):
    alice = {"email": "alice@example.com", "password": PASSWORD}
    call(served, "/api/v1/users", alice | {"first_name": "Alice", "last_name": "Liddell"})
    token = call(served, "/api/v1/sessions", alice)["access_token"]
    term = {"code": "ALICE-2026", "lifetime": 30 * 24 * 3600}
    call(served, "/api/v1/me/referral-codes", term, token)
    made = goodword(Path(folder), "oauth-client", "create", "Garden letters", "--redirect-uri", APP)
    client_id = re.search(r"gwc_\w+", made.stdout)[0]
    chromium = playwright.chromium.launch(
        executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-lcd-text"]
    )
    for size, viewport in SIZES.items():
        for theme in THEMES:
            context = chromium.new_context(viewport=viewport, color_scheme=theme, locale="en-GB")
            page = context.new_page()
            for name in tour(page, served, f"bob.{size}.{theme}@example.com", client_id):
                page.screenshot(path=HERE / f"page-{name}-{size}-{theme}.png", full_page=True)
            context.close()
    page = chromium.new_page(viewport=SIZES["phone"], locale="ru")
    page.goto(f"{served.url}/r/ALICE-2026")
    page.screenshot(path=HERE / "page-landing-phone-light-ru.png", full_page=True)
    chromium.close()
