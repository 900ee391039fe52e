"""Wrong passwords make the next try wait, for addresses that are known and those that are not."""

import pytest

from asgi import client_of, running, settings_for
from goodword.app import create_app
from people import sign_in

WRONG = "not the password at all"


async def fail(api, email, times):
    return [(await sign_in(api, email, WRONG)).status_code for _ in range(times)]


@pytest.mark.parametrize("email", ["alice@example.com", "nobody@example.com", "no address at all"])
async def test_sixth_attempt_waits_for_known_and_unknown_addresses(api, alice, email):
    assert await fail(api, email, 5) == [401] * 5

    answer = await sign_in(api, email, WRONG)

    assert answer.status_code == 429
    assert answer.json()["code"] == "too_many_attempts"
    assert answer.headers["retry-after"] == "1"


async def test_right_password_waits_too(api, alice):
    await fail(api, alice.email, 5)

    assert (await sign_in(api, alice.email)).status_code == 429


async def test_spellings_of_an_address_count_together(api, alice):
    await fail(api, alice.email, 5)

    assert (await sign_in(api, "ALICE@Example.com")).status_code == 429


async def test_wait_doubles_up_to_fifteen_minutes(api, alice, clock):
    await fail(api, alice.email, 5)
    waits = []
    for _ in range(15):
        refused = await sign_in(api, alice.email, WRONG)
        assert refused.status_code == 429
        waits.append(int(refused.headers["retry-after"]))
        clock.forward(seconds=waits[-1])
        assert (await sign_in(api, alice.email, WRONG)).status_code == 401

    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900, 900, 900]


async def test_right_password_after_the_wait_resets_the_count(api, alice, clock):
    await fail(api, alice.email, 5)
    clock.forward(seconds=2)

    assert (await sign_in(api, alice.email)).status_code == 201
    assert await fail(api, alice.email, 5) == [401] * 5


async def test_count_restarts_after_fifteen_minutes_without_failures(api, alice, clock):
    await fail(api, alice.email, 4)
    clock.forward(minutes=16)

    assert await fail(api, alice.email, 5) == [401] * 5


async def test_other_addresses_do_not_wait(api, alice, bob):
    await fail(api, alice.email, 6)

    assert (await sign_in(api, bob.email)).status_code == 201


async def test_active_sessions_work_during_the_wait(api, alice):
    await fail(api, alice.email, 6)

    assert (await alice.get("/api/v1/me")).status_code == 200


async def test_other_networks_wait_after_twenty_failures(app, alice):
    for third in range(20):
        async with client_of(app, peer=f"198.51.{third}.7") as client:
            assert await fail(client, alice.email, 1) == [401]

    async with client_of(app, peer="203.0.113.9") as client:
        assert (await sign_in(client, alice.email)).status_code == 429


async def test_neighbours_in_one_network_count_together_and_forwarding_headers_do_not(app, alice):
    for last in range(5):
        async with client_of(app, peer=f"198.51.100.{last + 1}") as client:
            client.headers["X-Forwarded-For"] = f"192.0.2.{last}"
            assert await fail(client, alice.email, 1) == [401]

    async with client_of(app, peer="198.51.100.200") as client:
        assert (await sign_in(client, alice.email)).status_code == 429
    async with client_of(app, peer="203.0.113.9") as client:
        assert (await sign_in(client, alice.email)).status_code == 201


async def test_counts_contain_no_address(api, rows):
    await fail(api, "nobody@example.com", 1)

    assert all(b"nobody" not in bytes(mac) for (mac,) in await rows("SELECT address_mac FROM login_failures"))


async def test_rate_limits_off_disables_the_throttle(app, api, alice, database_url):
    settings = settings_for(database_url, rate_limits="off")
    async with running(create_app(settings)) as other, client_of(other) as client:
        assert await fail(client, alice.email, 8) == [401] * 8


async def test_a_trusted_proxy_tells_the_clients_apart(app, alice, database_url):
    settings = settings_for(database_url, trusted_proxies="127.0.0.0/8")
    async with running(create_app(settings)) as behind, client_of(behind) as client:
        client.headers["X-Forwarded-For"] = "192.0.2.66, 198.51.100.1"
        await fail(client, alice.email, 5)
        assert (await sign_in(client, alice.email)).status_code == 429

        client.headers["X-Forwarded-For"] = "198.51.100.1, 203.0.113.9"
        assert (await sign_in(client, alice.email)).status_code == 201
