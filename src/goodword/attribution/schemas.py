"""Schemas of the validation of a code."""

import uuid
from typing import Self

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from goodword.attribution.reasons import Reason
from goodword.codes.schemas import PastedCode
from goodword.web.schemas import Input, Instant, Output, Text, example


class CodeParticipant(Input):
    """A person whom a product reports, by one of the two ids."""

    model_config = example({"external_id": "user-42"})

    external_id: Text | None = Field(
        default=None, min_length=1, max_length=255, description="The id in your product."
    )
    id: uuid.UUID | None = Field(default=None, strict=False, description="The id in this service.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.external_id is None) == (self.id is None):
            raise PydanticCustomError("participant_ambiguous", "Send either `external_id` or `id`.")
        return self


class CodeValidate(Input):
    model_config = example({"code": "7KQ2M9XWPA", "participant": {"external_id": "user-42"}})

    code: PastedCode = Field(description="The code, or its link.", examples=["7KQ2M9XWPA"])
    program: Text | None = Field(
        default=None,
        max_length=63,
        description="Slug of the only program whose codes count.",
        examples=["default"],
    )
    participant: CodeParticipant | None = Field(
        default=None, description="Who wants to use the code. Read for API keys only."
    )


OPTIONAL = ConfigDict(json_schema_serialization_defaults_required=False)
"""For answers without the fields that are null."""


class CodeReferrer(Output):
    model_config = OPTIONAL

    display_name: str = Field(examples=["Alice L."])
    external_id: str | None = Field(default=None, examples=["user-7"])


class CodeValidity(Output):
    """What is absent is unknown, or not for the caller."""

    model_config = OPTIONAL

    usable: bool = Field(examples=[True])
    reason: Reason | None = Field(
        default=None, description="The first that holds.", examples=[Reason.CODE_EXPIRED]
    )
    code: str | None = Field(default=None, examples=["7KQ2M9XWPA"])
    expires_at: Instant | None = None
    program: str | None = Field(default=None, examples=["default"])
    referrer: CodeReferrer | None = None
