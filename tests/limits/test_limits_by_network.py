"""How often a network may ask: what is too much is refused, alike for known and unknown."""

from collections import Counter
from typing import Any

import pytest

from asgi import client_of
from concurrency import at_once
from people import PASSWORD, join, make_code, register, sign_in
from second_service import second_service

pytestmark = pytest.mark.one_database

LOOK_UP = "/api/v1/referral-codes"
BY_EMAIL = f"{LOOK_UP}/by-email"


def told(answer):
    """What a refusal says, but for its own request id and the seconds that pass."""
    headers = {
        k: v for k, v in answer.headers.items() if k not in ("x-request-id", "retry-after", "ratelimit")
    }
    return answer.status_code, headers, {k: v for k, v in answer.json().items() if k != "request_id"}


async def test_200_registrations_at_once_from_one_address(api):
    """B23. Most are not valid, which counts too: a busy machine would refuse some of 150 that write at once."""
    answers = await at_once(
        lambda n: register(api, f"person{n}", password="" if n % 8 else PASSWORD), range(200)
    )

    counted = Counter(answer.status_code for answer in answers)
    assert (counted[201] + counted[422], counted[429]) == (150, 50)
    assert counted[201] > 0
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["code"] == "rate_limited"
    assert refused.headers["content-type"] == "application/problem+json"
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.headers["ratelimit-policy"] == '"sign-up";q=150;w=60'
    assert refused.headers["ratelimit"] == f'"sign-up";r=0;t={refused.headers["retry-after"]}'


async def test_a_hundred_registrations_at_once_are_none_too_many(api):
    answers = await at_once(lambda n: register(api, f"person{n}"), range(100))

    assert {answer.status_code for answer in answers} == {201}


async def count_registrations(service, peers):
    statuses = []
    for n, peer in enumerate(peers):
        async with client_of(service, peer=peer) as client:
            statuses.append((await register(client, f"of{n}")).status_code)
    return statuses


@pytest.fixture
async def strict(database_url, api, clock):
    """A service that lets three people register in a minute."""
    async with second_service(database_url, clock=clock, limits="sign-up=3/minute") as client:
        yield client


def app_of(client):
    return client._transport.app


async def test_addresses_of_one_64_count_together(strict):
    """B23."""
    peers = [f"2001:db8:0:7:{n:x}::1" for n in range(5)]

    assert await count_registrations(app_of(strict), peers) == [201, 201, 201, 429, 429]


@pytest.mark.parametrize(
    "peers",
    [[f"2001:db8:0:{n:x}::1" for n in range(5)], [f"198.51.100.{n}" for n in range(5)]],
    ids=["another /64", "another IPv4 address"],
)
async def test_others_count_for_themselves(strict, peers):
    assert await count_registrations(app_of(strict), peers) == [201] * 5


async def test_an_ipv4_address_written_as_ipv6_is_the_same(strict):
    peers = ["198.51.100.1", "::ffff:198.51.100.1", "198.51.100.1", "::ffff:198.51.100.1"]

    assert await count_registrations(app_of(strict), peers) == [201, 201, 201, 429]


async def test_who_has_no_address_shares_one(strict):
    assert await count_registrations(app_of(strict), ["", "testclient", "x" * 300, ""]) == [
        201,
        201,
        201,
        429,
    ]


@pytest.mark.parametrize(
    "name", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "CF-Connecting-IP", "True-Client-IP"]
)
async def test_forged_headers_change_nothing(strict, name):
    """A26."""
    statuses = []
    for n in range(5):
        value = f"for=192.0.2.{n}" if name == "Forwarded" else f"192.0.2.{n}"
        strict.headers[name] = value
        statuses.append((await register(strict, f"of{n}")).status_code)

    assert statuses == [201, 201, 201, 429, 429]


async def test_behind_a_trusted_proxy_the_client_counts(database_url, api):
    """A26."""
    settings: dict[str, Any] = {"limits": "sign-up=1/minute", "trusted_proxies": "127.0.0.1"}
    async with second_service(database_url, **settings) as client:
        statuses = []
        for n, forwarded in enumerate(["192.0.2.1", "192.0.2.66, 192.0.2.1", "192.0.2.2"]):
            client.headers["X-Forwarded-For"] = forwarded
            statuses.append((await register(client, f"of{n}")).status_code)

    assert statuses == [201, 429, 201]


async def test_after_the_window_there_is_more(strict, clock):
    statuses = await count_registrations(app_of(strict), ["192.0.2.1"] * 4)
    clock.forward(seconds=61)

    assert statuses == [201, 201, 201, 429]
    assert (await register(strict, "later")).status_code == 201


async def test_an_answer_tells_how_the_nearest_limit_stands(strict):
    answer = await register(strict, "alice")

    assert answer.headers["ratelimit-policy"] == '"sign-up";q=3;w=60'
    assert answer.headers["ratelimit"] == '"sign-up";r=2;t=60'


async def test_everything_counts_together_what_is_not_there_too(database_url, api):
    async with second_service(database_url, limits="requests=4/minute") as client:
        paths = ["/api/v1/me", "/nothing", "/.well-known/jwks.json", "/sign-in"]
        statuses = [(await client.get(path)).status_code for path in [*paths, *paths]]
        page = await client.get("/sign-in", headers={"Accept": "text/html"})
        assert {(await client.get(path)).status_code for path in ("/livez", "/readyz")} == {200}

    assert statuses == [401, 404, 200, 200, 429, 429, 429, 429]
    assert page.status_code == 429
    assert page.headers["content-type"].startswith("text/html")
    assert f"Try again in {page.headers['retry-after']} second" in page.text
    assert "<h1>Too many attempts</h1>" in page.text


async def test_switched_off_nothing_is_counted(database_url, api):
    async with second_service(database_url, rate_limits="off", limits="requests=1/minute") as client:
        answers = [await client.get(f"{LOOK_UP}/NOT-THERE") for _ in range(12)]

    assert {answer.status_code for answer in answers} == {404}
    assert "ratelimit" not in answers[0].headers


async def test_the_11th_look_up_by_email_that_finds_nothing(api, alice):
    """E12."""
    code = (await make_code(alice))["code"]
    unknown = {"email": "nobody@example.com"}
    statuses = [(await api.get(BY_EMAIL, params=unknown)).status_code for _ in range(11)]
    assert statuses == [404] * 10 + [429]

    refused = [await api.get(BY_EMAIL, params=one) for one in (unknown, {"email": alice.email})]

    assert refused[0].status_code == 429
    assert told(refused[0]) == told(refused[1])
    for path in (f"{LOOK_UP}/{code}", f"/r/{code}"):
        assert (await api.get(path)).status_code == 200, "the limit guards addresses, not codes"


@pytest.mark.parametrize("path", [f"{LOOK_UP}/NOT-THERE", "/r/NOT-THERE", "/R/NOT-THERE."])
async def test_the_201st_look_up_by_code_that_finds_nothing(api, alice, path):
    """E12."""
    code = (await make_code(alice))["code"]
    statuses = Counter([(await api.get(path)).status_code for _ in range(201)])
    assert statuses == {404: 200, 429: 1}

    refused = [
        await api.get(f"{LOOK_UP}/{code}"),
        await api.get(f"{LOOK_UP}/ANOTHER-NONE"),
        await api.get(f"/r/{code}"),
    ]

    assert refused[0].status_code == 429
    assert all(told(answer) == told(refused[0]) for answer in refused)
    assert (await api.get(BY_EMAIL, params={"email": alice.email})).status_code == 200


async def test_a_good_link_opens_after_50_wrong_ones(api, alice):
    """E12."""
    code = (await make_code(alice))["code"]
    for n in range(50):
        assert (await api.get(f"/r/NONE-{n}")).status_code == 404

    for path in (f"/r/{code}", f"{LOOK_UP}/{code}"):
        assert (await api.get(path)).status_code == 200


async def test_a_refused_link_keeps_its_code(database_url, api, alice):
    code = (await make_code(alice))["code"]
    async with second_service(database_url, limits="look-up-missing=1/minute") as client:
        client.headers["Accept"] = "text/html"
        await client.get("/r/NOT-THERE")
        page = await client.get(f"/r/{code}.")
        assert page.status_code == 429
        assert page.headers["retry-after"] in page.text
        assert page.headers["ratelimit-policy"] == '"look-up-missing";q=1;w=60'
        assert f'href="/sign-up?referral_code={code}"' in page.text
        joined = await register(client, "bob", referral_code=code)

    assert joined.json()["referred_by"] == "Alice L."


async def test_what_was_found_a_moment_ago_is_refused_too(api, alice):
    """E12: also from memory, and of many that come at once."""
    code = (await make_code(alice))["code"]
    assert (await api.get(f"{LOOK_UP}/{code}")).status_code == 200

    answers = await at_once(lambda n: api.get(f"{LOOK_UP}/NONE-{n}"), range(230))

    assert Counter(answer.status_code for answer in answers) == {404: 200, 429: 30}
    assert (await api.get(f"{LOOK_UP}/{code}")).status_code == 429


async def test_the_601st_look_up_that_finds(app, api, alice):
    """E12."""
    code = (await make_code(alice))["code"]
    paths = [f"{LOOK_UP}/{code}", f"{BY_EMAIL}?email={alice.email}", f"/r/{code}"]
    async with client_of(app, peer="203.0.113.1") as client:
        statuses = Counter([(await client.get(paths[n % 3])).status_code for n in range(600)])
        assert statuses == {200: 600}

        assert {(await client.get(path)).status_code for path in paths} == {429}

    assert (await api.get(paths[0])).status_code == 200, "nobody can close a code to others"


async def test_many_networks_may_look_one_code_up(app, alice):
    """E12."""
    code = (await make_code(alice))["code"]
    for n in range(200):
        async with client_of(app, peer=f"10.9.{n}.1") as client:
            assert (await client.get(f"{LOOK_UP}/{code}")).status_code == 200
            assert (await client.get(BY_EMAIL, params={"email": alice.email})).status_code == 200


async def test_a_page_says_it_to_a_person(database_url, api):
    async with second_service(database_url, limits="look-up-missing=1/minute sign-up=1/minute") as client:
        client.headers["Accept"] = "text/html"
        client.headers["Accept-Language"] = "ru"
        link = [await client.get("/r/NOT-THERE") for _ in range(2)]
        form = [await client.post("/sign-up", data={}) for _ in range(2)]

    assert [answer.status_code for answer in link] == [404, 429]
    assert form[1].status_code == 429
    for answer in (link[1], form[1]):
        assert answer.headers["content-type"].startswith("text/html")
        assert answer.headers["retry-after"]
        assert "Слишком много попыток" in answer.text
        assert "Повторите через " in answer.text
    assert "Ваше приглашение не пропадёт" in link[1].text


async def test_signing_in(database_url, api, alice):
    """C03: beside the waits after wrong passwords."""
    async with second_service(database_url, limits="sign-in=2/minute") as client:
        statuses = [(await sign_in(client, alice.email)).status_code for _ in range(2)]
        statuses += [
            (await sign_in(client, email)).status_code for email in (alice.email, "nobody@example.com")
        ]
        page = await client.post("/sign-in", data={"email": alice.email, "password": alice.password})

    assert statuses == [201, 201, 429, 429]
    assert page.status_code == 429


async def test_tokens_are_refused_in_the_form_of_oauth(database_url, api, alice):
    async with second_service(database_url, limits="token=1/minute authorize=1/minute") as client:
        form = {"grant_type": "refresh_token", "refresh_token": alice.tokens["refresh_token"]}
        answers = [await client.post("/oauth/token", data=form) for _ in range(2)]
        others = [
            await client.post(f"/oauth/{name}", data={"token": "x"}) for name in ("revoke", "introspect")
        ]
        asked = [await client.get("/oauth/authorize") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 429]
    for answer in (answers[1], *others):
        assert answer.status_code == 429
        assert answer.json()["error"] == "invalid_request"
        assert answer.headers["retry-after"]
    assert [answer.status_code for answer in asked] == [400, 429]


async def test_an_account_may_write_so_often_and_nobody_else_uses_it_up(database_url, api):
    async with second_service(database_url, limits="write=3/minute") as client:
        alice, bob = await join(client, "alice"), await join(client, "bob")
        statuses = [(await alice.patch("/api/v1/me", {"first_name": "A"})).status_code for _ in range(4)]
        form = {"grant_type": "refresh_token", "refresh_token": alice.tokens["refresh_token"]}

        assert statuses == [200, 200, 200, 429]
        assert (await alice.get("/api/v1/me")).status_code == 200
        assert (await bob.patch("/api/v1/me", {"first_name": "B"})).status_code == 200
        assert (await client.post("/oauth/token", data=form)).status_code == 200


async def test_an_administrator_may_write_so_often(database_url, api, rita, alice):
    path = f"/api/v1/admin/users/{alice.id}"
    async with second_service(database_url, limits="write=2/minute") as client:
        rita.api = client
        statuses = [(await rita.post(f"{path}/disable", None)).status_code for _ in range(3)]

        assert statuses == [200, 200, 429]
        assert (await rita.get(path)).status_code == 200


async def test_a_clock_that_is_set_back_shuts_nobody_out(api, clock):
    clock.forward(days=365)
    params = {"email": "nobody@example.com"}
    ahead = [(await api.get(BY_EMAIL, params=params)).status_code for _ in range(11)]
    clock.forward(days=-365)

    assert ahead == [404] * 10 + [429]
    assert (await api.get(BY_EMAIL, params=params)).status_code == 404
    assert (await api.get("/livez")).status_code == 200
