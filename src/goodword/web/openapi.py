"""The OpenAPI document: what FastAPI cannot know of an operation, its errors above all, is added here."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from goodword.errors import (
    AppError,
    BodyTooLarge,
    DatabaseUnavailable,
    InsufficientScope,
    NotFound,
    TokenInvalid,
    Unauthorized,
    Unprocessable,
    UnsupportedMediaType,
    ValidationFailed,
)
from goodword.rate_limits.limiter import RateLimited
from goodword.web.guard import (
    BodyTooSlow,
    HeaderRepeated,
    HeadTooLarge,
    HostRefused,
    Overloaded,
    TookTooLong,
    UriTooLong,
)
from goodword.web.json_body import MalformedJson

DESCRIPTION = """
People sign up, hand out a **referral code**, friends join with it, and everyone can see whom they brought.

The story, in the order of the sections below: Alice *registers*, *signs in* and *creates a code* with a term
of validity. Bob *finds it by her e-mail address* and registers with it. Alice *lists her referrals* and sees
Bob. She deletes the code, and nobody can join with it any more.

Every answer that is not 2xx is a problem document (RFC 9457, `application/problem+json`) with a stable `code`.
Times are RFC 3339 in UTC. To call the protected operations from the interactive page, press **Authorize**: either
sign in by OAuth2 on our own page, or paste the `access_token` of *Sign in*, which can do all that you can.
"""

TAGS = [
    {"name": "Registration", "description": "Join, alone or with a friend's code."},
    {"name": "Sessions", "description": "Sign in, stay signed in, sign out."},
    {"name": "Your referral codes", "description": "Create, prepare, activate and delete codes of your own."},
    {"name": "Looking up a code", "description": "Find a friend's code, and see whether it works."},
    {"name": "Referrals", "description": "Whom you brought."},
    {
        "name": "Invitations",
        "description": "Letters to friends, and a way for them to refuse all further ones.",
    },
    {"name": "Your account", "description": "See, change and delete what is stored about you."},
    {"name": "Checking an address", "description": "Whether mail to an address arrives."},
    {"name": "Address and password", "description": "Prove, change and recover what you sign in with."},
    {"name": "OAuth 2.0", "description": "For apps that people let in: tokens, and what is known of them."},
    {"name": "Administration", "description": "For administrators; to everybody else nothing is there."},
    {"name": "Health", "description": "For those who run the service."},
]

EVERYWHERE = (
    HostRefused,
    HeaderRepeated,
    BodyTooSlow,
    BodyTooLarge,
    UriTooLong,
    UnsupportedMediaType,
    HeadTooLarge,
    Overloaded,
    TookTooLong,
)
"""Errors of every operation alike, documented once."""

PROBLEM = {
    "type": "object",
    "description": "What went wrong (RFC 9457).",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "For people; it may change."},
        "code": {"type": "string", "description": "For programs; it never changes."},
        "request_id": {"type": "string", "description": "Name it when you ask for help."},
        "errors": {
            "type": "array",
            "description": "With 422: what is wrong with which field.",
            "items": {
                "type": "object",
                "required": ["field", "code", "message"],
                "properties": {
                    "field": {"type": "string", "examples": ["body.email"]},
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                },
            },
        },
    },
}

LIMIT_HEADERS = {
    "Retry-After": {
        "description": "Seconds to wait.",
        "schema": {"type": "integer"},
        "example": 20,
    },
    "RateLimit-Policy": {
        "description": "The limit that was reached: so many (`q`) in so many seconds (`w`).",
        "schema": {"type": "string"},
        "example": '"sign-up";q=150;w=60',
    },
    "RateLimit": {
        "description": "How many are left (`r`), and for how many seconds (`t`). Also with answers that went well.",
        "schema": {"type": "string"},
        "example": '"sign-up";r=0;t=20',
    },
}


def problems(*errors: type[AppError], location: str | None = None) -> dict[int | str, dict[str, Any]]:
    """The `responses` of an operation: errors of its own by status, and the `Location` of what it makes."""
    responses: dict[int | str, dict[str, Any]] = {}
    for error in errors:
        _add(responses, error.status, error)
    if location:
        header = {"description": "Where it is.", "schema": {"type": "string"}, "example": location}
        responses[201] = {"headers": {"Location": header}}
    return responses


def install(app: FastAPI, *, scopes: Mapping[str, str]) -> None:
    """Make `app.openapi` return the completed document. `scopes` are those that apps can be given."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _complete(app, scopes)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _complete(app: FastAPI, scopes: Mapping[str, str]) -> dict[str, Any]:
    document = get_openapi(
        title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes, tags=TAGS
    )
    schemas = document["components"]["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Problem"] = PROBLEM
    document["components"]["responses"] = {"Refused": _refused()}
    flow = {"authorizationUrl": "/oauth/authorize", "tokenUrl": "/oauth/token", "scopes": dict(scopes)}
    document["components"]["securitySchemes"]["OAuth2"] = {
        "type": "oauth2",
        "description": "Sign in on our own page, as any app asks people to (RFC 6749 with PKCE).",
        "flows": {"authorizationCode": flow},
    }
    for path in document["paths"].values():
        for operation in path.values():
            _add_common_errors(operation)
            _offer_flow(operation, scopes)
            for content in _contents(operation):
                if "example" not in content and "examples" not in content:
                    content["example"] = _example(content["schema"], schemas)
    return document


def _refused() -> dict[str, Any]:
    found: dict[str, dict[str, Any]] = {}
    for error in EVERYWHERE:
        _add(found, "default", error)
    return found["default"] | {"description": "Refused before the operation was reached, or given up."}


def _offer_flow(operation: dict[str, Any], scopes: Mapping[str, str]) -> None:
    # What needs `account` is for our own sign-in alone, so no app can be given it.
    for needed in [way["AccessToken"] for way in operation.get("security", ()) if "AccessToken" in way]:
        if set(needed) <= set(scopes):
            operation["security"].append({"OAuth2": needed})


def _add_common_errors(operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    if "HTTPValidationError" in str(responses.get("422")):
        del responses["422"]
    common: list[type[AppError]] = []
    if "application/json" in operation.get("requestBody", {}).get("content", {}):
        common += [MalformedJson, BodyTooLarge, UnsupportedMediaType, ValidationFailed]
    elif "requestBody" in operation:
        common.append(BodyTooLarge)
    elif any(
        parameter["in"] != "path" or "format" in parameter["schema"]
        for parameter in operation.get("parameters", ())
    ):
        common.append(ValidationFailed)
    if "Administration" in operation["tags"]:
        common.append(NotFound)
    elif operation.get("security"):
        common += [Unauthorized, TokenInvalid, InsufficientScope]
    if "Health" not in operation["tags"]:
        common.append(DatabaseUnavailable)
    if "application/json" not in responses.get("429", {}).get("content", {}):
        common.append(RateLimited)
    for error in common:
        _add(responses, str(error.status), error)
    responses["429"]["headers"] = LIMIT_HEADERS
    responses.setdefault("default", {"$ref": "#/components/responses/Refused"})
    operation["responses"] = dict(sorted(responses.items()))


def _add(responses: dict[Any, dict[str, Any]], status: int | str, error: type[AppError]) -> None:
    response = responses.setdefault(status, {"description": error.title, "content": {}})
    content = response["content"].setdefault(
        "application/problem+json", {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}
    )
    document: dict[str, Any] = {
        "type": f"urn:goodword:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "request_id": "019aa8c2-7a51-7000-8000-000000000000",
    }
    if issubclass(error, Unprocessable):
        document["errors"] = [{"field": error.field, "code": error.code, "message": error.detail}]
    if issubclass(error, ValidationFailed):
        document["errors"] = [{"field": "body.field", "code": "missing", "message": "Field required"}]
    content["examples"][error.code] = {"summary": error.detail, "value": document}


def _contents(operation: dict[str, Any]) -> list[dict[str, Any]]:
    bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
    return [content for body in bodies for content in body.get("content", {}).values()]


def _example(schema: dict[str, Any], schemas: dict[str, Any]) -> Any:
    """An example of a schema, put together from those of its fields."""
    if reference := schema.get("$ref"):
        schema = schemas[reference.rpartition("/")[2]]
    if "examples" in schema:
        return schema["examples"][0]
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][-1]
    if "anyOf" in schema:
        return _example(schema["anyOf"][0], schemas)
    if schema.get("type") == "object":
        return {name: _example(field, schemas) for name, field in schema.get("properties", {}).items()}
    if schema.get("type") == "array":
        return [_example(schema["items"], schemas)]
    if schema.get("format") == "uuid":
        return "019aa8c2-7a51-7c1e-9d3f-6a0b4f2e8d11"
    return schema.get("default", {"boolean": True, "integer": 1}.get(str(schema.get("type")), "text"))
