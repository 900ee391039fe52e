"""Whose word is taken for where a client is: a trusted proxy's, about whom it talked to (A26, A27)."""

import pytest

from asgi import client_of, running, settings_for
from goodword.app import create_app
from people import PASSWORD, Person, register

pytestmark = pytest.mark.one_database

PROXY, PUBLIC = "10.0.0.7", "203.0.113.9"
NOISE = {
    "X-Real-IP": "198.51.100.1",
    "Forwarded": "for=198.51.100.1;proto=https",
    "X-Client-IP": "198.51.100.1",
}
NOISE |= {
    "True-Client-IP": "198.51.100.1",
    "CF-Connecting-IP": "198.51.100.1",
    "X-Forwarded-Host": "evil.example",
}


@pytest.fixture
async def behind(database_url, app):
    """A service that trusts the proxies of 10.0.0.0/8 and one of IPv6. `app` empties the database."""
    settings = settings_for(database_url, trusted_proxies=("10.0.0.0/8", "2001:db8:ffff::/48"))
    async with running(create_app(settings)) as service:
        yield service


async def place(app, peer, forwarded, **noise):
    """Where a session is said to be, that was begun over this connection."""
    async with client_of(app, peer=peer) as api:
        await register(api, "alice")
        headers = [("X-Forwarded-For", one) for one in forwarded] + list(noise.items())
        body = {"email": "alice@example.com", "password": PASSWORD}
        signed_in = await api.post("/api/v1/sessions", json=body, headers=headers)
        bearer = {"Authorization": f"Bearer {signed_in.json()['access_token']}"}
        sessions = (await api.get("/api/v1/me/sessions", headers=bearer)).json()["items"]
    return next(one for one in sessions if one["current"])["place"]


@pytest.mark.parametrize("peer", [PUBLIC, "192.168.1.1", "11.0.0.1", "2001:db8::1"])
async def test_a26_what_anybody_writes_is_not_believed(behind, peer):
    plain = await place(behind, peer, [])

    assert await place(behind, peer, ["198.51.100.1"], **NOISE) == plain
    assert "198.51.100" not in plain


@pytest.mark.parametrize(
    ("forwarded", "found"),
    [
        (["203.0.113.9"], "203.0.113.0/24"),
        (["198.51.100.1, 203.0.113.9"], "203.0.113.0/24"),
        (["198.51.100.1", "203.0.113.9"], "203.0.113.0/24"),
        (["203.0.113.9, 10.1.1.1, 10.2.2.2"], "203.0.113.0/24"),
        (["198.51.100.1, 203.0.113.9,10.1.1.1", "10.2.2.2"], "203.0.113.0/24"),
        (["203.0.113.9:4711"], "203.0.113.0/24"),
        (["[2001:db8:1:2::5]:4711"], "2001:db8:1:2::/64"),
        (["2001:db8:1:2::5"], "2001:db8:1:2::/64"),
        (["2001:db8:1:2::5, 2001:db8:ffff::1"], "2001:db8:1:2::/64"),
        (["::ffff:203.0.113.9"], "203.0.113.0/24"),
        (["203.0.113.9, ::ffff:10.1.1.1"], "203.0.113.0/24"),
        # Nonsense: nobody vouches for what stands before it.
        ([""], "10.0.0.0/24"),
        (["unknown"], "10.0.0.0/24"),
        (["198.51.100.1, unknown"], "10.0.0.0/24"),
        (["198.51.100.1, "], "10.0.0.0/24"),
        (["203.0.113.9, <script>, 10.1.1.1"], "10.1.1.0/24"),
        (["198.51.100.1, 999.1.1.1"], "10.0.0.0/24"),
        (["198.51.100.1 203.0.113.9"], "10.0.0.0/24"),
        (["198.51.100.1, 0xcb007109"], "10.0.0.0/24"),
        (["10.1.1.1, 10.2.2.2"], "10.1.1.0/24"),
        (["x" * 9000], "10.0.0.0/24"),
        ([",".join(["10.1.1.1"] * 1500)], "10.1.1.0/24"),
    ],
)
async def test_a26_of_a_list_the_last_that_is_no_proxy_counts(behind, forwarded, found):
    assert await place(behind, PROXY, forwarded, **NOISE) == found


async def test_a26_a_proxy_by_its_address_in_ipv6_is_the_same(behind):
    assert await place(behind, f"::ffff:{PROXY}", [PUBLIC]) == "203.0.113.0/24"


async def test_a26_nobody_is_trusted_unless_named(app):
    assert await place(app, PROXY, [PUBLIC], **NOISE) == "10.0.0.0/24"
    assert await place(app, "127.0.0.1", [PUBLIC], **NOISE) == "127.0.0.0/24"


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
async def test_a27_no_header_changes_the_method(alice: Person, header):
    assert (await alice.post("/api/v1/me", {}, headers={header: "DELETE"})).status_code == 405
    assert (await alice.call("GET", "/api/v1/me", headers={header: "DELETE"})).status_code == 200
    assert (await alice.get("/api/v1/me")).status_code == 200


@pytest.mark.parametrize(
    "header", ["X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix", "X-Forwarded-Uri"]
)
async def test_a27_no_header_changes_the_path(behind, header):
    async with client_of(behind, peer=PROXY) as api:
        assert (await api.get("/nowhere", headers={header: "/livez"})).status_code == 404
        assert (await api.get("/livez", headers={header: "/nowhere"})).status_code == 200
