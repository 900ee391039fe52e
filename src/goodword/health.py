"""Health probes: liveness and readiness."""

import asyncio
from contextlib import suppress
from typing import Annotated, Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from goodword import migrations
from goodword.errors import Unavailable
from goodword.services import services_of
from goodword.web.openapi import problems
from goodword.web.problems import answer
from goodword.web.schemas import Output

router = APIRouter(tags=["Health"])

TIMEOUT = 1.5
"""Seconds for the database to answer."""

State = Literal["ok", "degraded", "down"]


class NotReady(Unavailable):
    code, detail = (
        "not_ready",
        "The database is unavailable, or its schema is not the one that this version requires.",
    )


class Alive(Output):
    status: Literal["ok"] = "ok"


class Checks(Output):
    database: State
    schema_: Annotated[State, Field(serialization_alias="schema")]
    cache: State = Field(description="`degraded`: Redis is unavailable, and the service works without it.")


class Ready(Output):
    status: State = Field(examples=["ok"])
    checks: Checks


@router.get("/livez", summary="Alive?")
async def livez() -> Alive:
    """Answer without checking anything else. Restart the process if this fails."""
    return Alive()


@router.get("/readyz", summary="Ready?", response_model=Ready, responses=problems(NotReady))
async def readyz(request: Request) -> Response:
    """Check that the database answers and has the schema of this version, and that the cache works.

    Without a working cache the status is `degraded`. If the service is not ready, a problem document has the same
    `checks`.
    """
    services = services_of(request)
    database, cache = services.database, services.cache
    is_current = is_reachable = False
    with suppress(TimeoutError):
        async with asyncio.timeout(TIMEOUT):
            is_current = await migrations.is_current(database)
            is_reachable = is_current or await database.ping()
    checks = Checks(
        database="ok" if is_reachable else "down",
        schema_="ok" if is_current else "down",
        cache="ok" if await cache.is_well() else "degraded",
    ).model_dump(by_alias=True)
    if not is_current:
        return answer(NotReady(), request.state.request_id, checks=checks)
    return JSONResponse({"status": checks["cache"], "checks": checks})
