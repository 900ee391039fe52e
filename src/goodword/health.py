"""Health probes: liveness and readiness."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field
from pydantic_core import to_json
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import Scope
from typing_extensions import TypeAliasType

from goodword import migrations
from goodword.db.database_clock import DatabaseClock
from goodword.errors import Unavailable
from goodword.jobs import lateness
from goodword.services import Services, services_of
from goodword.web.openapi import problems
from goodword.web.problems import answer
from goodword.web.request_context import STOPPING
from goodword.web.schemas import Output

router = APIRouter(tags=["Health"])

TIMEOUT = 1.5
"""Seconds for the database to answer."""

State = TypeAliasType("State", Literal["ok", "degraded", "down"])
Storage = TypeAliasType("Storage", Literal["ok", "disk_full", "read_only", "unknown"])


class NotReady(Unavailable):
    code = "not_ready"
    detail = "The database is unavailable, or its schema is not the one that this version requires."


class Stopping(Unavailable):
    code = "stopping"
    detail = "This process is being stopped. Send requests to another one."


class Alive(Output):
    status: Literal["ok"] = "ok"


ALIVE = Alive().model_dump_json().encode()


class Checks(Output):
    database: State
    schema_: Annotated[State, Field(serialization_alias="schema")]
    cache: State = Field(
        description="`degraded`: Redis is unavailable, full or read-only, and the service works without it."
    )
    replica: State = Field(
        description="`degraded`: the replica is away, silent or behind, so its reads go to the primary."
    )
    storage: Storage = Field(
        description="Whether the database can be written: only look-ups work if it cannot."
    )
    keys: State = Field(
        description="`degraded`: the signing keys could not be read lately, so a revoked one may still be accepted."
    )
    clock: State = Field(
        description="`degraded`: the clock of the machine is not that of the database, which the service uses."
    )
    worker: State = Field(description="`degraded`: no worker runs the jobs that are due, so e-mails wait.")


class Ready(Output):
    status: State = Field(examples=["ok"])
    checks: Checks


@router.get("/livez", summary="Alive?", response_model=Alive)
async def check_liveness() -> Response:
    """Answer without checking anything else. Restart the process if this fails."""
    return Response(ALIVE, media_type="application/json")


def warm_answer(scope: Scope) -> bytes | None:
    """Return the answer to `/livez`, or None for another path."""
    if scope["path"] != "/livez":
        return None
    scope["route"] = router.routes[0]
    return ALIVE


@router.get("/readyz", summary="Ready?", response_model=Ready, responses=problems(NotReady, Stopping))
async def check_readiness(request: Request) -> Response:
    """Check that the database answers and has the schema of this version, and what works less than it should.

    The status is `degraded` if one of the other checks is not `ok`.
    If the service is not ready, a problem document has the same `checks`. A process that is being stopped answers
    with the code `stopping`, so that a proxy sends it no more requests.
    """
    if STOPPING in request.scope.get("state", ()):
        raise Stopping
    checks = await _shared_checks(request)
    if checks["schema"] != "ok":
        return answer(NotReady(), request.state.request_id, checks=checks)
    status = "ok" if set(checks.values()) <= {"ok", "unknown"} else "degraded"
    return Response(to_json({"status": status, "checks": checks}), media_type="application/json")


async def _shared_checks(request: Request) -> Mapping[str, str]:
    """Return the result of checks that are running, or start them. Probes are not limited, so they must be cheap."""
    state = request.app.state
    running: asyncio.Task[Mapping[str, str]] | None = getattr(state, "checks", None)
    if running is None or running.done():
        running = state.checks = asyncio.create_task(_check(services_of(request)))
    return await asyncio.shield(running)


async def _check(services: Services) -> Mapping[str, str]:
    database, cache = services.database, services.cache
    is_current = is_reachable = are_late = False
    storage: Storage = "unknown"
    with suppress(TimeoutError, SQLAlchemyError, OSError):
        async with asyncio.timeout(TIMEOUT):
            if services.waiting.is_set():
                raise TimeoutError
            is_current = await migrations.is_current(database)
            is_reachable = is_current or await database.ping()
            storage = await database.storage()
            are_late = is_current and await lateness.are_late(database, now=services.clock())
    return Checks(
        database="ok" if is_reachable else "down",
        schema_="ok" if is_current else "down",
        cache="ok" if await cache.is_well() else "degraded",
        replica="degraded" if database.replica and not database.replica.is_used else "ok",
        storage=storage,
        keys="degraded" if services.signing_keys.are_stale() else "ok",
        clock="degraded" if isinstance(services.clock, DatabaseClock) and services.clock.is_off else "ok",
        worker="degraded" if are_late else "ok",
    ).model_dump(by_alias=True)
