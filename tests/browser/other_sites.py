"""Sites of other origins on this machine, whose pages load the scripts of a served Goodword."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page

from browser.conftest import PHONE, watch

STRICT = (
    "default-src 'none'; base-uri 'none'; form-action 'self'; require-trusted-types-for 'script'; "
    "script-src {home}; connect-src {home}; img-src {home}"
)
SCRIPT = "script-src {home}; default-src 'none'; form-action 'self'; require-trusted-types-for 'script'"
VIOLATIONS = (
    "addEventListener('securitypolicyviolation', (event) => console.error('CSP', event.violatedDirective))"
)


@dataclass
class Site:
    """A site. Its pages have a head and a body, and the policy `policy`, with the address of Goodword in it."""

    origin: str
    home: str = ""
    policy: str = STRICT
    pages: dict[str, str] = field(default_factory=dict)

    def put(self, path: str, body: str, *, script: str, head: str = "", lang: str = "en") -> str:
        """Add a page and return its address. `script` is the tag of a script of Goodword, with `HOME` in it."""
        self.pages[path] = (
            f'<!doctype html><html lang="{lang}"><head><meta charset="utf-8"><title>Acme</title>'
            f'<meta name="viewport" content="width=device-width">{head}{script.replace("HOME", self.home)}'
            f"</head><body><main><h1>Acme</h1>{body}</main></body></html>"
        )
        return self.origin + path


@contextmanager
def other_site() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = site.pages.get(self.path.partition("?")[0])
            self.send_response(200 if page or self.path == "/favicon.ico" else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Security-Policy", site.policy.format(home=site.home))
            self.end_headers()
            self.wfile.write((page or "").encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site = Site(f"http://127.0.0.1:{server.server_port}")
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def visitors(browser: Browser, *homes: str, allowed: str = "$^") -> Iterator[Callable[..., Page]]:
    """Yield a function that opens a page of its own context.

    Fails if a page leaves these hosts, violates its policy or logs an error in which the pattern `allowed` is not found.
    """
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def visit(*scripts: str, **options: Any) -> Page:
        context = browser.new_context(**{"locale": "en-GB", "viewport": PHONE, **options})
        contexts.append(context)
        for script in (VIOLATIONS, *scripts):
            context.add_init_script(script)
        page = context.new_page()
        watch(page, homes, wrong)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert [text for text in wrong if not re.search(allowed, text)] == []
