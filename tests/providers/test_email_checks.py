"""GET /email-checks: the verdict on an address. A failure of the provider is a verdict, not an error."""

import asyncio

import pytest

from people import join
from providers.fake_providers import KEY, status

pytestmark = pytest.mark.one_database

CHECKS = "/api/v1/email-checks"


async def check(person, email):
    answer = await person.get(CHECKS, params={"email": email})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
async def ann(node):
    """Return Ann, signed in to a service that uses Hunter."""
    _, api = await node()
    return await join(api, "ann")


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ("valid", "deliverable"),
        ("invalid", "undeliverable"),
        ("accept_all", "risky"),
        ("webmail", "risky"),
        ("disposable", "risky"),
        ("unknown", "unknown"),
        ("something new", "unknown"),
        ("restricted", "unknown"),
    ],
)
async def test_the_status_of_hunter_determines_the_verdict(ann, services, said, verdict):
    services.verdict = said

    found = await check(ann, "Zoe@Example.com")

    assert found == {
        "email": "Zoe@Example.com",
        "verdict": verdict,
        "provider": "hunter",
        "checked_at": found["checked_at"],
    }
    assert found["checked_at"].endswith("Z")


async def test_an_address_is_checked_once_in_any_spelling(ann, services, clock):
    first = await check(ann, "zoe@example.com")
    services.verdict = "invalid"
    clock.forward(hours=100)
    await ann.sign_in()

    assert (await check(ann, "ZOE@EXAMPLE.COM"))["checked_at"] == first["checked_at"]
    assert [email for _, _, email in services.asked] == ["zoe@example.com"]


async def test_an_old_check_is_repeated(ann, services, clock):
    await check(ann, "zoe@example.com")
    services.verdict = "invalid"
    clock.forward(days=91)
    await ann.sign_in()

    assert (await check(ann, "zoe@example.com"))["verdict"] == "undeliverable"


async def test_the_key_goes_in_a_header_and_the_address_is_escaped(ann, services):
    await check(ann, "o'zoe+a&api_key=x@example.com")

    assert services.asked[0][2] == "o'zoe+a&api_key=x@example.com"
    assert all(KEY not in url for url in services.urls)


async def test_a_restricted_address_stays_restricted(ann, services, clock, rows):
    services.answers["/v2/email-verifier"] = status(451)
    assert (await check(ann, "zoe@example.com"))["verdict"] == "unknown"

    services.answers.clear()
    clock.forward(days=1000)
    await ann.sign_in()
    assert (await check(ann, "zoe@example.com"))["verdict"] == "unknown"
    assert services.count() == 1
    assert await rows("SELECT status FROM email_checks") == [("restricted",)]


@pytest.mark.parametrize("email", ["x@mailinator.com", "x@A.B.Mailinator.com"])
async def test_disposable_domains_need_no_provider(alice, ann, services, email):
    for person in (alice, ann):
        found = await check(person, email)
        assert (found["verdict"], found["provider"]) == ("risky", "disposable-email-domains")
    assert services.asked == []


async def test_no_request_is_made_without_a_key_or_with_the_check_off(alice, node, services):
    nothing = {"verdict": "unknown", "provider": None, "checked_at": None}
    assert await check(alice, "zoe@example.com") == nothing | {"email": "zoe@example.com"}

    _, api = await node(email_check="off")
    bea = await join(api, "bea")
    assert await check(bea, "zoe@example.com") == nothing | {"email": "zoe@example.com"}
    assert services.asked == []


async def test_a_user_may_check_twenty_addresses_a_day(ann, clock, services):
    for n in range(20):
        await check(ann, f"zoe{n % 3}@example.com")
    refused = await ann.get(CHECKS, params={"email": "zoe@example.com"})

    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_checks")
    seconds = int(refused.headers["retry-after"])
    assert 0 < seconds <= 86400
    assert services.count() == 3
    await check(await join(ann.api, "bea"), "zoe@example.com")
    clock.forward(seconds=seconds)
    await ann.sign_in()
    await check(ann, "zoe@example.com")


async def test_an_invalid_address_does_not_count(ann, rows):
    before = await rows("SELECT sum(used) FROM quotas")
    for email in ("zoe", "", "zoe@localhost@x"):
        answer = await ann.get(CHECKS, params={"email": email})
        assert answer.status_code == 422
        assert email not in answer.text or not email
    assert await rows("SELECT sum(used) FROM quotas") == before


async def test_the_table_holds_no_address(ann, rows, app):
    await check(ann, "zoe@example.com")

    found = await rows("SELECT * FROM email_checks")
    assert len(found) == 1
    assert "zoe" not in str(found)


async def test_requests_over_the_rate_limit_wait(ann, services, clock):
    services.verdict = "disposable"

    async def pass_time():
        while True:
            await asyncio.sleep(0.05)
            clock.forward(milliseconds=50)

    passing = asyncio.create_task(pass_time())
    found = [(await check(ann, f"friend{n}@example.com"))["verdict"] for n in range(8)]
    passing.cancel()

    assert found == ["risky"] * 8
