"""The records of an export or import: programs, users, codes and referrals, and those of rewards."""

import uuid
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter, ValidationError, model_validator
from pydantic_core import PydanticKnownError

from goodword import languages
from goodword.codes.models import Retirement
from goodword.languages import DEFAULT
from goodword.programs.fields import (
    CodeLifetime,
    Currency,
    LinkTarget,
    Period,
    ProgramName,
    Slug,
    TimeZone,
)
from goodword.programs.models import Attribution, ProgramStatus, UnusableLink
from goodword.referrals.models import AttributedBy, ReferralStatus
from goodword.transfer.fields import ExternalId, RecordError, RecordModel, Reference, Refusal, Time, as_text
from goodword.transfer.reward_records import CouponRecord, EventRecord, RewardRecord, RewardRuleRecord
from goodword.users import imported_hashes
from goodword.users.addresses import Email
from goodword.users.models import UserStatus
from goodword.web.schemas import Name, Text


def _hash(encoded: str) -> str:
    try:
        imported_hashes.parse(encoded)
    except imported_hashes.HashTooCostly:
        raise RecordError("password_hash_too_costly") from None
    except imported_hashes.HashUnknown:
        raise RecordError("password_hash_unknown") from None
    return encoded


class ProgramRecord(RecordModel):
    type: Literal["program"] = "program"
    slug: Slug
    name: ProgramName
    status: ProgramStatus = ProgramStatus.ACTIVE
    starts_at: Time | None = None
    ends_at: Time | None = None
    time_zone: TimeZone = "UTC"
    currency: Currency = "USD"
    link_target: LinkTarget | None = None
    unusable_link: UnusableLink = UnusableLink.PAGE
    code_lifetime: CodeLifetime | None = None
    attribution: Attribution = Attribution.LAST_TOUCH
    attribution_window: Period = 2_592_000
    late_entry_grace: Period = 86_400
    remember_touch: bool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.starts_at and self.ends_at and self.starts_at >= self.ends_at:
            raise RecordError("period_invalid")
        return self


class UserRecord(RecordModel):
    type: Literal["user"] = "user"
    external_id: ExternalId | None = None
    program: Slug | None = None
    """The program whose API key reported the user."""
    reported_email: Email | None = None
    """The address that another system reported, which need not belong to the user."""
    signed_up_at: Time | None = None
    email: Email | None = None
    email_verified: bool = False
    verified_at: Time | None = None
    first_name: Name | None = None
    last_name: Name | None = None
    language: Annotated[str, AfterValidator(languages.supported), Field(max_length=35)] = DEFAULT
    status: UserStatus = UserStatus.ACTIVE
    administrator: bool = False
    erased_at: Time | None = None
    password_hash: Annotated[str, AfterValidator(_hash)] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.status == UserStatus.ERASED:
            personal = self.email, self.external_id, self.reported_email, self.first_name, self.last_name
            if self.id is None or any(personal):
                raise RecordError("erased_with_data")
            return self
        of_accounts = self.email_verified, self.verified_at, self.password_hash, self.administrator
        if self.email is None and (self.external_id is None or any(of_accounts)):
            raise RecordError("email_missing")
        if self.reported_email and self.external_id is None:
            raise RecordError("external_id_missing")
        return self


class CodeRecord(RecordModel):
    type: Literal["code"] = "code"
    owner: Reference
    program: Slug | None = None
    """By default the default program."""
    code: Annotated[str, BeforeValidator(as_text), Field(max_length=64)] | None = None
    mac: Annotated[str, Field(pattern="^[0-9a-f]{16}:[0-9a-f]{64}$")] | None = None
    """Of an erased owner, the keyed hash of the code instead of it, after a digest of the key."""
    kind: Literal["generated", "chosen"] = "chosen"
    expires_at: Time
    active: bool = True
    activated_at: Time | None = None
    retired_at: Time | None = None
    retired_reason: Retirement | None = None
    deleted_at: Time | None = None
    max_uses: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    uses: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    discoverable: bool = True

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.code is None) == (self.mac is None):
            raise RecordError("code_missing")
        if self.max_uses is not None and self.uses > self.max_uses:
            raise RecordError("max_uses_too_low")
        if self.retired_at is None and self.retired_reason is not None:
            raise RecordError("retired_at_missing")
        return self


class ReferralRecord(RecordModel):
    type: Literal["referral"] = "referral"
    referrer: Reference | None = None
    """By default the owner of the code."""
    referee: Reference
    code: Annotated[str, BeforeValidator(as_text), Field(max_length=64)] | None = None
    """By default the latest code of the referrer."""
    code_id: uuid.UUID | None = None
    program: Slug | None = None
    """By default that of the code."""
    attributed_by: AttributedBy = AttributedBy.CODE
    status: ReferralStatus = ReferralStatus.CONFIRMED
    reason: Annotated[Text, Field(max_length=255)] | None = None
    confirmed_at: Time | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.referrer is None and self.code is None and self.code_id is None:
            raise RecordError("referrer_missing")
        return self


Record = (
    ProgramRecord
    | UserRecord
    | CodeRecord
    | ReferralRecord
    | RewardRuleRecord
    | EventRecord
    | RewardRecord
    | CouponRecord
)
TYPES: dict[str, type[Record]] = {
    "program": ProgramRecord,
    "user": UserRecord,
    "code": CodeRecord,
    "referral": ReferralRecord,
    "reward_rule": RewardRuleRecord,
    "event": EventRecord,
    "reward": RewardRecord,
    "coupon": CouponRecord,
}
"""In the order of an export: each refers to earlier ones."""
_ANY: TypeAdapter[Record] = TypeAdapter(Annotated[Record, Field(discriminator="type")])
_MODEL_FIELDS = {
    "erased_with_data": "status",
    "email_missing": "email",
    "external_id_missing": "external_id",
    "period_invalid": "ends_at",
    "code_missing": "code",
    "max_uses_too_low": "max_uses",
    "retired_at_missing": "retired_at",
    "referrer_missing": "referrer",
    "rule_invalid": "trigger",
    "currency_missing": "currency",
    "entries_invalid": "entries",
}


def read_json(line: bytes) -> Record | Refusal:
    """Read a line of an NDJSON file."""
    try:
        return _ANY.validate_json(line)
    except (ValidationError, PydanticKnownError) as error:
        return _refusal(error)


def read(values: dict[str, Any]) -> Record | Refusal:
    """Read the values of a line by field."""
    try:
        return _ANY.validate_python(values)
    except (ValidationError, PydanticKnownError) as error:
        return _refusal(error)


def _refusal(error: Any) -> Refusal:
    (found, *_) = error.errors(include_url=False, include_input=False)
    cause = found.get("ctx", {}).get("error")
    code, place = cause.code if isinstance(cause, RecordError) else found["type"], found["loc"]
    field = str(place[1]) if len(place) > 1 else _MODEL_FIELDS.get(code, "type" if "tag" in code else "")
    return Refusal(field if field.isidentifier() and len(field) <= 64 else "", code)
