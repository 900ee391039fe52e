"""The OpenAPI document of FastAPI, completed with errors, examples and the OAuth flow."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from datetime import datetime
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from goodword.errors import (
    AppError,
    BodyTooLarge,
    DatabaseUnavailable,
    InsufficientScope,
    NotFound,
    StorageFull,
    TokenInvalid,
    Unauthorized,
    Unprocessable,
    UnsupportedMediaType,
    ValidationFailed,
)
from goodword.rate_limits.limiter import RateLimited
from goodword.web import openapi_examples, openapi_schemas, openapi_webhooks, security_schemes
from goodword.web.json_body import MalformedJson, UnknownParameter
from goodword.web.openapi_tags import TAGS
from goodword.web.openapi_webhooks import Webhook
from goodword.web.problems import problem
from goodword.web.request_errors import (
    BodyTooSlow,
    HeaderRepeated,
    HeadTooLarge,
    HostRefused,
    Overloaded,
    TookTooLong,
    UriTooLong,
)

DESCRIPTION = """
Users share a **referral code**, friends register with it, and each user can list their referrals.

An example, in the order of the sections below: Alice *registers*, *signs in* and *creates a code* with an expiry
time. Bob *finds it by her e-mail address* and registers with it. Alice *lists her referrals* and sees Bob. She
deletes the code, and it can no longer be used.

Every error response is a problem document (RFC 9457, `application/problem+json`) with a stable `code`. Times are
RFC 3339 in UTC. To call protected operations from the interactive page, press **Authorize**. Then sign in with
OAuth2, or paste the `access_token` of *Sign in*, which has all permissions of the user. Operations for the servers of
a product accept an API key, or the access token of an app itself (`client_credentials`).
"""

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

PROBLEM_TYPE = "application/problem+json"
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
                "title": "FieldError",
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


def free_object(title: str, description: str, example: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of an operation that returns an object whose fields the document does not list."""
    content = {"schema": {"title": title, "type": "object"}, "example": example}
    return {200: {"description": description, "content": {"application/json": content}}}


def install(
    app: FastAPI,
    *,
    public_url: str,
    scopes: Mapping[str, str],
    server_scopes: Mapping[str, str],
    webhooks: Sequence[Webhook] = (),
    clock: Callable[[], datetime],
) -> None:
    """Make `app.openapi` return the completed document.

    `scopes` are those that OAuth clients request from users, `server_scopes` those that they have themselves,
    `webhooks` the events that the service sends.
    """

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = _complete(app, public_url, scopes, server_scopes, webhooks)
            app.openapi_schema = openapi_examples.complete(document, now=clock())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _complete(
    app: FastAPI,
    public_url: str,
    scopes: Mapping[str, str],
    server_scopes: Mapping[str, str],
    webhooks: Sequence[Webhook],
) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary="A self-hosted referral service.",
        description=DESCRIPTION,
        routes=app.routes,
        webhooks=openapi_webhooks.routes(webhooks),
        tags=TAGS,
        servers=[{"url": public_url}],
        contact={"name": app.title, "url": public_url},
        license_info={"name": "Apache 2.0", "identifier": "Apache-2.0"},
    )
    components = document["components"]
    schemas = components["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Problem"] = deepcopy(PROBLEM)
    components["responses"] = {"Refused": _refused()}
    _name_problems("Refused", components["responses"], schemas)
    security_schemes.complete(components["securitySchemes"], public_url, scopes, server_scopes)
    for path, operations in document["paths"].items():
        for operation in operations.values():
            operation.setdefault("security", [])
            _add_common_errors(operation, path)
            operation["security"] = security_schemes.alternatives(operation["security"], scopes)
            _name_problems(operation["operationId"], operation["responses"], schemas)
    openapi_webhooks.complete(document)
    openapi_schemas.complete(document)
    return document


def _name_problems(name: str, responses: Mapping[str, Any], schemas: dict[str, Any]) -> None:
    """Add the schema of the problem documents of an operation, with its codes, to the components."""
    contents = [response.get("content", {}).get(PROBLEM_TYPE) for response in responses.values()]
    problem_contents = [content for content in contents if content]
    if problem_contents:
        codes = sorted({code for content in problem_contents for code in content["examples"]})
        title = name.title().replace("_", "") + "Problem"
        own = {"type": "object", "properties": {"code": {"type": "string", "enum": codes}}}
        schemas[title] = {"title": title, "allOf": [{"$ref": "#/components/schemas/Problem"}, own]}
        for content in problem_contents:
            content["schema"] = {"$ref": f"#/components/schemas/{title}"}


def _refused() -> dict[str, Any]:
    found: dict[str, dict[str, Any]] = {}
    for error in EVERYWHERE:
        _add(found, "default", error)
    return found["default"] | {"description": "Refused before the operation, or timed out."}


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
        common += [DatabaseUnavailable, StorageFull]
    if "application/json" not in responses.get("429", {}).get("content", {}):
        common.append(RateLimited)
    for error in common:
        _add(responses, str(error.status), error)
    responses["429"]["headers"] = LIMIT_HEADERS
    responses.setdefault("default", {"$ref": "#/components/responses/Refused"})
    operation["responses"] = dict(sorted(responses.items()))


def _add(responses: dict[Any, dict[str, Any]], status: int | str, error: type[AppError]) -> None:
    response = responses.setdefault(status, {"description": error.title, "content": {}})
    content = response["content"].setdefault(PROBLEM_TYPE, {"examples": {}})
    document = problem(error, "019aa8c2-7a51-7000-8000-000000000000")
    if issubclass(error, Unprocessable):
        document["errors"] = [{"field": error.field, "code": error.code, "message": error.detail}]
    if issubclass(error, ValidationFailed):
        document["errors"] = [{"field": "body.field", "code": "missing", "message": "Field required"}]
    content["examples"][error.code] = {"summary": error.detail, "value": document}
