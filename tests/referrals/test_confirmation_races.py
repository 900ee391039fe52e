"""A referee verifies an address while the referral is reviewed, or while its referrer merges with an account."""

import asyncio
import time
from contextlib import asynccontextmanager
from uuid import UUID

import pytest
from pydantic import SecretStr

from asgi import replaced
from goodword.privacy import erasure
from goodword.risk import review
from goodword.signup.email_verification import mark_email_verified
from goodword.users import service as users
from participants.conftest import CONFIRM, acme, token_of  # noqa: F401
from people import as_a_request, make_code, register

LAST = "SELECT status FROM referrals ORDER BY created_at DESC, id DESC LIMIT 1"


@pytest.fixture
def mailing(app):
    """Return settings with a mail server, so that referrals wait for the verification of an address."""
    return app.state.services.settings.model_copy(
        update={"smtp_url": SecretStr("smtp://mail.example"), "risk_held_sign_ups_per_hour": 1}
    )


@asynccontextmanager
async def verifying(app, user_id):
    """Verify the address of an account in a transaction that ends with the block."""
    services = app.state.services
    with as_a_request(services):
        async with services.database.transaction() as session:
            user = await session.scalar(users.LOCKED, {"user_id": UUID(user_id)})
            await mark_email_verified(session, services, user, now=services.clock())
            yield


async def until_one_waits(rows, database_kind):
    """Wait until a transaction waits for a lock. SQLite has one writer, which waits by itself."""
    deadline = time.monotonic() + 10
    while database_kind == "postgres" and not (await rows("SELECT 1 FROM pg_locks WHERE NOT granted")):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def test_a_referral_is_confirmed_although_its_referrer_merges_meanwhile(
    acme,  # noqa: F811
    app,
    api,
    post,
    rows,
    database_kind,
    mailing,
):
    code = (await acme.report("pat", email="pat@example.com"))["code"]["code"]
    with replaced(app, settings=mailing):
        account = (await register(api, "pat")).json()
        assert (await register(api, "bob", referral_code=code)).status_code == 201
    assert await rows(LAST) == [("pending",)]
    token = await token_of(post, "bob@example.com", "verify_email")
    async with verifying(app, account["id"]):
        answer = asyncio.create_task(api.post(CONFIRM, json={"token": token}))
        await until_one_waits(rows, database_kind)

    assert (await answer).status_code == 204
    assert await rows(LAST) == [("confirmed",)]


async def held_referral(app, alice, rows, settings):
    """Return the ids of a held referral and of its referee, who has not verified the address."""
    code = (await make_code(alice))["code"]
    with replaced(app, settings=settings):
        for name in ("bob", "carol"):
            answer = await register(alice.api, name, referral_code=code)
    ((referral_id,),) = await rows("SELECT id FROM referrals WHERE status = 'held'")
    return UUID(str(referral_id)), answer.json()["id"]


async def accept(app, referral_id, settings):
    services = app.state.services
    with replaced(app, settings=settings), as_a_request(services):
        async with services.database.transaction() as session:
            await review.accept(session, app.state.services, referral_id, now=services.clock())


async def test_a_referral_that_is_accepted_beside_the_verification_is_confirmed(
    app, alice, rows, database_kind, mailing
):
    referral_id, referee_id = await held_referral(app, alice, rows, mailing)
    async with verifying(app, referee_id):
        accepted = asyncio.create_task(accept(app, referral_id, mailing))
        await until_one_waits(rows, database_kind)

    await accepted

    assert await rows(LAST) == [("confirmed",)]


async def test_an_accepted_referral_waits_for_the_address_of_a_referee_who_is_not_erased(
    app, alice, rows, mailing
):
    referral_id, _ = await held_referral(app, alice, rows, mailing)

    await accept(app, referral_id, mailing)

    assert await rows(LAST) == [("pending",)]


async def test_an_accepted_referral_of_an_erased_referee_is_confirmed(app, alice, rows, mailing):
    referral_id, referee_id = await held_referral(app, alice, rows, mailing)
    services = app.state.services
    with as_a_request(services):
        async with services.database.transaction() as session:
            user = await session.scalar(users.LOCKED, {"user_id": UUID(referee_id)})
            await erasure.erase(session, services, user)

    await accept(app, referral_id, mailing)

    assert await rows(LAST) == [("confirmed",)]
