"""Measure the landing page, the sign-in page and the home page with Lighthouse: `make lighthouse`.

It exits with 1 unless accessibility and best practices are 100 and performance is at least 95.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.request import Request, urlopen

from playwright.sync_api import sync_playwright

from people import PASSWORD
from serving import Served, serving

LIGHTHOUSE = "lighthouse@12.8.2"
LEAST = {"performance": 95, "accessibility": 100, "best-practices": 100}
ALICE = {"email": "alice@example.com", "password": PASSWORD}
FLAGS = "--headless=new --no-sandbox --disable-gpu --host-resolver-rules='MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'"


def call(served: Served, path: str, body: object, token: str = "") -> dict[str, str]:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    with urlopen(Request(served.url + path, json.dumps(body).encode(), headers)) as answer:
        found: dict[str, str] = json.load(answer)
        return found


def session_cookie(served: Served, chromium: str) -> str:
    """Sign in with a browser and return its cookies as a header."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"{served.url}/sign-in")
        page.fill("#email", ALICE["email"])
        page.fill("#password", PASSWORD)
        page.press("#password", "Enter")
        page.wait_for_url(f"{served.url}/")
        cookies = page.context.cookies()
        browser.close()
    return "; ".join(f"{one['name']}={one['value']}" for one in cookies)


def scores(url: str, chromium: str, folder: Path, headers: dict[str, str]) -> dict[str, int]:
    """Return the score of each category, and print what costs points."""
    report = folder / "report.json"
    (folder / "headers.json").write_text(json.dumps(headers))
    command = ["npx", "--yes", LIGHTHOUSE, url, "--quiet", "--output=json", f"--output-path={report}"]
    command += [f"--only-categories={','.join(LEAST)}", f"--chrome-flags={FLAGS}"]
    command += [f"--extra-headers={folder / 'headers.json'}"]
    subprocess.run(command, check=True, env={**os.environ, "CHROME_PATH": chromium})
    found = json.loads(report.read_text())
    for category in found["categories"].values():
        for one in category["auditRefs"]:
            audit = found["audits"][one["id"]]
            if one["weight"] and audit["score"] is not None and audit["score"] < 1:
                print(f"  {audit['score']:.2f} {audit['title']}: {audit.get('displayValue', '')}")
    return {name: round(category["score"] * 100) for name, category in found["categories"].items()}


def main() -> int:
    chromium = shutil.which("chromium")
    if not chromium or not shutil.which("npx"):
        sys.exit("this needs npm and Debian's chromium: apt-get install chromium npm")
    is_good = True
    with tempfile.TemporaryDirectory() as name, serving(Path(name)) as served:
        call(served, "/api/v1/users", ALICE | {"first_name": "Alice"})
        token = call(served, "/api/v1/sessions", ALICE)["access_token"]
        code = call(served, "/api/v1/me/referral-codes", {"lifetime": 604800}, token)["code"]
        cookie = session_cookie(served, chromium)
        for page, path, headers in (
            ("landing", f"/r/{code}", {}),
            ("sign-in", "/sign-in", {}),
            ("home", "/", {"Cookie": cookie}),
        ):
            found = scores(f"{served.url}{path}", chromium, Path(name), headers)
            print(f"{page}: {', '.join(f'{key} {value}' for key, value in found.items())}", flush=True)
            is_good = is_good and all(found[key] >= least for key, least in LEAST.items())
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
