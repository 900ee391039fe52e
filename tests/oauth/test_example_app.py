"""examples/third_party_app.py against a served Goodword, over real sockets, through the real forms."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urljoin

import httpx2 as httpx

from people import PASSWORD
from serving import ROOT, free_port, goodword, serving
from third_party import Form


def register_app(folder, port):
    done = goodword(
        folder,
        *("oauth-client", "create", "Example", "--redirect-uri", f"http://127.0.0.1:{port}/callback"),
        *("--scope", "openid referrals:read offline_access"),
    )
    assert done.returncode == 0, done.stderr
    return dict(line.split() for line in done.stdout.splitlines())


@contextmanager
def example(folder, url: str, port: int, client: dict[str, str]) -> Iterator[str]:
    """The example in a process of its own, from the moment when it answers."""
    settings = {"GOODWORD": url, "PORT": str(port)}
    settings |= {"CLIENT_ID": client["client_id"], "CLIENT_SECRET": client["client_secret"]}
    with (folder / "example.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, ROOT / "examples" / "third_party_app.py"],
            env={**os.environ, **settings},
            stdout=log,
            stderr=log,
        )
        try:
            address = f"http://127.0.0.1:{port}"
            for _ in range(400):
                try:
                    httpx.get(address)
                    break
                except httpx.TransportError:
                    time.sleep(0.05)
            yield address
        finally:
            process.terminate()
            process.wait(timeout=10)


def send(browser, page, **fields):
    form = Form(page.text)
    headers = {"Origin": str(page.url.copy_with(path="/", query=None)).rstrip("/")}
    url = urljoin(str(page.url), form.action)
    return browser.post(url, data=form.fields | fields, headers=headers)


def test_an_app_reads_what_it_was_let_read_until_it_is_shut_out(tmp_path):
    port = free_port()
    with serving(tmp_path) as served:
        api = f"{served.url}/api/v1"
        alice = {"email": "alice@example.com", "password": PASSWORD}
        httpx.post(f"{api}/users", json=alice).raise_for_status()
        tokens = httpx.post(f"{api}/sessions", json=alice).json()
        as_alice = {"Authorization": f"Bearer {tokens['access_token']}"}
        code = httpx.post(f"{api}/me/referral-codes", json={"lifetime": 3600}, headers=as_alice).json()
        bob = {"email": "bob@example.com", "password": PASSWORD, "first_name": "Bob"}
        httpx.post(f"{api}/users", json={**bob, "referral_code": code["code"]}).raise_for_status()
        client = register_app(tmp_path, port)

        with (
            example(tmp_path, served.url, port, client) as app,
            httpx.Client(follow_redirects=True) as browser,
        ):
            form = browser.get(f"{app}/sign-in")
            assert form.url.path == "/sign-in"
            assert str(form.url).startswith(served.url)
            consent = send(browser, form, **alice)
            assert "Example" in consent.text
            back = send(browser, consent, decision="allow")
            assert str(back.url) == f"{app}/"

            found = browser.get(f"{app}/referrals").json()["items"]
            assert [one["referee"]["display_name"] for one in found] == ["Bob"]

            refused = browser.get(f"{app}/make-code")
            assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_scope")

            refreshed = browser.get(f"{app}/refresh")
            assert refreshed.json()["scope"] == "openid referrals:read offline_access"
            assert browser.get(f"{app}/referrals").status_code == 200

            gone = httpx.delete(f"{api}/me/apps/{client['client_id']}", headers=as_alice)
            assert gone.status_code == 204
            cut_off = browser.get(f"{app}/referrals")
            assert (cut_off.status_code, cut_off.json()["code"]) == (401, "invalid_token")
