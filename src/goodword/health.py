"""Whether the service is alive, and whether it can do its work."""

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
"""Seconds for the database: who asks whether we are ready does not wait long."""

State = Literal["ok", "degraded", "down"]


class NotReady(Unavailable):
    code, detail = "not_ready", "The database is out, or its schema is not the one that this version needs."


class Alive(Output):
    status: Literal["ok"] = "ok"


class Checks(Output):
    database: State
    schema_: Annotated[State, Field(serialization_alias="schema")]
    cache: State = Field(description="`degraded`: Redis is out, and the service works without it.")


class Ready(Output):
    status: State = Field(examples=["ok"])
    checks: Checks


@router.get("/livez", summary="Alive?")
async def livez() -> Alive:
    """The process answers. It asks nothing else, so restart it if this fails."""
    return Alive()


@router.get(
    "/readyz",
    summary="Ready?",
    response_model=Ready,
    responses=problems(NotReady),
)
async def readyz(request: Request) -> Response:
    """The database answers, its schema is the one that this version needs, and the cache is well.

    Without a working cache the status is `degraded`. Not ready is a problem document with the same `checks`.
    """
    services = services_of(request)
    database, cache = services.database, services.cache
    schema: State = "down"
    reachable: State = "down"
    with suppress(TimeoutError):
        async with asyncio.timeout(TIMEOUT):
            schema = "ok" if await migrations.is_current(database) else "down"
            reachable = "ok" if schema == "ok" or await database.ping() else "down"
    checks = Checks(database=reachable, schema_=schema, cache="ok" if await cache.is_well() else "degraded")
    found = checks.model_dump(by_alias=True)
    if schema == "down":
        return answer(NotReady(), request.state.request_id, checks=found)
    status = "degraded" if checks.cache == "degraded" else "ok"
    return JSONResponse({"status": status, "checks": found})
