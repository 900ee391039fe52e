"""Base classes of schemas, and shared field types."""

import re
import unicodedata
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError, PydanticKnownError

BIDI_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})  # controls, lone surrogates, line separators
MAX_LENGTH = 1024
RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def reject_control_characters(text: str) -> str:
    """Return the text unchanged. Raises if it has characters that control, hide or reorder text."""
    for character in text:
        if unicodedata.category(character) in FORBIDDEN_CATEGORIES or character in BIDI_CONTROLS:
            raise PydanticCustomError("text_forbidden_character", "Control characters are not allowed here.")
    return text


def clean(text: str) -> str:
    """Return the text in NFC. Raises for control characters and long texts."""
    if len(text) > MAX_LENGTH:  # NFC takes quadratic time for some texts
        raise PydanticKnownError("string_too_long", {"max_length": MAX_LENGTH})
    return unicodedata.normalize("NFC", reject_control_characters(text))


def _name(text: str) -> str:
    if len(text) > 100:
        raise PydanticKnownError("string_too_long", {"max_length": 100})
    if not any(unicodedata.category(character)[0] in "LNPS" for character in text):
        raise PydanticCustomError(
            "text_blank", "Must contain a visible character. Omit the field for no value."
        )
    return text


def _instant(value: Any) -> Any:
    if isinstance(value, datetime):
        return value  # from a model that is being serialized
    if not isinstance(value, str) or not RFC3339.fullmatch(value):
        raise PydanticCustomError(
            "time_invalid", "Send an RFC 3339 time with its offset, such as 2030-01-31T12:00:00Z."
        )
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise PydanticCustomError("time_invalid", "This date or time does not exist.") from None


def _decimal(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(r"-?[0-9]{1,18}", value):
        raise PydanticCustomError("int_parsing", "Input should be a whole number in decimal digits.")
    return int(value) if isinstance(value, str) else value


EXAMPLE_TIME = "2030-01-31T12:00:00Z"
"""In examples. The OpenAPI document replaces it by a time in the near future."""

Text = Annotated[str, AfterValidator(clean)]
Password = Annotated[str, AfterValidator(reject_control_characters)]
"""Not normalised: `users.passwords` normalises it and checks its length."""
Instant = Annotated[
    datetime,
    BeforeValidator(_instant),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": [EXAMPLE_TIME]}),
]
from_digits = BeforeValidator(_decimal)
"""Reads an integer of plain digits in a query string, not `1.0` or `1_000`. It follows the bounds in `Annotated`, as
Pydantic writes them into the JSON schema only then."""
NewPassword = Annotated[Password, WithJsonSchema({"type": "string", "minLength": 8, "maxLength": 256})]
"""The bounds are those of `users.passwords` with the default minimum."""

Name = Annotated[
    Text, AfterValidator(_name), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 100})
]


OMITTED: Any = None
"""The default of a field that can be omitted and is not null. `model_fields_set` shows whether it was given."""


def without_default(schema: dict[str, Any]) -> None:
    """Remove the default from the JSON schema of a field that may be left out."""
    del schema["default"]


class Input(BaseModel):
    """A request body without unknown fields or type coercion."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


def example(body: dict[str, Any]) -> ConfigDict:
    """Return the configuration of a schema with an example for the documentation."""
    return ConfigDict(json_schema_extra={"examples": [body]})


class Output(BaseModel):
    """A response body. Each lists its fields, so a new column is not published by accident."""

    model_config = ConfigDict(
        from_attributes=True,
        frozen=True,
        json_schema_serialization_defaults_required=True,
        serialize_by_alias=True,
    )


class FieldError(Output):
    """An invalid field, in a problem document."""

    field: str = Field(examples=["body.items.0.email"])
    code: str = Field(examples=["value_error"])
    message: str
