"""Parameters of the query: each once, of its type; unknown ones are refused under /api/ and ignored on pages."""

import re
from uuid import UUID

import pytest
from sqlalchemy import text, update

from asgi import forget_limits
from goodword.oauth.scopes import SERVER_SCOPES
from goodword.webhooks.models import WebhookEndpoint
from operations import make_admin, operations, wrong_fields
from server_keys import make_key
from sweeps import Sweep

QUERIES = [one for one in operations() if one.parameters and one.path.startswith("/api/")]
LISTS = [one for one in QUERIES if {"limit", "cursor"} <= one.parameters.keys()]

LIMITS = [
    "0",
    "-1",
    "101",
    "1000000000",
    "9" * 30,
    "1.0",
    "1e1",
    "0x10",
    "1_0",
    " 1",
    "１",
    "true",
    "null",
    "",
    "x",
]
CURSORS = ["x", "", "AAAA", "A" * 53, "A" * 54, "A" * 3000, "é", "=", "null", "0", "../..", "' OR 1=1 --"]


@pytest.fixture
async def person(alice, app):
    """Return an administrator whose id is also an external id and that of a webhook endpoint."""
    key = await make_key(app, SERVER_SCOPES)
    endpoint = {"url": "https://acme.example/hook", "kinds": ["code.created"]}
    made = await alice.api.post(
        "/api/v1/webhook-endpoints", json=endpoint, headers={"Authorization": f"Bearer {key}"}
    )
    async with app.state.services.database.transaction() as session:
        await session.execute(text("UPDATE users SET external_id = :id"), {"id": alice.id})
        own = WebhookEndpoint.id == UUID(made.json()["id"])
        await session.execute(update(WebhookEndpoint).where(own).values(id=UUID(alice.id)))
    return await make_admin(alice, app)


def path_of(person, operation):
    return re.sub(r"\{\w+\}", person.id, operation.path.replace("{slug}", "default"))


async def ask(person, operation, query):
    path = path_of(person, operation)
    return await person.get(path, params=query, headers=await operation.authorization(person))


@pytest.mark.one_database
async def test_a_repeated_one_is_refused(person, app):
    with Sweep() as sweep:
        for operation in QUERIES:
            forget_limits(app)
            with sweep.case(f"{operation}"):
                for name in operation.parameters:
                    answer = await ask(person, operation, [(name, "1"), (name, "1")])
                    assert wrong_fields(answer) == [f"query.{name}"]
                    assert answer.json()["errors"][0]["code"] == "repeated"


@pytest.mark.one_database
async def test_an_unknown_one_is_refused_by_every_operation(person, app):
    with Sweep() as sweep:
        for operation in [one for one in operations() if one.path.startswith("/api/")]:
            forget_limits(app)
            with sweep.case(f"{operation}"):
                path = path_of(person, operation)
                headers = await operation.authorization(person)
                answer = await person.call(
                    operation.method, f"{path}?Limit=1&x=1&x=2&%22%3E=3", headers=headers
                )

                assert (answer.status_code, answer.json()["code"]) == (422, "unknown_parameter")
                assert wrong_fields(answer) == ["query.Limit", "query.x"]


@pytest.mark.one_database
async def test_an_unknown_one_is_ignored_on_pages(person, api, app):
    for path in ("/sign-in", "/sign-up", "/forgot-password", "/", "/verify-email", "/livez"):
        assert (await api.get(f"{path}?utm_source=x&fbclid=y&fbclid=z")).status_code == 200


@pytest.mark.one_database
async def test_a_limit_is_a_number_from_1_to_100(person, app):
    with Sweep() as sweep:
        for operation in LISTS:
            forget_limits(app)
            with sweep.case(f"{operation}"):
                for limit in LIMITS:
                    assert wrong_fields(await ask(person, operation, {"limit": limit})) == ["query.limit"], (
                        limit
                    )
                for limit in ("1", "100", "007"):
                    assert (await ask(person, operation, {"limit": limit})).status_code == 200, limit


@pytest.mark.one_database
async def test_a_cursor_of_somebody_else_is_invalid(person, app):
    with Sweep() as sweep:
        for operation in LISTS:
            forget_limits(app)
            with sweep.case(f"{operation}"):
                for cursor in CURSORS:
                    answer = await ask(person, operation, {"cursor": cursor})
                    assert (answer.status_code, answer.json()["code"]) == (400, "cursor_invalid"), cursor


async def test_odd_bytes_are_no_fault_of_ours(person, app):
    with Sweep() as sweep:
        for operation in QUERIES:
            forget_limits(app)
            with sweep.case(f"{operation}"):
                for name in operation.parameters:
                    for value in (
                        "%00",
                        "%ff",
                        "%ed%a0%80",
                        "%u0041",
                        "%",
                        "%zz",
                        "a%0d%0ab",
                        "%F0%9F%98%80",
                        "%E2%80%AE",
                    ):
                        path = path_of(person, operation)
                        headers = await operation.authorization(person)
                        answer = await person.get(f"{path}?{name}={value}", headers=headers)
                        assert answer.status_code in (200, 400, 404, 422), path


HOSTILE = ["%00", "a%00b", "%E2%80%AE", "a%E2%80%AEb", "%C2%85", "%1b", "%ff", "%ed%a0%80", "%0d%0a"]
TEXTS = [one for one in operations() if "{" in one.path or "string" in one.parameters.values()]


async def test_a18_hostile_text_in_paths_and_queries_finds_nothing(person, app):
    """A18: not found, or not valid; the same on both databases, and never repeated."""
    with Sweep() as sweep:
        for hostile in HOSTILE:
            for operation in TEXTS:
                forget_limits(app)
                with sweep.case(f"{hostile!a} {operation}"):
                    body = {"json": operation.example} if operation.kinds else {}
                    body["headers"] = await operation.authorization(person)
                    path = re.sub(r"\{\w+\}", hostile, operation.path)
                    asked = [path] if path != operation.path else []
                    asked += [
                        f"{path}?{name}={hostile}"
                        for name, kind in operation.parameters.items()
                        if kind == "string"
                    ]
                    for one in asked:
                        answer = await person.call(operation.method, one, **body)
                        assert answer.status_code in (200, 400, 404, 422), answer.text
                        assert not {"\x00", "\u202e", "\x85", "\x1b"} & set(answer.text)
