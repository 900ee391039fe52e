"""The HTML of all pages, checked by the Nu checker of the W3C and by html-validate, both from npm."""

import html
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

import httpx2
import pytest

from browser.conftest import Api
from people import PASSWORD
from seed_data import give_past
from serving import goodword, serving

NU = "vnu-jar@26.9.27"
"""It needs Java: apt-get install default-jre-headless."""
VALIDATOR = "html-validate@9.7.1"
RULES = {
    "extends": ["html-validate:recommended"],
    "rules": {
        "doctype-style": "off",
        "form-dup-name": "off",  # of buttons, of which one is pressed
    },
}
AN_EMAIL = "/admin/appearance/email"
"""A preview: e-mail programs need the tables and attributes that a page must not have."""
HARMLESS = ("/sign-in", "/sign-up", "/forgot-password", "/reset-password", "/verify-email", "/confirm-email")
"""Forms that are sent without their fields, to see their errors."""

ALIKE = r"[0-9a-f-]{36}|=[0-9]+|(cursor|sort|size|from|to)=[^&]+"
"""What differs between addresses of pages that are built alike."""


def pages_of(client: httpx2.Client, home: str) -> Iterator[tuple[str, str]]:
    """Yield the path and the HTML of each page that links lead to, of an error, and of forms with errors."""
    seen: set[str] = set()
    waiting = ["/", "/nowhere", "/oauth/authorize", "/r/NOBODYS", "/docs", "/redoc"]
    waiting += [*HARMLESS, "/check-mail", "/unsubscribe?token=x", "/account/address"]
    while waiting:
        path = waiting.pop()
        shape = re.sub(ALIKE, "_", path)
        if shape in seen:
            continue
        seen.add(shape)
        answer = client.get(path, headers={"Accept": "text/html"}, follow_redirects=True)
        if not answer.headers["content-type"].startswith("text/html") or path == AN_EMAIL:
            continue
        yield path, answer.text
        for link in re.findall(r'href="([^"#]+)', answer.text):
            target = urlsplit(urljoin(str(answer.url), html.unescape(link)))
            if target.netloc == urlsplit(home).netloc:
                waiting.append(target.path + (f"?{target.query}" if target.query else ""))
    for path in HARMLESS:
        answer = client.post(path, data={"next": "/"}, headers={"Origin": home, "Accept": "text/html"})
        yield f"POST {path}", answer.text


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Yield the folder with all pages, as a visitor, a member and an administrator see them in both languages."""
    folder = tmp_path_factory.mktemp("pages")
    with serving(tmp_path_factory.mktemp("served"), RATE_LIMITS="off") as served:
        home, data = served.url, served.log.parent
        made = goodword(data, "admin", "create", "rita@example.com", "--password-stdin", stdin=PASSWORD)
        assert made.returncode == 0, made.stderr
        api = Api(served)
        code = api.make_code(api.join("Olga"), "OLGAS-CODE")["code"]
        give_past(data, of="olga@example.com", code=code, people=30)
        for person in ("", "olga@example.com", "rita@example.com"):
            for language in ("en", "ru"):
                with httpx2.Client(base_url=home, headers={"Accept-Language": language}) as client:
                    if person:
                        form = {"email": person, "password": PASSWORD}
                        answer = client.post("/sign-in", data=form, headers={"Origin": home})
                        assert answer.status_code == 303
                    for number, (path, text) in enumerate(pages_of(client, home)):
                        name = re.sub(r"\W+", "-", f"{person or 'visitor'}-{language}-{number}-{path}")[:120]
                        (folder / f"{name}.html").write_text(text)
                    (folder / f"{person or 'visitor'}-{language}-landing.html").write_text(
                        client.get(f"/r/{code}").text
                    )
    return folder


def test_the_html_of_all_pages_is_valid(pages):
    npx = shutil.which("npx")
    assert npx, "this test needs npm"
    (pages / ".htmlvalidate.json").write_text(json.dumps({"root": True, **RULES}))
    files = sorted(pages.glob("*.html"))
    subprocess.run(
        [npx, "--yes", VALIDATOR, "--formatter", "json=found.json", *(file.name for file in files)],
        cwd=pages,
        capture_output=True,
        text=True,
        check=False,
    )
    assert len(files) > 100
    found = {
        (message["ruleId"], message["message"], result["filePath"].rpartition("/")[2])
        for result in json.loads((pages / "found.json").read_text())
        for message in result["messages"]
    }
    assert found == set()


def test_the_nu_checker_finds_nothing(pages):
    npx, java = shutil.which("npx"), shutil.which("java")
    assert npx, "this test needs npm"
    assert java, "this test needs Java: apt-get install default-jre-headless"
    checked = subprocess.run(
        [npx, "--yes", NU, "--format", "json", *(file.name for file in sorted(pages.glob("*.html")))],
        cwd=pages,
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.stderr.startswith('{"version":'), checked.stderr
    found = json.loads(checked.stderr)["messages"]
    assert {(one["type"], one["message"], one["url"].rpartition("/")[2]) for one in found} == set()
