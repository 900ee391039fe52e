"""Re-render a form with its errors."""

from typing import Any

from fastapi import Request
from pydantic import ValidationError

from goodword.errors import AppError
from goodword.services import services_of
from goodword.web.html import messages
from goodword.web.html.rendering import translate_for


def refused(
    request: Request, error: AppError | ValidationError | None, fields: tuple[str, ...]
) -> dict[str, Any]:
    """What the page of a form needs to say of an error: beside the fields, or else above them."""
    if error is None:
        return {"errors": {}, "error": None}
    least = services_of(request).settings.password_min_length
    wrong = messages.wrong_fields(error, fields)
    said = {"errors": {name: translate_for(request, text, least=least) for name, text in wrong.items()}}
    if isinstance(error, ValidationError):
        return {
            **said,
            "status": 422,
            "error": translate_for(request, messages.LOOK_AGAIN if wrong else messages.NOT_SO),
        }
    text = messages.LOOK_AGAIN if wrong else messages.text_of(error)
    return {**said, "status": error.status, "headers": error.headers, "error": translate_for(request, text)}
