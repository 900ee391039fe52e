"""Schemas of referral codes in the API."""

from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, JsonValue, WithJsonSchema

from goodword.codes import code_format
from goodword.codes.models import CodeStatus
from goodword.web.schemas import (
    EXAMPLE_TIME,
    OMITTED,
    Input,
    Instant,
    Output,
    reject_control_characters,
    without_default,
)

# Not normalised to NFC, unlike other texts: that would turn the Kelvin sign into a K.
Chosen = Annotated[
    str,
    Field(max_length=64),
    AfterValidator(reject_control_characters),
    WithJsonSchema({"type": "string", "minLength": 4, "maxLength": 64}),
]
Lifetime = Annotated[int, WithJsonSchema({"type": "integer", "minimum": 60, "maximum": 31_622_400})]
"""In seconds. The service checks the bounds, with error codes of their own."""
PastedCode = Annotated[str, Field(max_length=1024), AfterValidator(code_format.check_pasted)]
"""A code or its link, as people paste it."""
Uses = Annotated[int, Field(ge=1, le=1_000_000)]


_NULL: JsonValue = {"type": "null"}
_TERMS: list[JsonValue] = ["expires_at", "lifetime"]
ONE_TERM: dict[str, JsonValue] = {
    "not": {
        "anyOf": [
            {"properties": {"expires_at": _NULL, "lifetime": _NULL}},
            {"required": _TERMS, "properties": {"expires_at": {"not": _NULL}, "lifetime": {"not": _NULL}}},
        ]
    }
}
"""A JSON schema for exactly one of the two fields that is not null. Of a `oneOf`, generators would make two classes."""


class CodeCreate(Input):
    """A new code. Exactly one of `expires_at` and `lifetime` is required."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"lifetime": 604800},
                {
                    "expires_at": EXAMPLE_TIME,
                    "code": "ALICE-LIDDELL",
                    "max_uses": 10,
                    "active": False,
                },
            ],
            **ONE_TERM,
        }
    )

    expires_at: Instant | None = Field(None, description="The time at which the code expires.")
    lifetime: Lifetime | None = Field(None, description="The term in seconds, 60 to 31,622,400.")
    code: Chosen | None = Field(None, description="A code of your choice: 4–32 letters, digits and hyphens.")
    active: bool = Field(True, description="False creates a prepared code, which you can activate later.")
    max_uses: Uses | None = Field(
        None, description="How many friends can join with it. Unlimited by default."
    )
    discoverable: bool = Field(True, description="Whether it can be found by your e-mail address.")


class CodeUpdate(Input):
    """An omitted field stays as it is. At most one of `expires_at` and `lifetime` can be given."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"lifetime": 2592000, "max_uses": 20}],
            "not": {"required": ["expires_at", "lifetime"], "properties": {"expires_at": {}, "lifetime": {}}},
        }
    )

    discoverable: bool = Field(
        OMITTED,
        json_schema_extra=without_default,
        description="Whether it can be found by your e-mail address.",
    )
    expires_at: Instant = Field(
        OMITTED, json_schema_extra=without_default, description="The new time at which the code expires."
    )
    lifetime: Lifetime = Field(
        OMITTED,
        json_schema_extra=without_default,
        description="The new term in seconds from now, 60 to 31,622,400.",
    )
    max_uses: Uses | None = Field(
        None, description="How many friends can join with it, not below `uses`. Null removes the limit."
    )


class CodeActivate(Input):
    model_config = ConfigDict(json_schema_extra={"examples": [{"replace": True}]})

    replace: bool = Field(False, description="Retire the code that is active now in the same step.")


class CodeRead(Output):
    """A code, for its owner."""

    code: str = Field(examples=["7KQ2M9XWPA"])
    status: CodeStatus = Field(examples=[CodeStatus.ACTIVE])
    link: str = Field(examples=["http://127.0.0.1:8000/r/7KQ2M9XWPA"])
    expires_at: Instant
    created_at: Instant
    activated_at: Instant | None
    retired_at: Instant | None
    max_uses: int | None = Field(examples=[None])
    uses: int = Field(examples=[0])
    discoverable: bool


class CodeList(Output):
    items: list[CodeRead]
    next_cursor: str | None


class Referrer(Output):
    display_name: str = Field(examples=["Alice L."])


class CodeFound(Output):
    """A usable code, for everyone who knows the code."""

    code: str = Field(examples=["7KQ2M9XWPA"])
    expires_at: Instant
    referrer: Referrer


class CodeFoundByEmail(Output):
    """A usable code, for everyone who knows the e-mail address of its owner."""

    code: str = Field(examples=["7KQ2M9XWPA"])
    link: str = Field(examples=["http://127.0.0.1:8000/r/7KQ2M9XWPA"])
    expires_at: Instant
    referrer: Referrer
