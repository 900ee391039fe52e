"""The documentation site in Chromium, from a web server and as files: it is complete, and loads nothing from elsewhere."""

import importlib.util
import re
from collections import Counter
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from browser.conftest import DESKTOP, PHONE, watch
from serving import ROOT

WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]

SPEC = importlib.util.spec_from_file_location("site_pages", ROOT / "scripts" / "site.py")
assert SPEC
assert SPEC.loader
site = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(site)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_arguments: object) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return site.build(tmp_path_factory.mktemp("site") / "site")


@pytest.fixture(scope="module", params=["server", "files"])
def home(request: pytest.FixtureRequest, built: Path) -> Iterator[str]:
    if request.param == "files":
        yield built.as_uri()
        return
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(built)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def reader(browser: Browser, home: str) -> Iterator[Any]:
    wrong: list[str] = []
    pages: list[Page] = []

    def read(**options: Any) -> Page:
        page = browser.new_page(**{"viewport": DESKTOP, "locale": "en-GB", **options})
        watch(page, (home,), wrong)
        pages.append(page)
        return page

    yield read
    for page in pages:
        page.close()
    assert wrong == []


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_search_finds_a_page(reader, home, viewport):
    page = reader(viewport=viewport)
    page.goto(f"{home}/index.html")
    page.locator("label[for=__search], .md-search__button").locator("visible=true").first.click()
    page.get_by_role("combobox", name="Search").fill("GOODWORD_DRAIN_SECONDS")
    page.get_by_role("option", name="GOODWORD_DRAIN_SECONDS").first.click()

    page.wait_for_url(re.compile(r"/configuration\.html"))
    assert page.get_by_role("heading", name="GOODWORD_DRAIN_SECONDS").is_visible()


@pytest.mark.parametrize(
    ("viewport", "color_scheme"), [(DESKTOP, "light"), (PHONE, "dark")], ids=["desktop, light", "phone, dark"]
)
@pytest.mark.parametrize("home", ["server"], indirect=True)
def test_pages_are_accessible_and_as_wide_as_the_screen(reader, home, viewport, color_scheme):
    page = reader(viewport=viewport, color_scheme=color_scheme)
    for name in ("index.html", "limits.html"):
        page.goto(f"{home}/{name}")
        found = Axe().run(page, options={"runOnly": WCAG})
        assert found.violations_count == 0, name + found.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], name


class Links(HTMLParser):
    """What a page links to and loads, and the anchors that it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.targets: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.targets.add(value)
            if name in ("id", "name") and value:
                self.anchors.add(value)


def test_every_link_within_the_site_leads_to_a_page_and_a_heading(built):
    pages = {path: Links(path.read_text()) for path in built.rglob("*.html") if path.name != "404.html"}
    broken = []
    for path, links in pages.items():
        for target in links.targets:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            to = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchors = pages[to].anchors if to in pages else set()
            if not to.is_file() or (parts.fragment and unquote(parts.fragment) not in anchors):
                broken.append(f"{path.relative_to(built)}: {target}")

    assert len(pages) > 60
    assert broken == []


def count(html: str) -> Counter[str]:
    return Counter(re.findall(r"<(li|ul|ol|table|tr|td|pre|h2|h3|em|strong|img|blockquote)[ >]", html))


def test_pages_have_the_lists_tables_and_code_that_github_shows(built):
    readme = site.sections((ROOT / "README.md").read_text())
    documents = {page: readme[heading] for heading, page in site.SECTIONS.items()}
    for path in [*ROOT.glob("docs/*.md"), *ROOT.glob("docs/decisions/*.md"), *ROOT.glob("*.md")]:
        name = str(path.relative_to(ROOT))
        if not name.startswith("README"):
            documents[site.place(name)] = path.read_text()

    for page, text in documents.items():
        _, _, html = (built / page).with_suffix(".html").read_text().partition("<article")
        assert count(html.partition("</article")[0]) == count(site.MARKDOWN.render(text)), page
