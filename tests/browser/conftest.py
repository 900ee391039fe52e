"""A real browser on a machine without a network, in front of a served Goodword."""

import json
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from mailboxes import Letter, read
from people import PASSWORD
from serving import Served, serving

# Nothing but this machine has a name, and the browser's own services stay quiet.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
PHONE = {"width": 360, "height": 640}
DESKTOP = {"width": 1280, "height": 800}
ZOOMED = {"width": 640, "height": 400}
"""A desktop at 200 %."""
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    assert program, "these tests need Debian's chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("served")) as running:
        yield running


@pytest.fixture
def page(browser: Browser, served: Served) -> Iterator[Page]:
    """A page that fails the test when anything leaves this host, or the console shows an error."""
    page = browser.new_page()
    wrong: list[str] = []
    watch(page, (served.url,), wrong)
    yield page
    page.close()
    assert wrong == []


@pytest.fixture
def visiting(browser: Browser, served: Served) -> Iterator[Callable[..., Page]]:
    """A browser of somebody's own, watched as above: `visiting(viewport=PHONE, color_scheme="dark")`."""
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def visit(**options: Any) -> Page:
        context = browser.new_context(**{"locale": "en-GB", "viewport": PHONE, **options})
        contexts.append(context)
        page = context.new_page()
        watch(page, (served.url,), wrong)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert wrong == []


def watch(page: Page, homes: tuple[str, ...], wrong: list[str]) -> None:
    def heard(text: str) -> None:
        if "the server responded with a status of 4" not in text:  # a form that comes back, as it should
            wrong.append(text)

    page.on("request", lambda request: _check_host(request.url, homes, wrong))
    page.on("console", lambda message: heard(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))


def _check_host(url: str, homes: tuple[str, ...], wrong: list[str]) -> None:
    if not url.startswith((*homes, "data:", "blob:")):
        wrong.append(f"a request left the host: {url}")


HEAVIEST = 60 * 1024
SMALL = """[...document.querySelectorAll("a, button, input:not([type=hidden]), select, summary")].filter((one) => {
  const { width, height } = one.getBoundingClientRect();
  const inline = getComputedStyle(one).display === "inline"; // WCAG 2.2, 2.5.8: except in a line of text
  return one.checkVisibility() && !inline && !one.matches(".skip") && (width < 24 || height < 24);
}).map((one) => one.outerHTML)"""
"""Targets that are smaller than 24 by 24 px."""


def weight(page: Page) -> int:
    """The bytes of a page and all that it loads, as if nothing had been kept from the page before."""
    sizes = "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
    return page.evaluate(f"{sizes}.reduce((sum, one) => sum + one.encodedBodySize, 0)")


def look_over(page: Page) -> None:
    """What every page must stand: WCAG 2.2 AA as far as a program can tell, a narrow screen, a slow line."""
    found = Axe().run(page, options={"runOnly": WCAG})
    assert found.violations_count == 0, found.generate_report()
    width = page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width, page.url
    assert 256 < weight(page) < HEAVIEST, page.url
    assert page.evaluate(SMALL) == [], page.url


@dataclass
class Api:
    """A served Goodword as programs call it."""

    served: Served

    def post(self, path: str, body: dict[str, Any], token: str = "", method: str = "POST") -> Any:
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        with urlopen(
            Request(self.served.url + path, json.dumps(body).encode(), headers, method=method)
        ) as answer:
            return json.load(answer) if answer.status != 204 else None

    def join(self, name: str) -> str:
        """Somebody new; their access token."""
        who = {"email": f"{name.lower()}@example.com", "password": PASSWORD}
        self.post("/api/v1/users", who | {"first_name": name})
        return self.post("/api/v1/sessions", who)["access_token"]

    def make_code(self, token: str, code: str) -> dict[str, Any]:
        return self.post("/api/v1/me/referral-codes", {"lifetime": 604800, "code": code}, token)

    @property
    def folder(self) -> Path:
        return self.served.log.parent / "data"

    def letter(self, to: str, kind: str) -> Letter:
        """The latest letter of a kind to an address, once it is written."""
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            paths = sorted((self.folder / "emails").glob(f"{kind}-*.eml"), reverse=True)
            for letter in map(read, paths):
                if letter.to == to:
                    return letter
            time.sleep(0.1)
        raise AssertionError(f"no {kind} for {to}")

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.folder / "goodword.sqlite3")) as database:
            return database.execute(sql).fetchall()


@pytest.fixture
def api(served: Served) -> Api:
    return Api(served)
