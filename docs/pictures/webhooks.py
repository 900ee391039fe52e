"""Take pictures of the pages of webhooks, by headless Chromium: `make pictures`."""

import json
import re
import shutil
import tempfile
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from serving import Served, goodword, serving

HERE = Path(__file__).parent
SIZES = {"phone": {"width": 360, "height": 640}, "desktop": {"width": 800, "height": 600}}
TALLEST = 1060
ADMIN = "admin@example.com"
GONE = "https://crm.acme.example/hooks"
"""A name that does not exist."""


class Receiver(BaseHTTPRequestHandler):
    """The server of a product, which takes every webhook."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Write no log."""


def tour(page: Page, served: Served) -> Iterator[str]:
    """Visit each page in turn, and yield its name."""
    page.goto(f"{served.url}/admin/webhooks")
    yield "admin-webhooks"
    page.locator("main table a", has_text="localhost").click()
    page.wait_for_load_state()
    yield "admin-webhook"
    page.locator("main a[href$='/deliveries']").click()
    page.wait_for_load_state()
    yield "admin-webhook-deliveries"
    page.locator("main tbody a").first.click()
    page.wait_for_load_state()
    yield "admin-webhook-delivery"


def sign_in(page: Page, served: Served) -> None:
    page.goto(f"{served.url}/sign-in")
    page.fill("#email", ADMIN)
    page.fill("#password", password)
    page.press("#password", "Enter")
    page.wait_for_url(lambda url: "/sign-in" not in url)


def taken(page: Page, name: str) -> None:
    height = min(page.evaluate("document.documentElement.scrollHeight"), TALLEST)
    clip = {"x": 0, "y": 0, "width": page.viewport_size["width"], "height": height}
    page.screenshot(path=HERE / name, full_page=True, clip=clip)


def report(served: Served, key: str, name: str) -> None:
    """Report a participant, which makes events."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    address = f"{served.url}/api/v1/participants/{name}"
    body = json.dumps({"signed_up_at": "2026-11-29T00:00:00Z"}).encode()
    urllib.request.urlopen(urllib.request.Request(address, body, headers, method="PUT")).close()


def until_sent(page: Page) -> None:
    """Wait until no delivery has its first attempt before it."""
    for address in page.eval_on_selector_all("main table a", "links => links.map(link => link.href)"):
        page.goto(f"{address}/deliveries")
        while "–" in page.locator("main tbody td:nth-child(3)").all_inner_texts():
            page.wait_for_timeout(200)
            page.reload()


with tempfile.TemporaryDirectory() as name, HTTPServer(("127.0.0.1", 8090), Receiver) as receiver:
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    folder, development = Path(name), {"LOOPBACK_WEBHOOKS": "on"}
    goodword(folder, "migrate")
    password = re.search(r"password (\S+)", goodword(folder, "demo").stdout)[1]
    for url, kinds in (("http://localhost:8090/hooks", ["all"]), (GONE, ["code.created", "user.created"])):
        chosen = [part for kind in kinds for part in ("--kind", kind)]
        made = goodword(folder, "webhooks", "create", url, *chosen, **development)
        assert made.returncode == 0, made.stderr
    key = goodword(folder, "api-key", "create", "--name", "acme", "--scope", "participants:write")
    with serving(folder, **development) as served, sync_playwright() as playwright:
        for person in ("user-41", "user-42"):
            report(served, re.search(r"gwk_\S+", key.stdout)[0], person)
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
            sign_in(page, served)
            page.goto(f"{served.url}/admin/webhooks")
            until_sent(page)
            ending = f"{size}-{theme}" + ("-ru" if locale == "ru" else "")
            for shown in tour(page, served):
                taken(page, f"page-{shown}-{ending}.png")
            context.close()
        chromium.close()
    receiver.shutdown()
