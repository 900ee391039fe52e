"""Many at once: one identity is one account, and a code is used as often as people join."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from asgi import client_of
from people import make_code, referrals_of
from social.browser import leave

TWINS = 20


async def all_come_back(service, provider, slug="oidc", **query):
    """Twenty browsers, each sent back by the provider at the same moment."""
    async with AsyncExitStack() as stack:
        browsers = [await stack.enter_async_context(client_of(service)) for _ in range(TWINS)]
        backs = [await leave(browser, provider, slug, **query) for browser in browsers]
        return await asyncio.gather(*(one.get(back) for one, back in zip(browsers, backs, strict=True)))


@pytest.mark.parametrize("slug", ["oidc", "github"])
async def test_twenty_callbacks_of_one_identity_make_one_account(service, provider, rows, slug):
    answers = await all_come_back(service, provider, slug)

    assert [answer.status_code for answer in answers] == [303] * TWINS
    assert await rows("SELECT count(*) FROM users") == [(1,)]
    assert await rows("SELECT count(*) FROM identities") == [(1,)]
    assert await rows("SELECT count(*) FROM sessions") == [(TWINS,)]


@pytest.mark.parametrize("max_uses", [1, 5])
async def test_with_a_code_they_use_it_once(service, provider, rows, bob, max_uses):
    code = await make_code(bob, max_uses=max_uses)
    answers = await all_come_back(service, provider, referral_code=code["code"])

    assert [answer.status_code for answer in answers] == [303] * TWINS
    assert len(await referrals_of(bob)) == 1
    assert await rows("SELECT uses FROM referral_codes") == [(1,)]


async def test_an_unverified_account_is_taken_over_once(service, provider, rows, alice):
    answers = await all_come_back(service, provider)

    assert [answer.status_code for answer in answers] == [303] * TWINS
    assert await rows("SELECT count(*) FROM identities") == [(1,)]
    # A takeover that came second would have ended the sessions of the first.
    assert await rows("SELECT count(*) FROM sessions WHERE revoked_at IS NULL") == [(TWINS,)]
