"""The configurations in deploy/, loaded by the real programs, with the service behind them."""

import json
import re
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from mail_server import self_made_certificate
from people import PASSWORD
from proxy_servers import Proxy, caddy, haproxy, nginx, proxy_process
from serving import free_port, serving

FORGED = "198.51.100.7"
ALICE = {"email": "alice@example.com", "password": PASSWORD}


@pytest.fixture(scope="module", params=[haproxy, nginx, caddy], ids=lambda one: one.__name__)
def proxy(request, tmp_path_factory) -> Iterator[Proxy]:
    """Run a proxy of deploy/ in front of the service, and Alice's account."""
    configure: Callable[[Path, int, str], list[str | Path]] = request.param
    folder, port = tmp_path_factory.mktemp("proxy"), free_port()
    _, certificate = self_made_certificate(folder)
    url = f"{'http' if configure is haproxy else 'https'}://127.0.0.1:{port}"
    with serving(folder, PUBLIC_URL=url, TRUSTED_PROXIES="127.0.0.1") as service:
        command = configure(folder, port, urlsplit(service.url).netloc)
        with proxy_process(command, folder, port):
            found = Proxy(url, ssl.create_default_context(cafile=certificate))
            with found.client() as client:
                # HAProxy checks every two seconds whether the service is alive.
                answer = client.post("/api/v1/users", json={**ALICE, "first_name": "Alice"})
                assert answer.status_code == 201, answer.text
            yield found


def place_of(client: httpx2.Client, token: str) -> str:
    sessions = client.get("/api/v1/me/sessions", headers={"Authorization": f"Bearer {token}"}).json()["items"]
    return next(one for one in sessions if one["current"])["place"]


def test_people_sign_up_and_sign_in_and_look_a_code_up(proxy):
    with proxy.client() as client:
        token = client.post("/api/v1/sessions", json=ALICE).json()["access_token"]
        bearer = {"Authorization": f"Bearer {token}"}
        code = client.post("/api/v1/me/referral-codes", json={"lifetime": 3600}, headers=bearer).json()
        bob = {"email": "bob@example.com", "password": PASSWORD, "referral_code": code["code"]}

        found = client.get("/api/v1/referral-codes/by-email", params={"email": ALICE["email"]})
        joined = client.post("/api/v1/users", json=bob)
        landing = client.get(f"/r/{code['code']}")

    assert code["link"] == f"{proxy.url}/r/{code['code']}"
    assert (found.status_code, found.json()["code"]) == (200, code["code"])
    assert (joined.status_code, joined.headers["location"]) == (201, "/api/v1/me")
    assert (landing.status_code, "Alice" in landing.text) == (200, True)


def test_a_browser_signs_in_on_the_page(proxy):
    with proxy.client() as client:
        page = client.get("/sign-in")
        own = {"Origin": proxy.url, "Sec-Fetch-Site": "same-origin"}
        answer = client.post("/sign-in", data=ALICE, headers=own)
        home = client.get("/")

    assert page.status_code == 200
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert ("__Host-goodword" if proxy.url.startswith("https") else "goodword") in answer.cookies
    assert ALICE["email"] in home.text


@pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
def test_the_client_address_is_that_of_the_connection(proxy, name):
    value = f"for={FORGED}" if name == "Forwarded" else FORGED
    with proxy.client() as client:
        answer = client.post("/api/v1/sessions", json=ALICE, headers={name: value})

        assert place_of(client, answer.json()["access_token"]) == "127.0.5.0/24"


def test_a_trailer_does_not_choose_the_client_address(proxy):
    body = json.dumps(ALICE)
    head = "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nTrailer: X-Forwarded-For\r\n"
    host = urlsplit(proxy.url).netloc
    status, heard = proxy.say(
        f"POST /api/v1/sessions HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{head}\r\n"
        f"{len(body):x}\r\n{body}\r\n0\r\nX-Forwarded-For: {FORGED}\r\n\r\n"
    )

    assert status == 201
    token = re.search(rb'"access_token":"([^"]+)"', heard)
    assert token
    with proxy.client() as client:
        assert place_of(client, token[1].decode()) == "127.0.5.0/24"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"url": "/" + "a" * 5000}, 414),
        ({"headers": {"X-Long": "a" * 17000}}, 431),
        ({"method": "POST", "content": b"a" * 70_000}, 413),
    ],
    ids=["target", "header", "body"],
)
def test_what_is_too_large_is_refused(proxy, change, status):
    with proxy.client() as client:
        answer = client.request(**{"method": "GET", "url": "/api/v1/users", **change})

    assert answer.status_code == status


def test_json_is_compressed_and_pages_are_not(proxy):
    with proxy.client() as client:
        tokens = [client.post("/api/v1/sessions", json=ALICE).json()["access_token"] for _ in range(6)]
        bearer = {"Authorization": f"Bearer {tokens[0]}", "Accept-Encoding": "gzip"}
        sessions = client.get("/api/v1/me/sessions", headers=bearer)
        page = client.get("/sign-in", headers={"Accept-Encoding": "gzip"})

    assert (sessions.headers["content-encoding"], len(sessions.json()["items"]) >= 6) == ("gzip", True)
    assert len(sessions.content) > 1000
    assert "content-encoding" not in page.headers


def test_static_files_are_sent_as_the_service_compressed_them(proxy):
    with proxy.client() as client:
        style = re.search(r'href="(/pages/style.css[^"]+)"', client.get("/sign-in").text)
        assert style
        answer = client.get(style[1], headers={"Accept-Encoding": "gzip, br"})
        again = client.get(
            style[1], headers={"Accept-Encoding": "gzip, br", "If-None-Match": answer.headers["etag"]}
        )

    assert answer.headers["content-encoding"] == "br"
    assert "immutable" in answer.headers["cache-control"]
    assert again.status_code == 304
