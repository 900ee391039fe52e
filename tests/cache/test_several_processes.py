"""`goodword serve --workers 2` is one node: what one process changes, the other one knows at once."""

import asyncio
import socket
import sqlite3
import time
from contextlib import closing
from urllib.parse import urlsplit

import httpx2
import pytest

from people import PASSWORD
from second_service import second_service
from serving import serving

ASKED = 24
"""Often enough that both processes answer some: each request is a new connection."""


def call(service, method, path, token=None, **options):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    # Without `verify`, each call reads the certificates of all authorities.
    return httpx2.request(method, f"{service.url}/api/v1{path}", headers=headers, verify=False, **options)


def statuses(service, path, token=None):
    return {call(service, "GET", path, token).status_code for _ in range(ASKED)}


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """One for all tests, since two processes take five seconds of CPU to start."""
    folder = tmp_path_factory.mktemp("node")
    with serving(folder, "--host", "::", "--workers", "2", LIMITS="look-up-missing=100000/minute") as service:
        yield service


@pytest.fixture
def token(node, request):
    account = {"email": f"{request.node.name}@example.com", "password": PASSWORD}
    assert call(node, "POST", "/users", json=account).status_code == 201
    return call(node, "POST", "/sessions", json=account).json()["access_token"]


def test_a_deleted_code_is_found_by_no_process(node, token):
    for _ in range(3):
        code = call(node, "POST", "/me/referral-codes", token, json={"lifetime": 3600}).json()["code"]
        assert statuses(node, f"/referral-codes/{code}") == {200}

        assert call(node, "DELETE", f"/me/referral-codes/{code}", token).status_code == 204

        assert statuses(node, f"/referral-codes/{code}") == {404}


def test_an_ended_session_is_over_for_every_process(node, token):
    assert statuses(node, "/me", token) == {200}

    assert call(node, "DELETE", "/me/sessions/current", token).status_code == 204

    assert statuses(node, "/me", token) == {401}


def test_processes_share_one_database(node):
    emails = {f"{name}@example.com" for name in ("alice", "bob", "carol", "dave")}
    for email in emails:
        assert call(node, "POST", "/users", json={"email": email, "password": PASSWORD}).status_code == 201

    with closing(sqlite3.connect(node.log.parent / "data" / "goodword.sqlite3")) as database:
        assert emails <= {email for (email,) in database.execute("SELECT email FROM users")}
        assert database.execute("SELECT count(*) FROM signing_keys").fetchone() == (2,)


def test_processes_count_together(node):
    """E12: new connections, so that both processes answer some."""
    look_ups = [f"/referral-codes/by-email?email=none-{n}@example.com" for n in range(30)]

    found = [call(node, "GET", look_up).status_code for look_up in look_ups]

    assert found == [404] * 10 + [429] * 20


def test_processes_on_all_ipv6_addresses_take_ipv4_too(node):
    port = urlsplit(node.url).port
    for host in ("127.0.0.1", "[::1]") if socket.has_ipv6 else ("127.0.0.1",):
        assert httpx2.get(f"http://{host}:{port}/livez", verify=False).status_code == 200


async def test_an_ended_session_is_over_on_other_nodes_within_five_seconds(database_url, api, alice):
    headers = {"Authorization": f"Bearer {alice.tokens['access_token']}"}
    async with second_service(database_url) as there:
        assert (await there.get("/api/v1/me", headers=headers)).status_code == 200

        assert (await alice.delete("/api/v1/me/sessions")).status_code == 204
        ended_at = time.monotonic()

        while (await there.get("/api/v1/me", headers=headers)).status_code != 401:
            assert time.monotonic() < ended_at + 5
            await asyncio.sleep(0.1)
