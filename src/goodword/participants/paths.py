"""Paths with the external id of a participant, which may contain a slash."""

from typing import Annotated
from urllib.parse import unquote

from fastapi import Path
from starlette.routing import Match
from starlette.types import Scope

from goodword.users.schemas import ExternalId
from goodword.web.json_body import JsonRoute


class ParticipantRoute(JsonRoute):
    """A route that matches the path as it was sent: `%2F` belongs to the external id, and `/` ends it."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        sent = scope.get("raw_path")
        if sent is not None:
            scope = {**scope, "path": sent.decode("latin-1")}
        match, found = super().matches(scope)
        parameters = found.get("path_params", {})
        if "external_id" in parameters:
            # Invalid UTF-8 becomes lone surrogates, which an external id cannot have.
            text = unquote(parameters["external_id"], errors="surrogateescape")
            found["path_params"] = {**parameters, "external_id": text}
        return match, found


ExternalIdPath = Annotated[
    ExternalId,
    Path(
        description="The id of the person in your system, percent-encoded (a slash as `%2F`). Compared in NFC, with "
        "its case."
    ),
]
