"""Template values for the errors of a form."""

from collections.abc import Sequence
from typing import Any

from fastapi import Request
from pydantic import ValidationError

from goodword.errors import AppError
from goodword.services import services_of
from goodword.web.html import messages
from goodword.web.html.rendering import explain, translate_for


def error_context(
    request: Request,
    error: AppError | ValidationError | None,
    fields: tuple[str, ...],
    *,
    others: Sequence[AppError] = (),
) -> dict[str, Any]:
    """Return the template values that show an error beside the fields, or above the form.

    `others` are shown beside fields for which `error` has no text.
    """
    if error is None:
        return {"errors": {}, "error": None}
    least = services_of(request).settings.password_min_length
    found: dict[str, str] = {}
    for one in (*others, error):
        found |= messages.field_errors(one, fields)
    texts = {name: found[name] for name in fields if name in found}
    values: dict[str, Any] = {"status": 422}
    if isinstance(error, AppError):
        values = {"status": error.status, "headers": error.headers}
    values["errors"] = {name: translate_for(request, text, least=least) for name, text in texts.items()}
    if texts:
        values["error"] = translate_for(request, messages.CHECK_FIELDS)
    elif isinstance(error, AppError):
        values["error"] = explain(request, error)
    else:
        values["error"] = translate_for(request, messages.NOT_POSSIBLE)
    return values
