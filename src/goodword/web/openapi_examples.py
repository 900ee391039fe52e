"""Examples in the OpenAPI document, built from those of the fields."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from goodword.web.schemas import EXAMPLE_TIME

EXPIRES = timedelta(days=200)
"""From the first of the month. A code may be valid for 366 days, so the example works as long as a process lives."""
TIMES = {
    "created_at": timedelta(days=-40),
    "activated_at": timedelta(days=-40),
    "joined_at": timedelta(days=-30),
    "from": timedelta(days=-30),
    "start": timedelta(days=-30),
    "confirmed_at": timedelta(days=-39),
    "last_used_at": timedelta(days=-1),
    "to": timedelta(),
    "expires_at": EXPIRES,
}
"""Of fields of responses, from the first of the month."""
EMPTY = frozenset({"next_cursor", "retired_at", "erased_at"})
"""Fields that are null in examples: there is one page, and nothing has ended."""
SOME_ID = "019aa8c2-7a51-7c1e-9d3f-6a0b4f2e8d11"


def complete(document: dict[str, Any], *, now: datetime) -> dict[str, Any]:
    """Return the document with an example in each body, and times near `now` instead of `EXAMPLE_TIME`."""
    month = now.replace(day=1, hour=12, minute=0, second=0, microsecond=0)
    schemas = document["components"]["schemas"]
    for path in (*document["paths"].values(), *document.get("webhooks", {}).values()):
        for operation in path.values():
            for content in _contents(operation):
                if "example" not in content and "examples" not in content:
                    content["example"] = _example(content["schema"], schemas, month)
    text: str = json.dumps(document, ensure_ascii=False)
    whole: dict[str, Any] = json.loads(text.replace(EXAMPLE_TIME, _text(month + EXPIRES)))
    return whole


def _text(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def _contents(operation: Mapping[str, Any]) -> list[dict[str, Any]]:
    bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
    return [content for body in bodies for content in body.get("content", {}).values()]


def _example(schema: Mapping[str, Any], schemas: Mapping[str, Any], month: datetime) -> Any:
    """Return an example of a schema, built from the examples of its fields."""
    if "examples" in schema:
        return schema["examples"][0]
    if reference := schema.get("$ref"):
        return _example(schemas[reference.rpartition("/")[2]], schemas, month)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return _example(schema["anyOf"][0], schemas, month)
    if schema.get("type") == "object":
        return {
            name: _field(name, field, schemas, month) for name, field in schema.get("properties", {}).items()
        }
    if schema.get("type") == "array":
        return [_example(schema["items"], schemas, month)]
    if schema.get("format") == "uuid":
        return SOME_ID
    return schema.get("default", {"boolean": True, "integer": 1}.get(str(schema.get("type")), "text"))


def _field(name: str, schema: Mapping[str, Any], schemas: Mapping[str, Any], month: datetime) -> Any:
    if name in EMPTY:
        return None
    is_time = any(one.get("format") == "date-time" for one in (schema, *schema.get("anyOf", ())))
    if is_time and not ("anyOf" in schema and "examples" in schema):  # the field has no example of its own
        return _text(month + TIMES.get(name, timedelta(days=-1)))
    return _example(schema, schemas, month)
