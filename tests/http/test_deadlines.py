"""Whoever takes too long is given up, with nothing half done and nothing left behind (A09, A29, A30)."""

import asyncio
import secrets
import time
from datetime import UTC, datetime
from functools import partial

import pytest
from fastapi import Request
from fastapi.responses import StreamingResponse
from sqlalchemy import event, text
from structlog.testing import capture_logs

from asgi import client_of, running, settings_for
from concurrency import at_once
from goodword.app import create_app
from goodword.db.statements import insert
from goodword.mail.models import Unsubscribe
from goodword.web.dependencies import Reader, Session
from goodword.web.guard import RequestLimits
from people import PASSWORD, join, register

REGISTER = "/api/v1/users"
JSON = {"Content-Type": "application/json"}


def pools(app):
    """Connections that somebody holds."""
    database = app.state.services.database
    return [engine.pool.checkedout() for engine in (database.write_engine, database.read_engine)]


async def idle(app):
    for _ in range(300):
        if pools(app) == [0, 0]:
            return True
        await asyncio.sleep(0.02)
    return False


@pytest.fixture
async def hurried(database_url, app):
    """A service with little time: for a body, for a request; and little room. `app` empties the database."""
    limits: RequestLimits = {"body_seconds": 0.3, "deadline": 0.6, "max_concurrent": 30}
    service = create_app(settings_for(database_url), limits=limits)

    @service.get("/slow/waiting", include_in_schema=False)
    async def waiting(session: Session):
        await write(session)
        await asyncio.sleep(1.2)

    @service.get("/slow/reading", include_in_schema=False)
    async def reading(reader: Reader):
        await reader.execute(SLOW_READ[service.state.services.database.is_sqlite])

    @service.get("/slow/driver", include_in_schema=False)
    async def driver(request: Request):
        await request.app.state.services.database.rows(SLOW_READ[service.state.services.database.is_sqlite])

    @service.get("/slow/writing", include_in_schema=False)
    async def writing(session: Session):
        await write(session)
        await session.execute(SLOW_READ[service.state.services.database.is_sqlite])

    @service.get("/slow/nothing", include_in_schema=False)
    async def nothing():
        await asyncio.sleep(1.2)

    @service.get("/slow/pieces", include_in_schema=False)
    async def pieces():
        async def come():
            for _ in range(4):
                yield b"piece"
                await asyncio.sleep(0.3)

        return StreamingResponse(come())

    database = service.state.services.database
    if database.is_sqlite:
        for engine in (database.write_engine, database.read_engine):
            event.listen(engine.sync_engine, "connect", add_pause)
    async with running(service):
        yield service


SLOW_READ = {False: text("SELECT pg_sleep(1.2)"), True: text("SELECT pause(1.2)")}


def add_pause(connection, _record):
    connection.create_function("pause", 1, time.sleep)


async def write(session):
    await insert(session, Unsubscribe, address_mac=secrets.token_bytes(32), created_at=datetime.now(UTC))


@pytest.mark.parametrize("path", ["waiting", "reading", "driver", "writing", "nothing"])
async def test_what_takes_too_long_is_given_up_and_leaves_nothing(hurried, path):
    async with client_of(hurried) as api:
        answers = await asyncio.gather(*[api.get(f"/slow/{path}") for _ in range(2)])

        for answer in answers:
            assert (answer.status_code, answer.json()["code"]) in (
                (503, "took_too_long"),
                (503, "database_unavailable"),
            )
            assert answer.headers["retry-after"] == "1"
        assert "took_too_long" in {answer.json()["code"] for answer in answers}
        # Nothing is held, nothing was written, and whoever comes next is served.
        assert await idle(hurried)
        ready = await at_once(lambda _: api.get("/readyz"), range(12))
        assert {answer.status_code for answer in ready} == {200}
        [registered] = await at_once(partial(register, api), [f"next-{path}"])
        # On a slow machine the first try may be given up while it commits: the second is then 409.
        assert registered.status_code in (201, 409)
        assert await hurried.state.services.database.rows(text("SELECT id FROM unsubscribes")) == []


# Whoever writes on SQLite has waited before.
@pytest.mark.parametrize("database_kind", ["postgres"], scope="session")
async def test_what_waits_at_its_very_end_is_given_up_too(hurried):
    """All that outdates the cache changes one row just before its commit."""
    async with client_of(hurried) as api:
        alice = await join(api, "alice")
        async with hurried.state.services.database.transaction() as session:
            await session.execute(text("UPDATE cache_epoch SET created_at = created_at"))
            asked = asyncio.create_task(alice.post("/api/v1/me/referral-codes", {"lifetime": 3600}))
            await asyncio.sleep(1.2)
        answer = await asked

        assert (answer.status_code, answer.json()["code"]) == (503, "took_too_long")
        assert await idle(hurried)
        assert await hurried.state.services.database.rows(text("SELECT id FROM referral_codes")) == []


async def test_what_was_given_up_is_no_fault(hurried):
    with capture_logs() as lines:
        async with client_of(hurried) as api:
            answer = await api.get("/slow/waiting")

    assert (answer.status_code, answer.json()["code"]) == (503, "took_too_long")
    assert [line for line in lines if line["log_level"] == "error"] == []


@pytest.mark.one_database
async def test_a_long_answer_that_keeps_coming_comes_to_its_end(hurried):
    async with client_of(hurried) as api:
        answer = await api.get("/slow/pieces")

    assert (answer.status_code, answer.content) == (200, b"piece" * 4)


@pytest.mark.one_database
async def test_a_person_is_told_on_a_page_that_it_took_too_long(hurried):
    async with client_of(hurried) as api:
        answer = await api.get("/slow/nothing", headers={"Accept": "text/html"})

    assert (answer.status_code, answer.headers["content-type"]) == (503, "text/html; charset=utf-8")
    assert answer.headers["retry-after"] == "1"


async def drops(first=b"{", seconds=0.05):
    yield first
    while True:
        await asyncio.sleep(seconds)
        yield b" "


@pytest.mark.one_database
@pytest.mark.parametrize("path", [REGISTER, "/oauth/token", "/sign-in"])
async def test_a09_a_slow_body_is_not_waited_for(hurried, path):
    types = {REGISTER: "application/json"}
    async with client_of(hurried) as api:
        began = time.monotonic()
        headers = {"Content-Type": types.get(path, "application/x-www-form-urlencoded")}
        answer = await api.post(path, content=drops(), headers=headers)

    assert answer.status_code == 408
    assert answer.headers["connection"] == "close"
    assert time.monotonic() - began < 2
    assert answer.json().get("code", answer.json().get("error")) in ("request_timeout", "invalid_request")


@pytest.mark.one_database
async def test_a29_beyond_its_room_it_refuses_and_serves_those_inside(hurried):
    async with client_of(hurried) as api:
        asked = [asyncio.create_task(api.get("/slow/nothing")) for _ in range(30)]
        await asyncio.sleep(0.1)
        excess = await asyncio.gather(*[api.get("/api/v1/me") for _ in range(50)])

        assert {(answer.status_code, answer.json()["code"]) for answer in excess} == {(503, "overloaded")}
        assert excess[0].headers["retry-after"] == "1"
        assert (await api.get("/livez")).status_code == 200
        assert {answer.json()["code"] for answer in await asyncio.gather(*asked)} == {"took_too_long"}
        assert (await api.get("/api/v1/me")).status_code == 401


def body_of(number):
    return f'{{"email": "guest-{number}@example.com", "password": "{PASSWORD}"}}'.encode()


async def leave(app, number, *, after):
    """Register, and hang up: before the body, within it, after it, or before the answer."""
    body = body_of(number)
    headers = [(b"host", b"127.0.0.1:8000"), (b"content-type", b"application/json")]
    headers.append((b"content-length", str(len(body)).encode()))
    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST"}
    scope |= {"scheme": "http", "path": REGISTER, "raw_path": REGISTER.encode(), "query_string": b""}
    scope |= {"headers": headers, "client": ("127.0.0.1", 54321), "server": ("127.0.0.1", 8000)}
    pieces = [
        {"type": "http.request", "body": body[:20], "more_body": True},
        {"type": "http.request", "body": body[20:], "more_body": False},
    ]
    statuses = []

    async def receive():
        return pieces.pop(0) if pieces and len(pieces) > 2 - after else {"type": "http.disconnect"}

    async def send(message):
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await app(scope, receive, send)
    return statuses[0] if statuses else None


async def test_a30_whoever_leaves_in_the_middle_leaves_nothing_half_done(app, api, rows):
    with capture_logs() as lines:
        for start in range(0, 150, 10):
            found = await asyncio.gather(
                *[leave(app, number, after=number % 3) for number in range(start, start + 10)]
            )
            assert found == [201 if number % 3 == 2 else None for number in range(start, start + 10)]

    assert not [line for line in lines if line["log_level"] in ("error", "critical", "warning")]
    assert {line["status"] for line in lines if line["event"] == "request"} == {201, 499}
    assert await idle(app)
    emails = {email for (email,) in await rows("SELECT email FROM users")}
    assert emails == {f"guest-{number}@example.com" for number in range(2, 150, 3)}
    assert (await register(api, "alice")).status_code == 201
