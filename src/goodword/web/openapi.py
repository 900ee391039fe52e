"""The OpenAPI document of FastAPI, completed with errors, examples and the OAuth flow."""

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
from goodword.web.json_body import MalformedJson, UnknownParameter

DESCRIPTION = """
Users share a **referral code**, friends register with it, and each user can list their referrals.

An example, in the order of the sections below: Alice *registers*, *signs in* and *creates a code* with an expiry
time. Bob *finds it by her e-mail address* and registers with it. Alice *lists her referrals* and sees Bob. She
deletes the code, and it can no longer be used.

Every error response is a problem document (RFC 9457, `application/problem+json`) with a stable `code`. Times are
RFC 3339 in UTC. To call protected operations from the interactive page, press **Authorize**. Then sign in with
OAuth2, or paste the `access_token` of *Sign in*, which has all permissions of the user.
"""

TAGS = [
    {"name": "Registration", "description": "Create an account, with or without a referral code."},
    {"name": "Sessions", "description": "Sign in, refresh tokens, sign out."},
    {"name": "Your referral codes", "description": "Create, prepare, activate and delete your codes."},
    {"name": "Looking up a code", "description": "Find a code, and check whether it is valid."},
    {"name": "Referrals", "description": "List the users who registered with your codes."},
    {
        "name": "Invitations",
        "description": "Invite friends by e-mail. Recipients can unsubscribe.",
    },
    {"name": "Your account", "description": "Read, change, export and delete your data."},
    {"name": "Checking an address", "description": "Check whether an address can receive e-mail."},
    {
        "name": "Address and password",
        "description": "Verify, change and recover your e-mail address and password.",
    },
    {"name": "OAuth 2.0", "description": "Tokens for authorized apps, and token introspection."},
    {"name": "Administration", "description": "For administrators. Other users get 404."},
    {"name": "Health", "description": "Probes for operators."},
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
"""Errors that every operation can return."""

PROBLEM = {
    "type": "object",
    "description": "A problem document (RFC 9457).",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "Text for people. It may change."},
        "code": {"type": "string", "description": "Identifier for programs. It does not change."},
        "request_id": {"type": "string", "description": "Quote it when you contact support."},
        "errors": {
            "type": "array",
            "description": "With 422: the invalid fields.",
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
        "description": "The limit: `q` requests in `w` seconds.",
        "schema": {"type": "string"},
        "example": '"sign-up";q=150;w=60',
    },
    "RateLimit": {
        "description": "Remaining requests (`r`) and seconds until the reset (`t`). Sent with successful responses too.",
        "schema": {"type": "string"},
        "example": '"sign-up";r=0;t=20',
    },
}


def problems(*errors: type[AppError], location: str | None = None) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of an operation: its errors by status, and the `Location` of a new resource."""
    responses: dict[int | str, dict[str, Any]] = {}
    for error in errors:
        _add(responses, error.status, error)
    if location:
        header = {
            "description": "URL of the new resource.",
            "schema": {"type": "string"},
            "example": location,
        }
        responses[201] = {"headers": {"Location": header}}
    return responses


def install(app: FastAPI, *, scopes: Mapping[str, str]) -> None:
    """Make `app.openapi` return the completed document. `scopes` are the scopes of OAuth clients."""

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
        "description": "Authorization code flow with PKCE (RFC 6749, RFC 7636).",
        "flows": {"authorizationCode": flow},
    }
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _add_common_errors(operation, path)
            _offer_flow(operation, scopes)
            for content in _contents(operation):
                if "example" not in content and "examples" not in content:
                    content["example"] = _example(content["schema"], schemas)
    return document


def _refused() -> dict[str, Any]:
    found: dict[str, dict[str, Any]] = {}
    for error in EVERYWHERE:
        _add(found, "default", error)
    return found["default"] | {"description": "Refused before the operation, or timed out."}


def _offer_flow(operation: dict[str, Any], scopes: Mapping[str, str]) -> None:
    # No OAuth client can get the scope `account`.
    for needed in [way["AccessToken"] for way in operation.get("security", ()) if "AccessToken" in way]:
        if set(needed) <= set(scopes):
            operation["security"].append({"OAuth2": needed})


def _add_common_errors(operation: dict[str, Any], path: str) -> None:
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
    if path.startswith("/api/"):
        common.append(UnknownParameter)
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
    """Return an example of a schema, built from the examples of its fields."""
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
