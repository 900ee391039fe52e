"""Template values for the errors of a form."""

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
    """Return the template values that show an error beside the fields, or above the form."""
    if error is None:
        return {"errors": {}, "error": None}
    least = services_of(request).settings.password_min_length
    wrong = messages.wrong_fields(error, fields)
    values: dict[str, Any] = {
        "errors": {name: translate_for(request, text, least=least) for name, text in wrong.items()}
    }
    if isinstance(error, ValidationError):
        values["status"], text = 422, messages.LOOK_AGAIN if wrong else messages.NOT_SO
    else:
        values |= {"status": error.status, "headers": error.headers}
        text = messages.LOOK_AGAIN if wrong else messages.text_of(error)
    return values | {"error": translate_for(request, text)}
