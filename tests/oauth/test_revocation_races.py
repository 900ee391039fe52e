"""Access that is taken away while a request that gives it is under way: the request must not give it back."""

import asyncio
from uuid import UUID

import pytest

from goodword.admin import service as administration
from goodword.oauth import registration
from goodword.sessions import service as sessions
from goodword.users import service as users
from third_party import answer_of, register_app

APPS = "/api/v1/me/apps"
LIVE = "SELECT count(*) FROM sessions WHERE client = :client AND revoked_at IS NULL"


async def in_turn(app, person, *requests):
    """Return the answers of requests that wait for the account of `person` in this order."""
    async with app.state.services.database.transaction() as session:
        await users.lock(session, UUID(person.id))
        waiting = []
        for request in requests:
            waiting.append(asyncio.create_task(request))
            await asyncio.sleep(0.2)
    return await asyncio.gather(*waiting)


async def disable(app, found):
    async with app.state.services.database.transaction() as session:
        assert await registration.disable(session, found.client_id, now=app.state.services.clock())


@pytest.mark.parametrize("prompt", ["none", None])
async def test_a_remembered_consent_is_read_again_after_its_revocation(
    app, garden, alices, alice, rows, prompt
):
    await garden.let_in(alices, "openid")

    revoked, answer = await in_turn(
        app,
        alice,
        alice.delete(f"{APPS}/{garden.client_id}"),
        alices.get(garden.url(scope="openid", prompt=prompt)),
    )

    assert revoked.status_code == 204
    assert (await alice.get(APPS)).json()["items"] == []
    assert await rows("SELECT count(*) FROM oauth_codes") == [(0,)]
    if prompt is None and answer.status_code == 200:
        assert "Garden letters" in answer.text
    else:
        found = answer_of(answer)
        # A request that was faster than the revocation has a code, which the revocation deleted.
        assert found.get("error") == "consent_required" or (await garden.exchange(found["code"])).is_error


@pytest.mark.parametrize("first", ["revocation", "token request"])
@pytest.mark.parametrize("grant", ["code", "refresh token"])
async def test_a_token_request_gives_no_access_past_the_revocation(
    app, garden, alices, alice, rows, grant, first
):
    tokens = await garden.let_in(alices, "openid offline_access")
    code = await garden.code(alices, scope="openid offline_access")
    ask = garden.exchange(code) if grant == "code" else garden.refresh(tokens["refresh_token"])
    requests = [alice.delete(f"{APPS}/{garden.client_id}"), ask]

    answers = await in_turn(app, alice, *(requests if first == "revocation" else reversed(requests)))

    assert {answer.status_code for answer in answers} <= {200, 204, 400}
    assert await rows(LIVE, client=garden.client_id) == [(0,)]
    assert (await alice.get(APPS)).json()["items"] == []


@pytest.mark.parametrize("first", ["disabling", "token request"])
async def test_a_code_is_worth_nothing_once_the_app_is_disabled(app, garden, alices, alice, rows, first):
    ask, end = garden.exchange(await garden.code(alices)), disable(app, garden)

    await in_turn(app, alice, *((end, ask) if first == "disabling" else (ask, end)))

    assert await rows(LIVE, client=garden.client_id) == [(0,)]


async def test_a_consent_page_is_worth_nothing_once_its_browser_session_has_ended(
    app, garden, alices, alice, rows
):
    """A sent page waits for the account, while a change or reset of the password ends the session."""
    page = await alices.get(garden.url(scope="openid"))

    async with app.state.services.database.transaction() as session:
        await users.lock(session, UUID(alice.id))
        sending = asyncio.create_task(alices.send(page, decision="allow"))
        await asyncio.sleep(0.2)
        await sessions.revoke_all(
            session, UUID(alice.id), why="password_reset", now=app.state.services.clock()
        )
    answer = await sending

    assert answer.status_code in (303, 401, 403)
    assert await rows("SELECT count(*) FROM oauth_grants") == [(0,)]
    assert await rows("SELECT count(*) FROM oauth_codes") == [(0,)]


@pytest.fixture
async def office(app, api):
    return await register_app(
        app, api, "https://office.example/cb", scope=["admin", "openid"], grant_types=["authorization_code"]
    )


async def test_a_consent_covers_only_the_scopes_that_its_page_showed(app, office, alices, alice):
    """Alice becomes an administrator between the page, which left `admin` out, and her answer."""
    page = await alices.get(office.url(scope="openid admin"))
    async with app.state.services.database.transaction() as session:
        await administration.promote(
            session, app.state.services, UUID(alice.id), now=app.state.services.clock()
        )

    code = answer_of(await alices.send(page, decision="allow"))["code"]

    assert (await office.exchange(code)).json()["scope"] == "openid"


async def test_the_scopes_that_a_page_showed_cannot_be_changed(office, alices):
    page = await alices.get(office.url(scope="openid admin"))

    assert (await alices.send(page, decision="allow", scope="openid admin")).status_code == 403


async def test_a_former_administrator_has_nothing_left_to_consent_to(app, office, browser, rita, rows):
    await browser.sign_in(rita)
    page = await browser.get(office.url(scope="admin"))
    async with app.state.services.database.transaction() as session:
        await administration.demote(session, UUID(rita.id))

    assert answer_of(await browser.send(page, decision="allow"))["error"] == "access_denied"
    assert await rows("SELECT count(*) FROM oauth_codes") == [(0,)]
