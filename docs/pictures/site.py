"""Take pictures of the documentation site by headless Chromium: `make pictures`, after `make docs`."""

import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent
HOME = (HERE.parent.parent / "site" / "html").as_uri()
SIZES = {"phone": {"width": 390, "height": 780}, "desktop": {"width": 1280, "height": 800}}

with sync_playwright() as playwright:
    chromium = playwright.chromium.launch(
        executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-lcd-text"]
    )
    page = chromium.new_page(locale="en-GB", viewport=SIZES["desktop"])
    page.goto(f"{HOME}/index.html")
    page.screenshot(path=HERE / "site-home-desktop-light.png")
    page.locator(".md-search__button").click()
    page.get_by_role("combobox", name="Search").fill("expired code")
    page.get_by_role("option").first.wait_for()
    page.screenshot(path=HERE / "site-search-desktop-light.png")
    page.close()
    page = chromium.new_page(locale="en-GB", viewport=SIZES["phone"], color_scheme="dark")
    page.goto(f"{HOME}/configuration.html#data-and-secrets")
    page.screenshot(path=HERE / "site-configuration-phone-dark.png")
    chromium.close()
