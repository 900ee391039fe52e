"""Pictures of the embed in a page of a product, in light, dark and Russian, by headless Chromium: `make pictures`."""

import json
import shutil
import tempfile
from pathlib import Path
from urllib.request import Request, urlopen

from playwright.sync_api import sync_playwright

from browser.other_sites import other_site
from people import PASSWORD
from seed_data import give_past
from serving import Served, serving

HERE = Path(__file__).parent
ALICE = "alice@example.com"
BRAND = {"BRAND_NAME": "Acme Notes", "BRAND_COLOR": "#7a3ff2"}
BRAND["OFFER"] = "en=A month of Pro for free, for you both; ru=Месяц Pro бесплатно вам обоим"
PICTURES = {"light": ("light", "en"), "dark": ("dark", "en"), "ru": ("light", "ru")}
SIZES = {"desktop": {"width": 720, "height": 600}, "phone": {"width": 320, "height": 600}}
STYLE = """
  :root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; background: light-dark(#ece9f5, #15121c); }
  body { margin: 0 auto; padding: .5rem 1rem 1rem; max-width: 40rem; }
"""


def call(served: Served, path: str, body: object, token: str = "") -> dict[str, str]:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    with urlopen(Request(served.url + path, json.dumps(body).encode(), headers)) as answer:
        return json.load(answer)


with (
    tempfile.TemporaryDirectory() as folder,
    other_site() as site,
    serving(Path(folder), DATA_DIR="data", EMBED_ORIGINS=site.origin, **BRAND) as served,
    sync_playwright() as playwright,
):
    site.home, site.policy = served.url, "script-src {home}; style-src 'unsafe-inline'"
    alice = {"email": ALICE, "password": PASSWORD}
    call(served, "/api/v1/users", alice | {"first_name": "Alice"})
    token = call(served, "/api/v1/sessions", alice)["access_token"]
    call(served, "/api/v1/me/referral-codes", {"code": "ALICE-2026", "lifetime": 30 * 24 * 3600}, token)
    give_past(Path(folder), of=ALICE, code="ALICE-2026", people=150)
    chromium = playwright.chromium.launch(
        executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-lcd-text"]
    )
    for name, (theme, language) in PICTURES.items():
        address = site.put(
            "/",
            f'<goodword-referral token="{token}"></goodword-referral>',
            script='<script src="HOME/embed.js" async></script>',
            head=f"<style>{STYLE}</style>",
            lang=language,
        )
        for size, viewport in SIZES.items():
            page = chromium.new_page(viewport=viewport, color_scheme=theme, locale=language)
            page.goto(address, wait_until="networkidle")
            page.locator("goodword-referral .cards").wait_for()
            page.screenshot(path=HERE / f"embed-{size}-{name}.png", full_page=True)
            page.close()
    chromium.close()
