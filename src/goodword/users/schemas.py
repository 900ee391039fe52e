"""The representation of an account in the API, and the type of external ids."""

import uuid
from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError, PydanticKnownError

from goodword.web.schemas import Instant, Output, clean

MAX_EXTERNAL_ID = 255


def check_external_id(text: str) -> str:
    """Return an external id in NFC. Raises errors of Pydantic."""
    text = clean(text)
    if not text:
        raise PydanticKnownError("string_too_short", {"min_length": 1})
    if len(text) > MAX_EXTERNAL_ID:
        raise PydanticKnownError("string_too_long", {"max_length": MAX_EXTERNAL_ID})
    if text != text.strip():
        raise PydanticCustomError("external_id_blank", "Must not begin or end with a blank.")
    return text


ExternalId = Annotated[
    str,
    AfterValidator(check_external_id),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_EXTERNAL_ID, "examples": ["user-42"]}),
]
"""The id of a person in another system, in NFC: 1 to 255 characters without control characters."""


class UserRead(Output):
    id: uuid.UUID
    email: str = Field(examples=["alice@example.com"])
    email_verified: bool = Field(examples=[False])
    first_name: str | None = Field(examples=["Alice"])
    last_name: str | None = Field(examples=["Liddell"])
    created_at: Instant
    referred_by: str | None = Field(description="Display name of the referrer.", examples=[None])
