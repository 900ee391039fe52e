"""The fields that records of an export or import share, and how a value is refused."""

import uuid
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError, PydanticKnownError

from goodword.users.schemas import check_external_id
from goodword.web.schemas import Instant, clean

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


class Refusal(NamedTuple):
    """Why a line is refused. `code` is stable."""

    field: str
    code: str


class RecordError(ValueError):
    """A value that a record cannot have."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _external_id(text: str) -> str:
    try:
        return check_external_id(text)
    except (PydanticCustomError, PydanticKnownError):
        raise RecordError("external_id_invalid") from None


def _time(moment: datetime) -> datetime:
    if moment < EARLIEST:
        raise RecordError("time_invalid")
    return moment


def _reference(value: Any) -> Any:
    """Return the value and its kind: an id, an external id, an address, or any of them."""
    if isinstance(value, dict) and len(value) == 1:
        ((kind, value),) = value.items()
        if kind not in ("id", "external_id", "email", "any"):  # `any` is that of a deferred record
            raise RecordError("reference_invalid")
    else:
        kind = "any"
    value = as_text(value)
    if not isinstance(value, str) or not 0 < len(value) <= 320:
        raise RecordError("reference_invalid")
    try:
        return {kind: clean(value)}
    except PydanticCustomError:
        raise RecordError("reference_invalid") from None


Time = Annotated[Instant, AfterValidator(_time)]
ExternalId = Annotated[
    str, BeforeValidator(as_text), AfterValidator(_external_id), Field(min_length=1, max_length=255)
]
Reference = Annotated[dict[str, str], BeforeValidator(_reference)]
"""A user by `{"id": …}`, `{"external_id": …}` or `{"email": …}`, or a text that is one of these."""


class RecordModel(BaseModel):
    """A record. All have an id and a time of creation, which a file need not give."""

    # Not strict: in CSV all values are texts.
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    id: uuid.UUID | None = None
    created_at: Time | None = None
