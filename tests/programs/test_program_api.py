"""The calls of programs: create, read, change, list."""

import uuid
from contextlib import nullcontext
from typing import Any

import pytest

from goodword.api_keys import service as api_keys
from goodword.oauth.scopes import SERVER_SCOPES
from goodword.programs import service
from goodword.programs.models import DEFAULT_PROGRAM_ID
from goodword.programs.schemas import ProgramUpdate
from other_programs import make_program
from second_service import second_service

PROGRAMS, DEFAULT = "/api/v1/programs", "/api/v1/programs/default"
DAY = 24 * 60 * 60
TERMS = {
    "name": "Acme: invite a friend",
    "status": "draft",
    "starts_at": "2030-01-01T00:00:00Z",
    "ends_at": "2031-01-01T00:00:00Z",
    "time_zone": "Europe/Berlin",
    "currency": "EUR",
    "link_target": "https://acme.example/join?ref={code}",
    "unusable_link": "target",
    "code_lifetime": 60,
    "attribution": "first_touch",
    "attribution_window": 400 * DAY,
    "late_entry_grace": 0,
    "remember_touch": True,
}
DEFAULTS = {
    "status": "active",
    "starts_at": None,
    "ends_at": None,
    "time_zone": "UTC",
    "currency": "USD",
    "link_target": None,
    "unusable_link": "page",
    "code_lifetime": 365 * DAY,
    "attribution": "last_touch",
    "attribution_window": 30 * DAY,
    "late_entry_grace": DAY,
    "remember_touch": False,
}
WRONG: dict[str, list[Any]] = {
    "slug": ["", "A", "a_b", "-a", "a-", "a" * 64, "new", "é", None, 1],
    "name": ["", " ", "x" * 101, "a\nb", None],
    "status": ["running", "", None, 1],
    "starts_at": ["tomorrow", "2030-01-31", "2030-01-31T12:00:00", 5],
    "ends_at": ["2030-13-31T12:00:00Z"],
    "time_zone": ["", "Mars/Olympus", "europe/berlin", "../UTC", "localtime", None],
    "currency": ["", "eur", "EURO", "XXX", "XAU", "ABC", None],
    "link_target": [
        "",
        "https://acme.example/join",
        "https://acme.example/{code}/{code}",
        "https://acme.example/{code}?x={name}",
        "https://acme.example/{code}}",
        "https://acme.example/{Code}",
        "https://acme.example/#{code}",
        "https://{code}.example/",
        "https://user@acme.example/{code}",
        "https://acme.example/{code}\r\nSet-Cookie: a=b",
        "https://acme.example/ {code}",
        "https://acme.example\\@evil.example/{code}",
        "//acme.example/{code}",
        "/join?ref={code}",
        "javascript:alert('{code}')",
        "ftp://acme.example/{code}",
        "https://acme.example:99999/{code}",
        "https:///{code}",
        "https://acme.example/%zz{code}",
        "https://acme.example/" + "a" * 2000 + "{code}",
        "http://127.0.0.1:8000/r/{code}",
        1,
    ],
    "unusable_link": ["nowhere", None, "target"],
    "code_lifetime": [0, 59, 366 * DAY + 1, "60", 60.5, True],
    "attribution": ["best_touch", None],
    "attribution_window": [-1, 400 * DAY + 1, None, "1"],
    "late_entry_grace": [-1, 400 * DAY + 1, None],
    "remember_touch": ["yes", 1, None],
    "is_default": [True],
}


@pytest.fixture
def key(app):
    """Make API keys, and return the headers with one."""

    async def make(*scope, program=None):
        services = app.state.services
        async with services.database.transaction() as session:
            _, text = await api_keys.create(
                session,
                services.keys.api_keys,
                name=str(uuid.uuid4()),
                scope=scope or SERVER_SCOPES,
                program_id=program.id if program else None,
                lifetime=None,
                now=services.clock(),
            )
        return {"Authorization": f"Bearer {text}"}

    return make


async def test_the_default_program_is_there_from_the_beginning(api, key):
    [default] = (await api.get(PROGRAMS, headers=await key())).json()["items"]

    assert (default["slug"], default["is_default"]) == ("default", True)
    assert default["id"] == str(DEFAULT_PROGRAM_ID)
    assert {name: default[name] for name in DEFAULTS} == DEFAULTS


async def test_a_program_keeps_what_it_was_created_with(api, key):
    headers = await key("programs:write", "programs:read")

    made = await api.post(PROGRAMS, json={"slug": "acme", **TERMS}, headers=headers)

    assert (made.status_code, made.headers["location"]) == (201, f"{PROGRAMS}/acme")
    assert {name: made.json()[name] for name in TERMS} == TERMS
    assert (await api.get(f"{PROGRAMS}/acme", headers=headers)).json() == made.json()
    plain = await api.post(PROGRAMS, json={"slug": "b", "name": "B"}, headers=headers)
    assert {name: plain.json()[name] for name in DEFAULTS} == DEFAULTS


async def test_a_change_keeps_what_it_leaves_out(api, key, rows):
    headers = await key()
    before = (await api.get(DEFAULT, headers=headers)).json()

    for change in ({"status": "paused"}, TERMS, {"link_target": None, "unusable_link": "page"}, {}, DEFAULTS):
        answer = await api.patch(DEFAULT, json=change, headers=headers)
        before |= change
        assert (answer.status_code, answer.json()) == (200, before)
        assert (await api.get(DEFAULT, headers=headers)).json() == before

    details = await rows("SELECT details FROM audit_events WHERE action = 'program.changed' ORDER BY id")
    assert details[0] == ('{"fields":"status"}',)
    assert len(details) == 4, "an empty change is none"


@pytest.mark.one_database
async def test_each_wrong_field_is_named(api, key):
    headers, field = await key(), None
    for name, values in WRONG.items():
        for value in values:
            body = {"slug": "acme", "name": "Acme", name: value}
            answers = [await api.post(PROGRAMS, json=body, headers=headers)]
            answers += [await api.patch(DEFAULT, json={name: value}, headers=headers)]
            for answer in answers:
                assert answer.status_code == 422, (name, value)
                [field] = {error["field"] for error in answer.json()["errors"]}
                assert field == f"body.{name}", (name, value)
    assert len((await api.get(PROGRAMS, headers=headers)).json()["items"]) == 1
    assert (await api.patch(DEFAULT, json={"slug": "other"}, headers=headers)).status_code == 422


async def test_rules_hold_for_what_is_stored_and_what_is_sent(api, key):
    headers = await key()
    for change, code in (
        ({"starts_at": "2030-01-31T12:00:00Z"}, None),
        ({"ends_at": "2030-01-31T12:00:00Z"}, "period_invalid"),
        ({"ends_at": "2030-01-31T12:00:01Z"}, None),
        ({"starts_at": "2030-01-31T12:00:01Z"}, "period_invalid"),
        ({"unusable_link": "target"}, "link_target_missing"),
        ({"link_target": "https://acme.example/{code}", "unusable_link": "target"}, None),
        ({"link_target": None}, "link_target_missing"),
    ):
        answer = await api.patch(DEFAULT, json=change, headers=headers)
        assert answer.json().get("code") == code, change


async def test_a_slug_is_taken_once(api, key):
    headers = await key()
    body = {"slug": "acme", "name": "Acme"}

    assert (await api.post(PROGRAMS, json=body, headers=headers)).status_code == 201
    for slug in ("acme", "default"):
        answer = await api.post(PROGRAMS, json=body | {"slug": slug}, headers=headers)
        assert (answer.status_code, answer.json().get("code")) == (409, "slug_taken")


async def test_a_repeated_write_is_not_executed_again(api, key):
    headers = await key() | {"Idempotency-Key": "once"}
    body = {"slug": "acme", "name": "Acme"}

    first, again = [await api.post(PROGRAMS, json=body, headers=headers) for _ in range(2)]
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotency-replayed"] == "true"

    changes = {"ends_at": "2030-01-31T12:00:00Z"}, {"ends_at": "2030-01-31T12:00:00Z"}, {"ends_at": None}, {}
    statuses = [(await api.patch(f"{PROGRAMS}/acme", json=c, headers=headers)).status_code for c in changes]
    assert statuses == [200, 200, 422, 422]


@pytest.mark.one_database
async def test_programs_are_listed_in_pages_newest_first(api, key):
    headers = await key()
    for slug in "abc":
        await make_program(api, slug)
    seen, cursor = [], ""
    while cursor is not None:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await api.get(PROGRAMS, params=query, headers=headers)).json()
        seen += [item["slug"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert seen == ["c", "b", "a", "default"]


@pytest.mark.one_database
async def test_a_limited_key_sees_its_program_alone(api, key):
    limited = await key(program=await make_program(api))
    await make_program(api, "other")

    assert [one["slug"] for one in (await api.get(PROGRAMS, headers=limited)).json()["items"]] == ["acme"]
    assert (await api.patch(f"{PROGRAMS}/acme", json={"name": "A"}, headers=limited)).status_code == 200
    for slug in ("default", "other", "nobody"):
        answers = [
            await api.get(f"{PROGRAMS}/{slug}", headers=limited),
            await api.patch(f"{PROGRAMS}/{slug}", json={"status": "ended"}, headers=limited),
        ]
        assert [(a.status_code, a.json().get("code")) for a in answers] == [(404, "program_not_found")] * 2
    refused = await api.post(PROGRAMS, json={"slug": "mine", "name": "Mine"}, headers=limited)
    assert (refused.status_code, refused.json().get("code")) == (403, "key_limited")
    assert (await api.get(DEFAULT, headers=await key())).json()["status"] == "active"


@pytest.mark.one_database
async def test_an_administrator_needs_no_key(api, rita, alice):
    assert (await rita.post(PROGRAMS, {"slug": "acme", "name": "Acme"})).status_code == 201
    assert (await rita.get(PROGRAMS)).json()["items"][0]["slug"] == "acme"
    for answer in (await alice.get(PROGRAMS), await alice.patch(DEFAULT, {"status": "ended"})):
        assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")


@pytest.mark.one_database
async def test_a_new_program_is_known_to_the_registry_at_once(api, database_url):
    programs = api.app.state.services.programs
    assert await programs.by_slug("acme") is None
    acme = await make_program(api)
    assert (await programs.get(acme.id)).slug == "acme"
    assert (await programs.by_slug("acme")).id == acme.id
    async with second_service(database_url) as node:
        assert len(await node.app.state.services.programs.all()) == 2


@pytest.mark.one_database
async def test_a_link_target_is_https_in_production(api):
    services = api.app.state.services
    settings = services.settings.model_copy(update={"environment": "production"})
    for target, is_safe in (
        ("https://acme.example/{code}", True),
        ("http://acme.example/{code}", False),
        ("http://127.0.0.1:3000/{code}", True),
        ("http://shop.internal/{code}", True),
    ):
        body = ProgramUpdate.model_validate({"link_target": target})
        async with services.database.transaction() as session:
            with nullcontext() if is_safe else pytest.raises(service.LinkTargetInsecure):
                await service.update(session, settings, "default", body, within=None)
