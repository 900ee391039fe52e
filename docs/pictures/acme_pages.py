"""Take pictures of examples/acme, with the embed, by headless Chromium: `make pictures`."""

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from acme import acme, create_key
from people import PASSWORD
from serving import free_port, serving

HERE = Path(__file__).parent
SIZES = {"phone": {"width": 360, "height": 640}, "desktop": {"width": 800, "height": 600}}
BRAND = {
    "BRAND_NAME": "Acme",
    "BRAND_COLOR": "#b3261e",
    "OFFER": "An anvil for free, for you and for your friend",
}


def join(page: Page, name: str) -> None:
    page.fill("[name=name]", name)
    page.fill("[name=email]", f"{name.split(maxsplit=1)[0].lower()}@acme.example")
    page.fill("[name=password]", PASSWORD)
    page.get_by_role("button", name="Join").click()
    page.get_by_role("heading", name="Welcome").wait_for()


port = free_port()
with (
    tempfile.TemporaryDirectory() as name,
    serving(Path(name), EMBED_ORIGINS=f"http://127.0.0.1:{port}", **BRAND) as served,
    acme(Path(name), served.url, create_key(Path(name)), port) as home,
    sync_playwright() as playwright,
):
    chromium = playwright.chromium.launch(
        executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-lcd-text"]
    )
    alice = chromium.new_context(locale="en-GB")
    page = alice.new_page()
    page.goto(f"{home}/join")
    join(page, "Alice Liddell")
    page.goto(f"{home}/refer")
    link = page.get_by_label("Your link").input_value()
    for friend_name in ("Bob Baker", "Carol Day", "Dave Ellis"):
        friend = chromium.new_page(viewport=SIZES["phone"])
        friend.goto(link)
        join(friend, friend_name)
        friend.screenshot(path=HERE / "acme-welcome-phone-light.png")
        friend.close()
    for size, viewport in SIZES.items():
        for theme in ("light", "dark"):
            page.set_viewport_size(viewport)
            page.emulate_media(color_scheme=theme)
            page.goto(f"{home}/refer")
            page.get_by_text("Bob").wait_for()
            page.screenshot(path=HERE / f"acme-refer-{size}-{theme}.png", full_page=True)
    chromium.close()
