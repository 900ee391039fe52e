"""Make all checks at once, each within a time limit."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from sqlalchemy.exc import SQLAlchemyError, TimeoutError as PoolTimeout

from goodword.db.error_causes import describe
from goodword.doctor.catalogue import CHECKS
from goodword.doctor.findings import Check, Finding, Level, NotChecked, NotUsed, ok
from goodword.doctor.installation import Installation
from goodword.doctor.threads import DaemonThreads

LOAD_SECONDS = 2.0
CHECK_SECONDS = 6.0
END_SECONDS = 0.5
"""For checks to end after they were cancelled. Others are left behind."""


def examine() -> Sequence[tuple[Check, Finding]]:
    """Return what each check finds, in the order of the catalogue."""
    with asyncio.Runner() as runner:
        runner.get_loop().set_default_executor(DaemonThreads())
        return runner.run(_examine())


async def _examine() -> Sequence[tuple[Check, Finding]]:
    installation = await _load()
    tasks = [asyncio.create_task(_make(check, installation)) for check in CHECKS]
    await asyncio.wait(tasks, timeout=CHECK_SECONDS + END_SECONDS)
    late = _not_checked("it did not end in time")
    found = [task.result() if task.done() else late for task in tasks]
    with suppress(TimeoutError, SQLAlchemyError, OSError):
        await installation.close()
    return list(zip(CHECKS, found, strict=True))


async def _load() -> Installation:
    installation = Installation()
    try:
        async with asyncio.timeout(LOAD_SECONDS):
            await asyncio.to_thread(installation.load)
    except TimeoutError:
        installation = Installation()
        installation.problems = ["a file with settings or with the secret key cannot be read in time"]
    return installation


async def _make(check: Check, installation: Installation) -> Finding:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check.run(installation)
    except NotUsed as reason:
        return ok(f"Not used: {reason}.")
    except NotChecked as reason:
        return _not_checked(str(reason))
    except TimeoutError:
        return _not_checked("it did not end in time")
    except (SQLAlchemyError, PoolTimeout) as failed:
        return _not_checked(describe(failed).rstrip("."))
    except Exception as failed:  # noqa: BLE001  the other checks go on
        return _not_checked(f"it failed with {type(failed).__name__}")


def _not_checked(reason: str) -> Finding:
    return Finding(Level.NOTE, f"Not checked: {reason}.", checked=False)
