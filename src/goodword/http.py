"""The edge of the service: the middleware around every request, and how a body is read."""

import json
import math
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Annotated, Any

import structlog
from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils import uuid7

from goodword import limits
from goodword.errors import BadRequest, UnsupportedMediaType, ValidationFailed
from goodword.origin import Actor, Origin, current as current_origin
from goodword.telemetry import current_request

DEEPEST = 16
"""How far lists and objects may stand in one another."""
SLOW = 1.0
"""Seconds after which a request is worth a line, whatever it was."""
READS = {"GET", "HEAD"}
UTF_8 = {"charset=utf-8", 'charset="utf-8"', "charset=utf8", 'charset="utf8"'}

log = structlog.get_logger("goodword.request")


HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
}
HSTS = {"strict-transport-security": "max-age=63072000; includeSubDomains"}


class MalformedJson(BadRequest):
    code, detail = "malformed_json", "The body is not a JSON object in UTF-8 without repeated names."


# Asynchronous, though it waits for nothing: FastAPI would call a plain function in a thread.
async def get_clock(request: Request) -> Callable[[], datetime]:
    return request.app.state.clock  # type: ignore[no-any-return]


# A function, not the time itself: who waits for a lock or a hash asks for the time after it.
Clock = Annotated[Callable[[], datetime], Depends(get_clock)]


def utc_now() -> datetime:
    return datetime.now(UTC)


class Edge:
    """Request id, log line and standard headers, on whatever the service answers."""

    def __init__(self, app: ASGIApp, *, https: bool, log_reads: bool) -> None:
        self.app = app
        self.log_reads = log_reads
        headers = {**HEADERS, **HSTS} if https else HEADERS
        self.headers = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        request_id = str(uuid7())
        scope.setdefault("state", {})["request_id"] = request_id
        current_request.set(request_id)
        asked = current_origin.set(_origin(scope, request_id))
        status = 0

        async def dressed_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                given = message["headers"]
                names = {name for name, _ in given}
                ours = [header for header in self.headers if header[0] not in names]
                limit = limits.headers(scope, status)
                message["headers"] = [*given, *ours, *limit, (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self.app(scope, receive, dressed_send)
        except ClientDisconnect:
            status = 499  # as nginx logs it: nobody is left to answer
        finally:
            current_origin.reset(asked)
            took = time.perf_counter() - began
            # Where reads come by the thousand, a line for each would cost more than the answer.
            if self.log_reads or status >= 400 or took > SLOW or scope["method"] not in READS:
                method, route = scope["method"], route_of(scope)
                log.info("request", method=method, route=route, status=status, ms=round(took * 1000, 1))


def _origin(scope: Scope, request_id: str) -> Origin:
    peer = scope.get("client")
    clock = scope["app"].state.clock
    return Origin(Actor.ANONYMOUS, request_id=request_id, peer=peer[0] if peer else None, clock=clock)


def route_of(scope: Scope) -> str:
    # The template, never the path: codes and addresses stand in paths and queries, and logs are kept.
    return getattr(scope.get("route"), "path", "-")


class JsonRoute(APIRoute):
    """A route whose body is one strict JSON object, and whose declared query parameters come once."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        takes_body = self.body_field is not None
        needs_body = self.body_field is not None and self.body_field.field_info.is_required()
        singles = {parameter.alias for parameter in self.dependant.query_params}

        async def strict(request: Request) -> Response:
            repeated = [name for name in singles if len(request.query_params.getlist(name)) > 1]
            if repeated:
                message = "Give this parameter once."
                raise ValidationFailed(
                    [{"field": f"query.{name}", "code": "repeated", "message": message} for name in repeated]
                )
            if takes_body and (needs_body or _has_body(request.headers)):
                _check_content_type(request.headers)
                request = _Parsed(request.scope, request.receive)
                request.document = parse_json(await request.body())
            return await handle(request)

        return strict


class _Parsed(Request):
    """A request whose JSON was read already, more strictly than the framework would."""

    document: dict[str, Any]

    async def json(self) -> Any:
        return self.document


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def _check_content_type(headers: Headers) -> None:
    given = headers.getlist("content-type")
    if len(given) != 1 or headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType
    kind, *parameters = (part.strip().lower() for part in given[0].split(";"))
    charsets = {parameter for parameter in parameters if parameter.startswith("charset")}
    if kind != "application/json" or charsets - UTF_8:
        raise UnsupportedMediaType


def parse_json(raw: bytes) -> dict[str, Any]:
    """One JSON object (RFC 8259, as I-JSON of RFC 7493 narrows it). Raises `MalformedJson`.

    What parsers disagree about is refused: repeated names, NaN and infinities, other encodings, a BOM.
    """
    try:
        document = json.loads(
            raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite
        )
        _measure(document, DEEPEST)
    except (ValueError, RecursionError):
        raise MalformedJson from None
    if not isinstance(document, dict):
        raise MalformedJson
    return document


def _measure(value: Any, room: int) -> None:
    if isinstance(value, dict | list):
        if not room:
            raise ValueError("too deep")
        for inner in value.values() if isinstance(value, dict) else value:
            _measure(inner, room - 1)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a name is repeated")
    return document


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("too large")
    return number
