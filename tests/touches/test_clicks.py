"""GET /r/{code} records a click of a person, and of no robot."""

import pytest

from asgi import client_of
from people import make_code
from second_service import second_service
from sweeps import Sweep
from touches.conftest import FIREFOX
from touches.user_agents import PEOPLE, ROBOTS

pytestmark = pytest.mark.one_database

HOSTS = {
    "https://news.example/a/page?q=1": "news.example",
    "http://News.Example:8080/": "news.example",
    "https://news.example./": "news.example",
    "https://XN--E1AFMKFD.example/%D1%81": "xn--e1afmkfd.example",
    "https://user:secret@news.example/": "news.example",
    "https://[2001:DB8::1]:443/x": "2001:db8::1",
    "http://192.0.2.7/": "192.0.2.7",
    "http://127.0.0.1:8000/r/OTHER": None,  # PUBLIC_URL
    "android-app://com.example.reader/": None,
    "about:blank": None,
    "news.example": None,
    "https://": None,
    "https://[::1": None,
    "https://<script>.example/": None,
    f"https://{'a' * 60}.{'b' * 250}.example/": None,
    "": None,
}


async def test_robots_get_the_page_and_do_not_count(browser, code, touches):
    shown = (await browser.get(f"/r/{code}")).text
    assert len(await touches()) == 1

    with Sweep() as sweep:
        for user_agent in ROBOTS:
            with sweep.case(user_agent):
                answer = await browser.get(f"/r/{code}", headers={"User-Agent": user_agent})
                assert (answer.status_code, answer.text) == (200, shown)
                assert len(await touches()) == 1


async def test_robots_are_redirected_without_a_touch(browser, code, change_program, touches):
    await change_program(link_target="https://acme.example/join?ref={code}")

    answer = await browser.get(f"/r/{code}", headers={"User-Agent": "Twitterbot/1.0"})

    assert (answer.status_code, answer.headers["location"]) == (
        302,
        "https://acme.example/join?ref=ALICE-2026",
    )
    assert await touches() == []


async def test_the_browsers_of_people_count(browser, code, touches):
    with Sweep() as sweep:
        for number, user_agent in enumerate(PEOPLE, 1):
            with sweep.case(user_agent):
                assert (
                    await browser.get(f"/r/{code}", headers={"User-Agent": user_agent})
                ).status_code == 200
                assert len(await touches()) == number
    assert len(set(await touches("device_mac"))) == len(PEOPLE)


@pytest.mark.both_databases
async def test_a_click_is_recorded(browser, code, touches, rows):
    await browser.get(f"/r/{code}", headers={"Referer": "https://news.example/page"})

    columns = "kind, host, length(network_mac), length(device_mac), code_id, program_id"
    [(kind, host, network, device, code_id, program_id)] = await touches(columns)
    assert (kind, host, network, device) == ("click", "news.example", 32, 32)
    assert await rows("SELECT id, program_id FROM referral_codes") == [(code_id, program_id)]


async def test_a_click_on_a_cached_page_counts(browser, code, touches):
    for _ in range(3):
        await browser.get(f"/r/{code}")

    assert len(await touches()) == 3


async def test_a_head_request_does_not_count(browser, code, touches):
    for _ in range(2):
        assert (await browser.client.head(f"/r/{code}")).status_code == 200

    assert await touches() == []


@pytest.mark.parametrize(
    "header",
    [
        {"Sec-Purpose": "prefetch"},
        {"Sec-Purpose": "prefetch;prerender"},
        {"Purpose": "prefetch"},
        {"X-Moz": "prefetch"},
        {"X-Purpose": "preview"},
    ],
)
async def test_a_request_before_a_click_does_not_count(browser, code, touches, header):
    assert (await browser.get(f"/r/{code}", headers=header)).status_code == 200

    assert await touches() == []


@pytest.mark.parametrize(
    "path",
    [
        "/r/alice-2026",
        "/r/Alice2026",
        "/r/ALICE-2026.",
        "/r/ALICE-2026)",
        "/r/ALICE-2026%3E.",
        "/r/ALICE%2D2026",
        "/r/ALICE-2026/",
        "/R/ALICE2O26",
        "/r/ALICE-2026?fbclid=IwAR0&utm_source=x&utm_source=y",
        "/r/ALICE-2026?touch=0&code=OTHER",
        "/r/http://127.0.0.1:8000/r/ALICE-2026",
        "/r/ALICE-2026%23frag",
    ],
)
async def test_what_surrounds_a_code_does_no_harm(browser, code, change_program, touches, path):
    await change_program(link_target="https://acme.example/{code}")

    answer = await browser.get(path)

    assert answer.status_code == 302
    assert answer.headers["location"].startswith("https://acme.example/ALICE-2026?touch=")
    assert len(await touches()) == 1


async def test_the_owner_of_a_code_does_not_count(browser, code, alice, bob, touches, change_program):
    await browser.sign_in(alice)
    await browser.get(f"/r/{code}")
    await change_program(link_target="https://acme.example/{code}")
    own = await browser.get(f"/r/{code}")
    assert own.headers["location"] == "https://acme.example/ALICE-2026"
    assert await touches() == []

    await browser.sign_in(bob)
    await browser.get(f"/r/{code}")
    assert len(await touches()) == 1


async def test_an_unusable_code_does_not_count(browser, alice, touches):
    await make_code(alice, code="PREPARED", active=False)

    for code in ("PREPARED", "NOSUCHCODE", "x"):
        assert (await browser.get(f"/r/{code}")).status_code == 404

    assert await touches() == []


async def test_the_host_of_the_page_before(browser, code, touches):
    with Sweep() as sweep:
        for number, (referer, host) in enumerate(HOSTS.items()):
            with sweep.case(referer):
                await browser.get(f"/r/{code}", headers=[(b"referer", referer.encode())])
                assert (await touches("host"))[number:] == [(host,)]


async def test_networks_are_told_apart(app, code, touches):
    for peer in ("192.0.2.1", "192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2", "2001:db8:1::1"):
        async with client_of(app, peer=peer) as api:
            await api.get(f"/r/{code}", headers={"User-Agent": FIREFOX})

    networks = [network for (network,) in await touches("network_mac")]
    assert networks[0] == networks[1] != networks[2]
    assert networks[3] == networks[4] != networks[5]


async def test_nodes_count_together(browser, code, database_url, touches):
    async with second_service(database_url) as there:
        await there.get(f"/r/{code}", headers={"User-Agent": FIREFOX})
    await browser.get(f"/r/{code}")

    assert len(await touches()) == 2
