"""Every operation that takes JSON, with an example of its body, as the OpenAPI document tells of them."""

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from httpx2 import Response
from sqlalchemy import text

from asgi import document
from goodword.oauth.scopes import SERVER_SCOPES
from people import Person
from server_keys import make_key

JSON = "application/json"
SERVER = "server"
"""The API key among the tokens of a person, for operations of servers."""
SOME_ID = "019aa8c2-7a51-7c1e-9d3f-6a0b4f2e8d11"


@dataclass(frozen=True)
class Operation:
    """A method on a path, and the body that its documentation shows."""

    method: str
    path: str
    example: dict[str, Any]
    kinds: dict[str, str]
    """Of each field: string, integer, boolean, object, array, or the format of a string."""
    parameters: dict[str, str]
    """Of the query, and what each is."""
    needs_body: bool
    for_servers: bool

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    async def send(self, person: Person, body: bytes | str, **headers: str) -> Response:
        """Send this body, to the letter."""
        content = body if isinstance(body, bytes) else body.encode()
        headers = {"Content-Type": JSON} | headers
        return await self.ask(person, content=content, headers=headers)

    async def ask(self, person: Person, **options: Any) -> Response:
        options["headers"] = await self.authorization(person) | options.get("headers", {})
        return await person.call(self.method, re.sub(r"\{\w+\}", SOME_ID, self.path), **options)

    async def authorization(self, person: Person) -> dict[str, str]:
        """The API key of a server for an operation of servers. For others the person's token is sent."""
        if not self.for_servers:
            return {}
        if SERVER not in person.tokens:
            person.tokens[SERVER] = await make_key(person.api.app, SERVER_SCOPES)
        return {"Authorization": f"Bearer {person.tokens[SERVER]}"}

    async def with_field(self, person: Person, field: str, value: Any) -> Response:
        """Send the example with another value for a field."""
        return await self.send(person, json.dumps(self.example | {field: value}))

    async def with_type(self, person: Person, kind: str | bytes) -> Response:
        """Send the example under a content type."""
        content = json.dumps(self.example).encode()
        return await self.ask(person, content=content, headers={"Content-Type": kind})

    def fields(self, kind: str) -> list[str]:
        return [name for name, found in self.kinds.items() if found == kind]


@cache
def operations() -> list[Operation]:
    schemas = document()["components"]["schemas"]
    return [
        _operation(method.upper(), path, operation, schemas)
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
    ]


def json_operations() -> list[Operation]:
    return [operation for operation in operations() if operation.kinds]


def _operation(method: str, path: str, operation: dict[str, Any], schemas: dict[str, Any]) -> Operation:
    content = operation.get("requestBody", {}).get("content", {})
    reference = content.get(JSON, {}).get("schema", {}).get("$ref", "").rpartition("/")[2]
    body = schemas.get(reference, {"properties": {}})
    kinds = {name: _kind(field, schemas) for name, field in body["properties"].items()}
    query = {
        one["name"]: _kind(one["schema"], schemas)
        for one in operation.get("parameters", ())
        if one["in"] == "query"
    }
    needs_body = operation.get("requestBody", {}).get("required", False)
    accepted = {scheme for way in operation.get("security", ()) for scheme in way}
    for_servers = "ApiKey" in accepted and "AccessToken" not in accepted
    return Operation(method, path, body.get("examples", [{}])[0], kinds, query, needs_body, for_servers)


def _kind(field: dict[str, Any], schemas: dict[str, Any]) -> str:
    schema = field
    while schema.keys() & {"anyOf", "$ref"}:
        schema = schema["anyOf"][0] if "anyOf" in schema else schemas[schema["$ref"].rpartition("/")[2]]
    return schema.get("format") or schema.get("type", "string")


async def make_admin(person: Person, app: Any) -> Person:
    """Somebody who may call every operation."""
    async with app.state.services.database.transaction() as session:
        await session.execute(text("UPDATE users SET is_admin = :yes"), {"yes": True})
    await person.sign_in()
    return person


def wrong_fields(answer: Response) -> list[str]:
    """The fields that a 422 names."""
    assert answer.status_code == 422, answer.text
    return [error["field"] for error in answer.json()["errors"]]
