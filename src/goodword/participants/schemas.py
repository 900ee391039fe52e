"""Schemas of participants in the API."""

import uuid
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError
from typing_extensions import TypeAliasType

from goodword import languages
from goodword.attribution.reasons import Reason
from goodword.codes.schemas import ONE_TERM, CodeCreate, PastedCode
from goodword.programs.fields import Slug
from goodword.referrals.models import AttributedBy, ReferralStatus
from goodword.referrals.schemas import Referee
from goodword.users.addresses import Email
from goodword.users.schemas import ExternalId
from goodword.web.batches import ItemError, items_of
from goodword.web.schemas import OMITTED, Input, Instant, Name, Output, Text, without_default

MAX_TOUCHES = 20


class Warnings(StrEnum):
    """Why a code, a touch or an address was not used as it was given."""

    CODE_UNKNOWN = Reason.CODE_UNKNOWN
    CODE_EXPIRED = Reason.CODE_EXPIRED
    CODE_RETIRED = Reason.CODE_RETIRED
    CODE_USED_UP = Reason.CODE_USED_UP
    PROGRAM_NOT_ACTIVE = Reason.PROGRAM_NOT_ACTIVE
    REFERRER_NOT_ACTIVE = Reason.REFERRER_NOT_ACTIVE
    SELF_REFERRAL = Reason.SELF_REFERRAL
    ALREADY_REFERRED = Reason.ALREADY_REFERRED
    REFERRAL_CYCLE = Reason.REFERRAL_CYCLE
    ALREADY_REGISTERED = Reason.ALREADY_REGISTERED
    EMAIL_IN_USE = "email_in_use"


def _touches(given: Any) -> tuple[uuid.UUID, ...]:
    """Return the ids of touches. Text that is no id came from a browser, and is ignored."""
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise PydanticCustomError("touch_invalid", "Send the id of a touch, or a list of ids.")
    if len(texts) > MAX_TOUCHES:
        raise PydanticCustomError("touches_too_many", "Send at most 20 touches.")
    found = []
    for text in texts:
        try:
            found.append(uuid.UUID(text))
        except ValueError:
            continue
    return tuple(found)


_ONE_TOUCH: dict[str, JsonValue] = {"type": "string", "maxLength": 1024}
TouchIds = TypeAliasType(
    "TouchIds",
    Annotated[
        tuple[uuid.UUID, ...],
        BeforeValidator(_touches),
        WithJsonSchema(
            {"anyOf": [{"type": "array", "items": _ONE_TOUCH, "maxItems": MAX_TOUCHES}, _ONE_TOUCH]}
        ),
    ],
)
Language = Annotated[
    Text,
    Field(max_length=35),
    AfterValidator(languages.supported),
    WithJsonSchema({"type": "string", "maxLength": 35, "examples": ["en"]}),
]
PERSON: dict[str, Any] = {
    "email": "alice@example.com",
    "first_name": "Alice",
    "last_name": "Liddell",
    "language": "en",
    "referral_code": "7KQ2M9XWPA",
}


class ParticipantWrite(Input):
    """What your product knows about a person. An omitted field stays as it is; null removes what can be removed."""

    model_config = ConfigDict(json_schema_extra={"examples": [PERSON]})

    email: Email | None = Field(
        None, description="The address. No e-mail goes to it, and it is no way to sign in."
    )
    first_name: Name | None = None
    last_name: Name | None = None
    language: Language = Field(
        OMITTED,
        json_schema_extra=without_default,
        description="A tag such as `en-GB`. Of a language that has no e-mails and pages here, English takes the place.",
    )
    referral_code: PastedCode | None = Field(
        None,
        description="The code that the person gave, or its link. It counts at the first call, or within the grace of the program.",
    )
    touch: TouchIds | None = Field(
        None, description="The `touch` that the link added to your address: one id, or at most 20."
    )
    signed_up_at: Instant | None = Field(
        None, description="When the person signed up to your product. By default at the first call."
    )
    program: Slug | None = Field(
        None, description="The slug of the program. By default that of the API key, else the default program."
    )


class BatchItem(ParticipantWrite):
    """A person of a batch."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"external_id": "user-42", **PERSON}]})

    external_id: ExternalId


class Batch(Input):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"items": [{"external_id": "user-42", **PERSON}, {"external_id": "user-43"}]}]
        }
    )

    items: items_of(BatchItem)  # type: ignore[valid-type]


class ParticipantCodeCreate(CodeCreate):
    """A new code of a participant. Exactly one of `expires_at` and `lifetime` is required."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"lifetime": 604800},
                {"lifetime": 604800, "code": "SUMMER-WITH-BOB", "max_uses": 10},
            ],
            **ONE_TERM,
        }
    )

    program: Slug | None = Field(
        None, description="The slug of the program. By default that of the API key, else the default program."
    )


class ParticipantCode(Output):
    """The code that the person can share now."""

    code: str = Field(examples=["7KQ2M9XWPA"])
    link: str = Field(examples=["http://127.0.0.1:8000/r/7KQ2M9XWPA"])
    expires_at: Instant


class ReferrerRead(Output):
    external_id: str | None = Field(
        description="Null if the referrer is no participant.", examples=["user-7"]
    )
    display_name: str = Field(examples=["Bob B."])


class ParticipantReferral(Output):
    """By whom the person was referred, and why."""

    id: uuid.UUID
    status: ReferralStatus = Field(examples=[ReferralStatus.CONFIRMED])
    referrer: ReferrerRead
    code: str | None = Field(examples=["7KQ2M9XWPA"])
    attributed_by: AttributedBy = Field(examples=[AttributedBy.CODE])
    touch: uuid.UUID | None = Field(description="The touch that counted.", examples=[None])
    reason: str | None = Field(description="Why it was rejected.", examples=[None])
    created_at: Instant
    confirmed_at: Instant | None


class ParticipantRead(Output):
    id: uuid.UUID = Field(
        description="The id of the person here. It changes if the person turns out to have an account: keep the external id."
    )
    external_id: str = Field(examples=["user-42"])
    email: str | None = Field(examples=["alice@example.com"])
    email_verified: bool = Field(examples=[False])
    first_name: str | None = Field(examples=["Alice"])
    last_name: str | None = Field(examples=["Liddell"])
    language: str = Field(examples=["en"])
    created_at: Instant
    signed_up_at: Instant
    code: ParticipantCode | None
    referral: ParticipantReferral | None
    warnings: list[Warnings] = Field(
        description="Why a code, a touch or the address was not used as given.", examples=[[]]
    )


class ItemResult(Output):
    """The result of one item, in the order of the request. It has either a `participant` or an `error`."""

    external_id: str | None = Field(description="Null if it was not a text.", examples=["user-42"])
    status: int = Field(description="As of a single PUT: 201, 200 or that of the error.", examples=[201])
    participant: ParticipantRead | None
    error: ItemError | None = Field(examples=[None])


class StoredItem(BaseModel):
    """What is kept of a result for a repeated request: nothing about the person."""

    status: int
    within: uuid.UUID | None = None
    warnings: list[Warnings] = []
    error: ItemError | None = None


class StoredBatch(BaseModel):
    items: list[StoredItem]


class BatchResult(Output):
    items: list[ItemResult]


class ParticipantReferee(Referee):
    external_id: str | None = Field(examples=["user-42"])


class ParticipantReferralItem(Output):
    """A referral of the participant, as its list shows it."""

    id: uuid.UUID
    referee: ParticipantReferee
    code: str | None = Field(examples=["7KQ2M9XWPA"])
    status: ReferralStatus = Field(examples=[ReferralStatus.CONFIRMED])
    created_at: Instant
    confirmed_at: Instant | None


class ParticipantReferrals(Output):
    items: list[ParticipantReferralItem]
    next_cursor: str | None


class EmbedToken(Output):
    access_token: str = Field(examples=["eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.…"])
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  the type
    expires_in: int = Field(description="In seconds.", examples=[600])
