"""Hooks run before or after the commit of their transaction, and not if it is rolled back."""

from contextlib import suppress

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.clock import utc_now
from goodword.db import transaction_hooks as hooks
from goodword.jobs.models import Job

CHANNEL = "test"


class Calls(list[str]):
    def hook(self, name):
        """Return an asynchronous function that appends `name`."""

        async def call():
            self.append(name)

        return call


@pytest.fixture
def database(app):
    database = app.state.services.database
    yield database
    database.observers.listeners.pop(CHANNEL, None)


@pytest.fixture
def calls(database):
    made = Calls()
    database.observers.listeners[CHANNEL] = lambda: made.append("notified")
    return made


def register(session, calls):
    record(session, Action.USERS_SEARCHED, Subject.NONE)
    hooks.notify_after_commit(session, CHANNEL)
    hooks.run_after_commit(session, calls.hook("committed"))
    hooks.run_at_end(session, lambda: calls.append("ended"))


async def test_hooks_run_once_in_order(database, calls, rows):
    async with database.transaction() as session:
        register(session, calls)
        hooks.notify_after_commit(session, CHANNEL)
        assert calls == []

    assert calls == ["notified", "ended", "committed"]
    assert await rows("SELECT action FROM audit_events") == [("users.searched",)]


async def test_only_hooks_at_the_end_run_after_a_rollback(database, calls, rows):
    with suppress(ZeroDivisionError):
        async with database.transaction() as session:
            register(session, calls)
            raise ZeroDivisionError

    assert calls == ["ended"]
    assert await rows("SELECT action FROM audit_events") == []


async def test_commit_before_error_runs_the_hooks(database, calls, rows):
    with suppress(ZeroDivisionError):
        async with database.transaction() as session:
            register(session, calls)
            await hooks.commit_before_error(session)
            raise ZeroDivisionError

    assert calls == ["notified", "ended", "committed"]
    assert await rows("SELECT action FROM audit_events") == [("users.searched",)]


async def test_a_rolled_back_savepoint_drops_its_hooks(database, calls, rows):
    async with database.transaction() as session:
        hooks.run_after_commit(session, calls.hook("before"))
        with suppress(ZeroDivisionError):
            async with session.begin_nested():
                register(session, calls)
                async with session.begin_nested():
                    hooks.run_after_commit(session, calls.hook("within"))
                raise ZeroDivisionError

    assert calls == ["ended", "before"]
    assert await rows("SELECT action FROM audit_events") == []


async def test_a_released_savepoint_runs_no_hooks(database, calls):
    async with database.transaction() as session:
        async with session.begin_nested():
            hooks.notify_after_commit(session, CHANNEL)
        assert calls == []

    assert calls == ["notified"]


async def test_a_failed_flush_in_a_savepoint_keeps_the_hooks_before_it(database, calls, rows):
    now = utc_now()
    async with database.transaction() as session:
        register(session, calls)
        with suppress(IntegrityError):
            async with session.begin_nested():
                session.add(Job(kind="test", payload="{}", created_at=now, run_at=now, outcome="unknown"))
                await session.flush()

    assert calls == ["notified", "ended", "committed"]
    assert await rows("SELECT action FROM audit_events") == [("users.searched",)]


async def test_earlier_rows_that_a_rolled_back_savepoint_has_inserted_are_inserted_again(
    database, calls, rows
):
    async with database.transaction() as session:
        register(session, calls)
        with suppress(ZeroDivisionError):
            async with session.begin_nested():
                register(session, calls)
                await hooks.insert_now(session)
                assert await session.scalar(text("SELECT count(*) FROM audit_events")) == 2
                raise ZeroDivisionError
        async with session.begin_nested():
            await hooks.insert_now(session)

    assert await rows("SELECT action FROM audit_events") == [("users.searched",)]
