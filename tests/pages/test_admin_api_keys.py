"""The API keys on /admin/apps: created, shown once, used, revoked."""

import re

import pytest

from goodword.api_keys import service
from goodword.oauth.scopes import SERVER_SCOPES
from pages.pressing import press

pytestmark = pytest.mark.one_database

PATH, CREATE, REVOKE = "/admin/apps", "/admin/api-keys/create", "/admin/api-keys/revoke"
KEY = re.compile(r"gwk_[\w-]{48}")


@pytest.fixture
async def office(browser, rita):
    await browser.sign_in(rita)
    return browser


async def create(office, **fields):
    return await press(office, PATH, CREATE, **{"name": "acme", "participants:read": "on"} | fields)


def section(page):
    """The part of the page about API keys."""
    return page.text.partition("API keys</h2>")[2].partition("<h2>")[0]


async def test_a_key_is_shown_once_and_works_until_it_is_revoked(office, app):
    made = await create(office, days="30", **{"events:write": "on"})
    [key] = set(KEY.findall(made.text))
    services = app.state.services
    mac = service.mac_of(services.keys.api_keys, key)
    found = await service.find(services.database, mac, now=services.clock())
    page = await office.get(PATH)

    assert made.status_code == 200
    assert made.headers["cache-control"] == "no-store"
    assert found.scope == "participants:read events:write"
    assert (found.expires_at - found.created_at).days == 30
    assert "acme" in section(page)
    assert "not yet" in section(page)
    assert not KEY.search(page.text)

    revoked = await press(office, PATH, REVOKE)
    assert revoked.headers["location"] == f"{PATH}?done=revoked"
    assert "There are no API keys." in section(await office.get(PATH))
    assert await service.find(services.database, mac, now=services.clock()) is None


async def test_what_cannot_be_created_is_explained_and_stays_entered(office, rows):
    await create(office)
    refused = [
        ("Another API key has this name", await create(office)),
        ("1 to 64 visible characters", await create(office, name="")),
        ("1 to 64 visible characters", await create(office, name="n" * 65)),
        ("at least one scope", await create(office, name="other", **{"participants:read": ""})),
        *[
            ("1 to 3660 days", await create(office, name="other", days=days))
            for days in ("0", "3661", "-1", "x", "١", "9" * 30)
        ],
    ]

    for text, answer in refused:
        assert answer.status_code == 422
        assert text in answer.text
        assert not KEY.search(answer.text)
    assert 'value="other"' in refused[-1][1].text
    assert re.search(r'name="participants:read" value="on" checked', refused[-1][1].text)
    assert await rows("SELECT name FROM api_keys") == [("acme",)]


async def test_unknown_scopes_and_keys_change_nothing(office, rows):
    answers = [await press(office, PATH, REVOKE, of=of) for of in ("", "\x00", "nonsense", "0" * 32)]
    made = await create(office, admin="on", codes="on")

    assert {answer.headers["location"] for answer in answers} == {f"{PATH}?done=no_key"}
    assert made.status_code == 200
    assert await rows("SELECT scope FROM api_keys") == [("participants:read",)]


async def test_a_key_of_one_program(office, app):
    async with app.state.services.database.transaction() as session:
        from authorization_world import make_program

        program = await make_program(session, app.state.services.clock())
    made = await create(office, program=str(program.id))
    key = KEY.search(made.text)[0]
    services = app.state.services
    mac = service.mac_of(services.keys.api_keys, key)

    assert (await service.find(services.database, mac, now=services.clock())).program_id == program.id
    assert program.name in section(await office.get(PATH))


async def test_every_scope_is_described_in_both_languages(office):
    english = section(await office.get(PATH))
    await press(office, PATH, "/language", language="ru")
    russian = (await office.get(PATH)).text

    for scope in SERVER_SCOPES:
        assert f"<code>{scope}</code>" in english
        assert f"<code>{scope}</code>" in russian
    assert "Сообщать о событиях" in russian
    assert "Report events" not in russian


async def test_the_audit_log_says_who_created_and_revoked_a_key(office, rita, rows):
    await create(office)
    await press(office, PATH, REVOKE)
    events = await rows(
        "SELECT action, actor, details FROM audit_events WHERE subject = 'api_key' ORDER BY id"
    )
    page = (await office.get("/admin/audit")).text

    assert [event[:2] for event in events] == [("api_key.created", "user"), ("api_key.revoked", "user")]
    assert events[0][2] == '{"scope":"participants:read"}'
    assert "API key created" in page
    assert "API key revoked" in page
