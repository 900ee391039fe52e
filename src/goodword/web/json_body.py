"""Strict JSON request bodies."""

import inspect
import json
import math
import re
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import replace
from typing import Any

from fastapi import Request, Response, params
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute
from starlette.datastructures import Headers, QueryParams
from starlette.types import Receive, Scope

from goodword.errors import BadRequest, FieldError, Unprocessable, UnsupportedMediaType, ValidationFailed

MAX_DEPTH = 16
"""Maximum nesting of lists and objects."""
UTF_8 = {"charset=utf-8", 'charset="utf-8"', "charset=utf8", 'charset="utf8"'}

ACCEPTED = {"Accept": "application/json"}
"""With 415: the content type is refused (RFC 9110 §15.5.16)."""


class MalformedJson(BadRequest):
    code, detail = "malformed_json", "Send the body as a JSON object in UTF-8 without repeated names."


class UnknownParameter(Unprocessable):
    """A query parameter that the operation does not have. Its name is input, so only an identifier is repeated."""

    code, field = "unknown_parameter", "query"
    detail = "This operation has no such query parameter. `errors` names it."

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self._names = names

    @property
    def errors(self) -> Sequence[FieldError]:
        safe = [name for name in self._names if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name, re.ASCII)]
        fields = [f"query.{name}" for name in safe] or [self.field]
        return [{"field": field, "code": self.code, "message": self.detail} for field in fields]


class JsonRoute(APIRoute):
    """A route that accepts one strict JSON object as body, and each query parameter once.

    Below /api/ it accepts no other query parameters: a misspelt filter would return what was not asked for.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle, dependant = super().get_route_handler(), self.dependant
        self.dependant = _without_query(dependant)
        handle_without_query = super().get_route_handler()
        self.dependant = dependant  # with all parameters, for the documentation
        takes_body = self.body_field is not None
        needs_body = self.body_field is not None and self.body_field.field_info.is_required()
        singles = {
            parameter.alias
            for parameter in get_flat_params(self.dependant)
            if isinstance(parameter.field_info, params.Query)
        }
        refuses_others = self.path.startswith("/api/")

        async def strict(request: Request) -> Response:
            has_query = bool(request.scope["query_string"])
            if has_query:
                _check_query(request.query_params, singles, refuses_others=refuses_others)
            if takes_body and (needs_body or _has_body(request.headers)):
                _check_content_type(request.headers)
                # The original request keeps the body for another run of it.
                request = _Parsed(request.scope, request.receive, await request.body())
            return await (handle if has_query else handle_without_query)(request)

        return strict


def _without_query(dependant: Dependant) -> Dependant:
    """Return it without the query parameters that have a default. FastAPI takes 10 µs to find each missing."""
    known = inspect.signature(dependant.call).parameters if dependant.call and dependant.query_params else {}
    query = [
        field
        for field in dependant.query_params
        if field.field_info.validate_default or known[field.name].default is not field.default
    ]
    return replace(
        dependant, query_params=query, dependencies=list(map(_without_query, dependant.dependencies))
    )


def _check_query(query: QueryParams, known: Collection[str], *, refuses_others: bool) -> None:
    """Raise `UnknownParameter`, or `ValidationFailed` if a parameter is repeated."""
    if refuses_others and (unknown := query.keys() - known):
        raise UnknownParameter(sorted(unknown))
    if repeated := [name for name in known if len(query.getlist(name)) > 1]:
        message = "Send this parameter once."
        raise ValidationFailed(
            [{"field": f"query.{name}", "code": "repeated", "message": message} for name in repeated]
        )


class _Parsed(Request):
    """A request whose JSON body was parsed by `parse_json`."""

    def __init__(self, scope: Scope, receive: Receive, raw: bytes) -> None:
        super().__init__(scope, receive)
        self._raw, self._document = raw, parse_json(raw)

    async def body(self) -> bytes:
        return self._raw

    async def json(self) -> Any:
        return self._document


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def _check_content_type(headers: Headers) -> None:
    given = headers.getlist("content-type")
    if len(given) != 1:
        raise UnsupportedMediaType(headers=ACCEPTED)
    kind, *parameters = (part.strip().lower() for part in given[0].split(";"))
    charsets = {parameter for parameter in parameters if parameter.startswith("charset")}
    if kind != "application/json" or charsets - UTF_8:
        raise UnsupportedMediaType(headers=ACCEPTED)


def parse_json(raw: bytes) -> dict[str, Any]:
    """Return the JSON object in `raw` (I-JSON, RFC 7493). Raises `MalformedJson`.

    Refuses what parsers treat differently: repeated names, NaN, infinities, other encodings and a BOM.
    """
    try:
        document = json.loads(
            raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite
        )
        _check_depth(document, MAX_DEPTH)
    except (ValueError, RecursionError):
        raise MalformedJson from None
    if not isinstance(document, dict):
        raise MalformedJson
    return document


def _check_depth(value: Any, depth: int) -> None:
    if isinstance(value, dict | list):
        if not depth:
            raise ValueError("too deep")
        for inner in value.values() if isinstance(value, dict) else value:
            _check_depth(inner, depth - 1)


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
