"""What every schema is made of: the strict base, and the few types of field that the API shares."""

import re
import unicodedata
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError, PydanticKnownError

BIDI_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})  # controls, lone surrogates, line separators
LONGEST = 1024
RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def reject_control_characters(text: str) -> str:
    """The text as it is. Refuses what nobody needs and what hides or reorders other text."""
    for character in text:
        if unicodedata.category(character) in FORBIDDEN_CATEGORIES or character in BIDI_CONTROLS:
            raise PydanticCustomError("text_forbidden_character", "Control characters are not allowed here.")
    return text


def clean(text: str) -> str:
    """The text in NFC, without what `harmless` refuses."""
    if len(text) > LONGEST:  # NFC takes time that grows with the square of a hostile text
        raise PydanticKnownError("string_too_long", {"max_length": LONGEST})
    return unicodedata.normalize("NFC", reject_control_characters(text))


def _name(text: str) -> str:
    if len(text) > 100:
        raise PydanticKnownError("string_too_long", {"max_length": 100})
    if not any(unicodedata.category(character)[0] in "LNPS" for character in text):
        raise PydanticCustomError(
            "text_blank", "There is nothing to see in this. Leave the field out instead."
        )
    return text


def _instant(value: Any) -> Any:
    if isinstance(value, datetime):
        return value  # from our own code: a model on its way out
    if not isinstance(value, str) or not RFC3339.fullmatch(value):
        raise PydanticCustomError(
            "time_invalid", "Give an RFC 3339 time with its offset, such as 2030-01-31T12:00:00Z."
        )
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise PydanticCustomError("time_invalid", "There is no such time.") from None


def _decimal(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(r"-?[0-9]{1,18}", value):
        raise PydanticCustomError("int_parsing", "Input should be a whole number in decimal digits.")
    return int(value) if isinstance(value, str) else value


Text = Annotated[str, AfterValidator(clean)]
Password = Annotated[str, AfterValidator(reject_control_characters)]
"""In the form that was typed: `users.passwords` sees to its length and its form."""
Instant = Annotated[
    datetime,
    BeforeValidator(_instant),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2030-01-31T12:00:00Z"]}),
]
QueryInt = Annotated[int, BeforeValidator(_decimal)]
"""A whole number in a query string, in plain digits: neither `1.0` nor `1_000`."""

Name = Annotated[
    Text, AfterValidator(_name), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 100})
]


class Input(BaseModel):
    """A request body: unknown fields are refused, and nothing is coerced."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


class Output(BaseModel):
    """An answer. It lists its fields itself, so that a new column never leaks by inheritance."""

    model_config = ConfigDict(from_attributes=True, frozen=True)
