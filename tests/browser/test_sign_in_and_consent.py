"""Sign-in and consent as a person meets them: in a real browser, on the way to an app and back."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2 as httpx
import pytest

from browser.conftest import look_over
from people import PASSWORD
from serving import goodword, serving
from third_party import VERIFIER, challenge_of

ALICE = {"email": "alice@example.com", "password": PASSWORD}


@contextmanager
def app_at_an_address_of_its_own() -> Iterator[str]:
    """It sends who comes back on to another address, as apps do: form-action is held against that too."""

    class Callback(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/callback"):
                self.send_response(303)
                query = urlsplit(self.path).query
                self.send_header("Location", f"http://127.0.0.1:{inside.server_port}/inside?{query}")
                self.end_headers()
            else:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"inside")

        def log_message(self, *_arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Callback) as front, HTTPServer(("127.0.0.1", 0), Callback) as inside:
        for server in (front, inside):
            threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{front.server_port}"
        front.shutdown()
        inside.shutdown()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_person_lets_an_app_in(browser, tmp_path, scheme):
    with serving(tmp_path) as served, app_at_an_address_of_its_own() as app:
        httpx.post(f"{served.url}/api/v1/users", json=ALICE).raise_for_status()
        to = ("--redirect-uri", f"{app}/callback", "--scope", "openid")
        made = goodword(tmp_path, "oauth-client", "create", "Garden letters", *to)
        client_id, secret = (line.split()[1] for line in made.stdout.splitlines())
        asked = {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": f"{app}/callback",
            "code_challenge": challenge_of(VERIFIER),
            "code_challenge_method": "S256",
            "state": "s",
        }
        phone = {"width": 360, "height": 640}
        with browser.new_context(color_scheme=scheme, viewport=phone) as context:
            page = context.new_page()
            wrong = []
            page.on("console", lambda message: message.type == "error" and wrong.append(message.text))
            page.goto(f"{served.url}/oauth/authorize?{urlencode(asked)}")
            assert page.evaluate("document.activeElement.id") == "email"
            page.get_by_label("E-mail address").fill(ALICE["email"])
            page.get_by_label("Password", exact=True).fill("wrong")
            page.get_by_role("button", name="Sign in").click()
            assert "wrong" in page.get_by_role("alert").inner_text()
            assert page.evaluate("document.activeElement.id") == "password"
            page.get_by_label("Password", exact=True).fill(ALICE["password"])
            page.get_by_role("button", name="Sign in").click()
            page.get_by_role("heading", name="Garden letters").wait_for()
            look_over(page)
            page.get_by_role("button", name="Allow").click()
            page.wait_for_url("**/inside?**")
            assert page.inner_text("body") == "inside"

            # The second time nobody asks: the way from the sign-in page leads straight to the app.
            page.goto(f"{served.url}/oauth/authorize?{urlencode({**asked, 'prompt': 'login'})}")
            page.get_by_label("E-mail address").fill(ALICE["email"])
            page.get_by_label("Password", exact=True).fill(ALICE["password"])
            page.get_by_role("button", name="Sign in").click()
            page.wait_for_url("**/inside?**")
            code = parse_qs(urlsplit(page.url).query)["code"][0]

            page.goto(f"{served.url}/")
            page.locator(".menu summary").click()
            page.get_by_role("button", name="Sign out").click()
            page.get_by_role("heading", name="Welcome").wait_for()
            assert [text for text in wrong if "401" not in text] == []

        fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": asked["redirect_uri"]}
        fields |= {"code_verifier": VERIFIER, "client_id": client_id, "client_secret": secret}
        # She has signed out since: what she began there and did not finish is off.
        answer = httpx.post(f"{served.url}/oauth/token", data=fields)
        assert answer.json()["error"] == "invalid_grant"
        with closing(sqlite3.connect(tmp_path / "data" / "goodword.sqlite3")) as database:
            assert database.execute("SELECT count(*) FROM oauth_codes").fetchone() == (2,)
