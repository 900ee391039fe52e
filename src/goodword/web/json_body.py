"""Strict JSON request bodies."""

import json
import math
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.datastructures import Headers

from goodword.errors import BadRequest, UnsupportedMediaType, ValidationFailed

DEEPEST = 16
"""How far lists and objects may stand in one another."""
UTF_8 = {"charset=utf-8", 'charset="utf-8"', "charset=utf8", 'charset="utf8"'}


class MalformedJson(BadRequest):
    code, detail = "malformed_json", "The body is not a JSON object in UTF-8 without repeated names."


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
