"""The check before the sign-up: only what surely does not exist is refused (B28)."""

import asyncio
import time

import pytest

from people import PASSWORD, join, register
from providers.conftest import work
from providers.fake_providers import status

pytestmark = pytest.mark.one_database

VERIFIER = "/v2/email-verifier"
USERS = "SELECT count(*) FROM users"


def assert_refused(answer):
    assert answer.status_code == 422
    assert answer.json()["code"] == "email_undeliverable"
    assert [error["field"] for error in answer.json()["errors"]] == ["body.email"]
    assert "@" not in answer.text


async def test_an_invalid_address_is_refused_and_no_account_is_made(node, services, rows):
    _, api = await node(email_check="blocking")
    services.verdict = "invalid"

    assert_refused(await register(api, "alice"))
    assert_refused(await register(api, "alice"))
    assert await rows(USERS) == [(0,)]
    assert await rows("SELECT count(*) FROM jobs") == [(0,)]
    assert services.count() == 1


@pytest.mark.parametrize("said", ["valid", "accept_all", "webmail", "disposable", "unknown", "whatever"])
async def test_no_other_verdict_rejects_a_sign_up(node, services, clock, rows, said):
    app, api = await node(email_check="blocking")
    services.verdict = said

    assert (await register(api, "alice")).status_code == 201
    await work(app, clock)
    assert services.count() == 1, "what was said before the sign-up is not asked again after it"


async def test_disposable_addresses_are_rejected_if_configured(node, services):
    _, asking = await node(email_check="blocking", email_disposable="refuse")
    services.verdict = "disposable"
    assert_refused(await register(asking, "alice"))

    _, by_list = await node(hunter_api_key=None, email_disposable="refuse")
    assert_refused(await register(by_list, "alice", email="alice@mailinator.com"))
    assert (await register(by_list, "alice")).status_code == 201

    _, allowing = await node(email_check="blocking")
    assert (await register(allowing, "bob", email="bob@mailinator.com")).status_code == 201


async def test_a_change_of_address_is_checked_like_a_registration(node, services, rows):
    _, api = await node(email_check="blocking", email_disposable="refuse")
    alice = await join(api, "alice")

    for verdict, email in [("invalid", "no@example.org"), ("valid", "a@mailinator.com")]:
        services.verdict = verdict
        wanted = {"email": email, "password": PASSWORD}
        assert_refused(await alice.post("/api/v1/me/email-changes", wanted))
    assert await rows("SELECT count(*) FROM jobs WHERE kind = 'change_email'") == [(0,)]
    services.verdict = "valid"
    wanted = {"email": "yes@example.org", "password": PASSWORD}
    assert (await alice.post("/api/v1/me/email-changes", wanted)).status_code == 202


async def test_a_wrong_password_costs_no_check(node, services):
    _, api = await node(email_check="blocking")
    alice = await join(api, "alice")
    before = services.count()

    wanted = {"email": "alice@example.org", "password": "wrong"}
    assert (await alice.post("/api/v1/me/email-changes", wanted)).status_code == 403

    assert services.count() == before


async def test_a_provider_that_hangs_delays_a_sign_up_by_1_5_seconds(node, services, clock, rows):
    app, api = await node(email_check="blocking")
    services.delay = 30
    began = time.monotonic()

    assert (await register(api, "alice")).status_code == 201
    assert 1.4 < time.monotonic() - began < 2.5

    services.delay = 0
    await work(app, clock)
    assert await rows("SELECT status FROM email_checks") == [("valid",)], (
        "then it is asked as if it were async"
    )


async def test_a_taken_address_and_an_unusable_code_need_no_request(node, services):
    _, api = await node(email_check="blocking")
    await register(api, "alice")
    assert (await register(api, "alice")).status_code == 409
    assert (await register(api, "bob", referral_code="NOSUCHCODE")).status_code == 422
    assert (await register(api, "bob", password="short")).status_code == 422
    assert services.count() == 1


@pytest.mark.both_databases
@pytest.mark.parametrize("said", ["valid", "invalid"])
async def test_two_sign_ups_at_once_make_one_call(node, services, said):
    """On one node and on two, the second waits for what the first is told."""
    (_, one), (_, other) = await node(email_check="blocking"), await node(email_check="blocking")
    services.verdict, services.delay = said, 0.3

    answers = await asyncio.gather(*(register(api, "alice") for api in (one, one, other, other)))

    assert services.count() == 1
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == ([201, 409, 409, 409] if said == "valid" else [422] * 4)


@pytest.mark.both_databases
async def test_many_at_once_for_one_hanging_address_make_one_call(node, services):
    _, api = await node(email_check="blocking")
    services.delay = 30
    began = time.monotonic()

    answers = await asyncio.gather(*(register(api, "alice") for _ in range(8)))

    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    assert services.count() == 1
    assert time.monotonic() - began < 4


async def test_a_rejection_does_not_use_the_idempotency_key(node, services, clock):
    _, api = await node(email_check="blocking")
    body = {"email": "alice@example.com", "password": "seven lanterns on the hill"}
    services.answers[VERIFIER] = status(500)
    services.verdict = "invalid"
    services.answers.clear()
    headers = {"Idempotency-Key": "k1"}
    assert_refused(await api.post("/api/v1/users", json=body, headers=headers))

    services.verdict = "valid"
    clock.forward(days=91)
    assert (await api.post("/api/v1/users", json=body, headers=headers)).status_code == 201
