"""A link leads to the target of its program, with the code and the touch, and nowhere else."""

from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import pytest

from sweeps import Sweep
from touches.conftest import FIREFOX, make_code_in, make_program

pytestmark = pytest.mark.one_database

# Target, the same with the code, and the same without it.
TARGETS = (
    (
        "https://acme.example/join?ref={code}",
        "https://acme.example/join?ref=ALICE-2026",
        "https://acme.example/join",
    ),
    ("https://acme.example/{code}", "https://acme.example/ALICE-2026", "https://acme.example/"),
    ("https://acme.example/i/{code}/hi", "https://acme.example/i/ALICE-2026/hi", "https://acme.example/i/hi"),
    ("https://acme.example/i/x-{code}", "https://acme.example/i/x-ALICE-2026", "https://acme.example/i"),
    ("https://acme.example?ref={code}", "https://acme.example?ref=ALICE-2026", "https://acme.example/"),
    (
        "https://acme.example/?b=&ref={code}&a=1&b=%20+x&c#top",
        "https://acme.example/?b=&ref=ALICE-2026&a=1&b=%20+x&c#top",
        "https://acme.example/?b=&a=1&b=%20+x&c#top",
    ),
    (
        "http://xn--e1afmkfd.example:8443/j?ref={code}#/a?b=c",
        "http://xn--e1afmkfd.example:8443/j?ref=ALICE-2026#/a?b=c",
        "http://xn--e1afmkfd.example:8443/j#/a?b=c",
    ),
    ("https://[2001:db8::1]/{code}?x&", "https://[2001:db8::1]/ALICE-2026?x&", "https://[2001:db8::1]/?x&"),
    (
        "https://acme.example/j?next=https%3A%2F%2Fa.example%2F{code}&x=1",
        "https://acme.example/j?next=https%3A%2F%2Fa.example%2FALICE-2026&x=1",
        "https://acme.example/j?x=1",
    ),
)
HOSTILE = (
    "//evil.example",
    "https://evil.example/",
    "https://evil.example/r/ALICE-2026/../../evil",
    "/r/ALICE-2026%0d%0aLocation:%20https://evil.example",
    "/r/ALICE-2026%0d%0aSet-Cookie:%20a=b",
    "/r/ALICE-2026?link_target=https://evil.example&next=//evil.example&url=https://evil.example",
    "/r/ALICE-2026@evil.example",
    "/r/ALICE-2026/%2e%2e/%2e%2e//evil.example",
    "/r/%7Bcode%7D",
    "/r/ALICE-2026%7Bcode%7D%7Btouch%7D",
    "/r/javascript:alert(1)",
    "/r/%00ALICE-2026",
    "/r/ALICE-2026%E2%80%AE",
    "/r/" + "A" * 3000,
)


def parts_of(location):
    """Return an address without its parameter `touch`, and that."""
    url = urlsplit(location)
    pairs = [pair for pair in url.query.split("&") if pair.startswith("touch=")]
    assert len(pairs) == 1
    query = url.query.removesuffix(pairs[0]).removesuffix("&")
    return url._replace(query=query).geturl(), UUID(pairs[0].removeprefix("touch="))


async def test_the_code_and_the_touch_are_added_to_the_target(browser, code, change_program, touches):
    with Sweep() as sweep:
        for target, filled, _ in TARGETS:
            with sweep.case(target):
                await change_program(link_target=target)
                answer = await browser.get(f"/r/{code}")
                address, touch_id = parts_of(answer.headers["location"])
                assert answer.status_code == 302
                assert address == filled.removesuffix("&")
                assert (await touches("id"))[-1][0] in (touch_id, touch_id.hex)
                robot = await browser.get(f"/r/{code}", headers={"User-Agent": "curl/8"})
                assert robot.headers["location"] == filled


async def test_an_unusable_code_leads_to_the_target_without_it(browser, code, change_program, touches):
    with Sweep() as sweep:
        for target, _, without in TARGETS:
            with sweep.case(target):
                await change_program(link_target=target, unusable_link="target")
                answer = await browser.get("/r/NOSUCHCODE")
                assert (answer.status_code, answer.headers["location"]) == (302, without)
    assert await touches() == []


async def test_an_unusable_code_shows_our_page_by_default(browser, code, change_program):
    await change_program(link_target="https://acme.example/{code}")

    answer = await browser.get("/r/NOSUCHCODE")

    assert (answer.status_code, "This invitation is no longer valid" in answer.text) == (404, True)


async def test_without_a_target_links_show_the_page(browser, code, change_program):
    await change_program(link_target="https://acme.example/{code}")
    assert (await browser.get(f"/r/{code}")).status_code == 302
    await change_program(link_target=None)

    assert (await browser.get(f"/r/{code}")).status_code == 200


async def test_a_paused_program_makes_its_links_unusable(browser, code, change_program, touches):
    await change_program(link_target="https://acme.example/{code}", unusable_link="target")
    assert (await browser.get(f"/r/{code}")).headers["location"].startswith("https://acme.example/ALICE-2026")
    await change_program(status="paused")

    assert (await browser.get(f"/r/{code}")).headers["location"] == "https://acme.example/"
    assert len(await touches()) == 1


async def test_redirects_are_not_cached_and_keep_the_referrer(browser, code, change_program):
    await change_program(link_target="https://acme.example/{code}")

    answer = await browser.get(f"/r/{code}")

    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "strict-origin-when-cross-origin"
    assert (answer.content, "set-cookie" in answer.headers) == (b"", False)


@pytest.mark.parametrize("unusable", ["target", "page"])
async def test_a_request_cannot_choose_the_host(browser, code, change_program, unusable):
    await change_program(link_target="https://acme.example/join?ref={code}", unusable_link=unusable)
    with Sweep() as sweep:
        for path in HOSTILE:
            with sweep.case(path):
                answer = await browser.get(
                    "/r/" + path.removeprefix("/r/"),
                    headers={"Host": "127.0.0.1:8000", "User-Agent": FIREFOX},
                )
                assert answer.status_code in ({302} if unusable == "target" else {302, 404})
                assert answer.headers.get_list("set-cookie") == []
                if answer.status_code == 302:
                    url = urlsplit(answer.headers["location"])
                    assert (url.scheme, url.netloc, url.path) == ("https", "acme.example", "/join")
                    assert {name for name, _ in parse_qsl(url.query)} <= {"ref", "touch"}
                    assert dict(parse_qsl(url.query)).get("ref", code) == code


@pytest.mark.both_databases
async def test_a_code_belongs_to_its_program(app, browser, code, alice, change_program, touches):
    await change_program(link_target="https://acme.example/{code}", unusable_link="target")
    target = {"link_target": "https://other.example/{code}", "unusable_link": "target"}
    other = await make_program(app, slug="other", **target)
    await make_code_in(app, alice, other, code="OTHER-CODE")

    answer = await browser.get("/r/OTHER-CODE")
    assert answer.headers["location"].startswith("https://other.example/OTHER-CODE?touch=")
    assert [str(UUID(str(program))) for (program,) in await touches("program_id")] == [str(other.id)]

    await alice.delete("/api/v1/me/referral-codes/OTHER-CODE")
    assert (await browser.get("/r/OTHER-CODE")).headers["location"] == "https://other.example/"
    assert (await browser.get("/r/NOSUCHCODE")).headers["location"] == "https://acme.example/"
