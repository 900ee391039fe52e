"""Take pictures of the pages of rewards and of the review, by headless Chromium: `make pictures`."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from serving import Served, goodword, serving

HERE = Path(__file__).parent
SIZES = {"phone": {"width": 360, "height": 640}, "desktop": {"width": 800, "height": 600}}
TALLEST = 1060
ALICE, ADMIN = "alice@example.com", "admin@example.com"


def tour(page: Page, served: Served, slug: str) -> Iterator[str]:
    """Visit each page in turn, and yield its name."""
    page.goto(f"{served.url}/rewards")
    yield "rewards"
    sign_in(page, served, ADMIN)
    page.goto(f"{served.url}/admin/rewards")
    yield "admin-rewards"
    page.locator("main table a[href*='/admin/rewards/']").first.click()
    page.wait_for_load_state()
    yield "admin-reward"
    for name in ("figures", "rules"):
        page.goto(f"{served.url}/admin/programs/{slug}/{name}")
        yield f"admin-program-{name}"
    page.goto(f"{served.url}/admin/reviews")
    yield "admin-reviews"


def sign_in(page: Page, served: Served, email: str) -> None:
    page.context.clear_cookies()
    page.goto(f"{served.url}/sign-in")
    page.fill("#email", email)
    page.fill("#password", password)
    page.press("#password", "Enter")
    page.wait_for_url(lambda url: "/sign-in" not in url)


def taken(page: Page, name: str) -> None:
    height = min(page.evaluate("document.documentElement.scrollHeight"), TALLEST)
    clip = {"x": 0, "y": 0, "width": page.viewport_size["width"], "height": height}
    page.screenshot(path=HERE / name, full_page=True, clip=clip)


with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    goodword(folder, "migrate")
    password = re.search(r"password (\S+)", goodword(folder, "demo").stdout)[1]
    with serving(folder) as served, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-lcd-text"]
        )
        for size, theme, locale in (
            ("desktop", "light", "en-GB"),
            ("phone", "dark", "en-GB"),
            ("phone", "light", "ru"),
        ):
            context = chromium.new_context(viewport=SIZES[size], color_scheme=theme, locale=locale)
            page = context.new_page()
            sign_in(page, served, ALICE)
            ending = f"{size}-{theme}" + ("-ru" if locale == "ru" else "")
            for shown in tour(page, served, "default"):
                taken(page, f"page-{shown}-{ending}.png")
            context.close()
        chromium.close()
