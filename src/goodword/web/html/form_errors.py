"""Template values for the errors of a form."""

from typing import Any

from fastapi import Request
from pydantic import ValidationError

from goodword.errors import AppError
from goodword.services import services_of
from goodword.web.html import messages
from goodword.web.html.rendering import translate_for


def error_context(
    request: Request, error: AppError | ValidationError | None, fields: tuple[str, ...]
) -> dict[str, Any]:
    """Return the template values that show an error beside the fields, or above the form."""
    if error is None:
        return {"errors": {}, "error": None}
    least = services_of(request).settings.password_min_length
    texts = messages.field_errors(error, fields)
    values: dict[str, Any] = {"status": 422}
    text = messages.NOT_POSSIBLE
    if isinstance(error, AppError):
        values, text = {"status": error.status, "headers": error.headers}, messages.text_of(error)
    values["errors"] = {name: translate_for(request, one, least=least) for name, one in texts.items()}
    return values | {"error": translate_for(request, messages.CHECK_FIELDS if texts else text)}
