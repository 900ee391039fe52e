"""The picture of the dashboard: two nodes and a worker under load, scraped by a Prometheus.

The panels and their queries are those of deploy/grafana. They are drawn here, not by Grafana, which no package has.
"""

import json
import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from html import escape
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from playwright.sync_api import sync_playwright

from people import PASSWORD
from prometheus_server import TOKEN, prometheus, query
from servers import postgres, valkey
from serving import ROOT, free_port, serving, wait_for_port, working

HERE = Path(__file__).parent
SECONDS = 90
COLOURS = (
    "#1f77b4",
    "#ff7f0e",
    "#2ca02c",
    "#d62728",
    "#9467bd",
    "#8c564b",
    "#e377c2",
    "#7f7f7f",
    "#17becf",
    "#bcbd22",
)
WIDTH, HEIGHT = 400, 150
STYLE = """
body { margin: 16px; width: 1248px; background: #f4f5f5; font: 12px/1.3 sans-serif; color: #24292e;
       display: grid; grid-template-columns: repeat(3, 1fr); gap: 8px }
section { background: #fff; border: 1px solid #e0e0e0; border-radius: 2px; padding: 8px }
h2 { font-size: 13px; font-weight: 500; margin: 0 0 4px }
p { margin: 0; font-size: 40px; text-align: center; color: #2ca02c }
ul { margin: 4px 0 0; padding: 0; list-style: none; display: flex; flex-wrap: wrap; gap: 0 12px; font-size: 11px }
"""


def call(url: str, path: str, body: object = None, token: str = "") -> Any:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(url + path, data, headers)) as answer:
        return json.load(answer)


def use(urls: list[str], ended: Event) -> None:
    """Do what users do, until it has ended."""
    code = None
    for number in range(10_000):
        if ended.wait(random.uniform(0, 0.1)):
            return
        url, email = random.choice(urls), f"person{random.getrandbits(40)}@example.com"
        with suppress(HTTPError):
            match random.choices(("look up", "by email", "missing", "sign up", "wrong"), (60, 20, 3, 6, 3))[
                0
            ]:
                case "look up" if code:
                    call(url, f"/api/v1/referral-codes/{code}")
                case "by email":
                    call(url, "/api/v1/referral-codes/by-email?email=first@example.com")
                case "missing":
                    call(url, f"/api/v1/referral-codes/by-email?email={email}")
                case "wrong":
                    call(
                        url, "/api/v1/sessions", {"email": "first@example.com", "password": "wrong password"}
                    )
                case _:
                    own = {"email": "first@example.com" if number == 0 else email, "password": PASSWORD}
                    call(url, "/api/v1/users", own | ({"referral_code": code} if code else {}))
                    if code is None or random.random() < 0.3:
                        token = call(url, "/api/v1/sessions", own)["access_token"]
                        term = {
                            "code": f"FRIEND-{number}-{random.randrange(1000)}",
                            "lifetime": 30 * 24 * 3600,
                        }
                        code = call(url, "/api/v1/me/referral-codes", term, token)["code"]


def panels(prometheus_url: str, end: float) -> Iterator[str]:
    window = {"start": end - SECONDS, "end": end, "step": 1}
    for panel in json.loads((ROOT / "deploy" / "grafana" / "goodword.json").read_text())["panels"]:
        series = []
        for target in panel["targets"]:
            expression = target["expr"].replace("$instance", ".*").replace("$__rate_interval", "15s")
            for found in query(prometheus_url, expression, **window):
                points = [(float(at), float(value)) for at, value in found["values"] if value != "NaN"]
                series.append((legend(target["legendFormat"], found["metric"]), points))
        shown = numbers(series) if panel["type"] == "stat" else chart(series, window)
        yield f"<section><h2>{escape(panel['title'])}</h2>{shown}</section>"


def legend(form: str, labels: dict[str, str]) -> str:
    for name, value in labels.items():
        form = form.replace("{{" + name + "}}", value)
    return form


def numbers(series: list[Any]) -> str:
    return f"<p>{' '.join(f'{points[-1][1]:g}' for _, points in series if points)}</p>{names(series)}"


def chart(series: list[Any], window: dict[str, float]) -> str:
    top = max((value for _, points in series for _, value in points), default=0) or 1
    lines = []
    for grid in (0, 0.5, 1):
        y = HEIGHT - 4 - grid * (HEIGHT - 20)
        lines.append(
            f'<path d="M0 {y}H{WIDTH}" stroke="#e5e5e5"/><text x="0" y="{y - 3}" font-size="10" fill="#777">{top * grid:.3g}</text>'
        )
    for number, (_, points) in enumerate(series):
        path = " ".join(
            f"{(at - window['start']) / SECONDS * WIDTH:.1f},{HEIGHT - 4 - value / top * (HEIGHT - 20):.1f}"
            for at, value in points
        )
        colour = COLOURS[number % len(COLOURS)]
        lines.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="100%">{"".join(lines)}</svg>{names(series)}'


def names(series: list[Any]) -> str:
    items = (
        f"<li><span style='color:{COLOURS[number % len(COLOURS)]}'>■</span> {escape(name)}</li>"
        for number, (name, _) in enumerate(series[:10])
    )
    return f"<ul>{''.join(items)}</ul>"


def main() -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        given = {
            "DATABASE_URL": stack.enter_context(postgres()),
            "SECRET_KEY": "k4Jt-9vQ2mZx7Lp0RbWc5NfHs8GdYa1E",
        }
        given |= {
            "REDIS_URL": stack.enter_context(valkey()).url,
            "METRICS_TOKEN": TOKEN,
            "PASSWORD_HASH": "small",
        }
        urls = []
        for name in ("a", "b", "worker", "prometheus"):
            (folder / name).mkdir()
        for name in ("a", "b"):
            served = serving(folder / name, "--migrate", "--workers", "2", **given)
            urls.append(stack.enter_context(served).url)
        port = free_port()
        stack.enter_context(working(folder / "worker", WORKER_HEALTH_PORT=str(port), **given))
        wait_for_port(port)
        nodes = [url.removeprefix("http://") for url in (*urls, f"http://127.0.0.1:{port}")]
        scraping = stack.enter_context(prometheus(folder / "prometheus", nodes))
        ended = Event()
        users = [Thread(target=use, args=(urls, ended)) for _ in range(4)]
        for user in users:
            user.start()
        time.sleep(SECONDS + 5)
        page_text = f"<style>{STYLE}</style>{''.join(panels(scraping, time.time()))}"
        ended.set()
        for user in users:
            user.join()
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": 1280, "height": 800})
        page.set_content(page_text)
        page.screenshot(path=HERE / "dashboard.png", full_page=True)
        chromium.close()


main()
