"""Schemas of referrals in the API."""

import uuid
from enum import StrEnum

from pydantic import ConfigDict, Field

from goodword.referrals.models import ReferralStatus
from goodword.web.schemas import OMITTED, Instant, Output, without_default


class Order(StrEnum):
    NEWEST = "newest"
    OLDEST = "oldest"


class Interval(StrEnum):
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Referee(Output):
    """The referred user, as shown to the referrer."""

    display_name: str = Field(examples=["Bob B."])
    email_masked: str | None = Field(examples=["b***@example.com"])


class ReferralRead(Output):
    id: uuid.UUID
    referee: Referee
    code: str | None = Field(examples=["7KQ2M9XWPA"])
    status: ReferralStatus = Field(examples=[ReferralStatus.CONFIRMED])
    created_at: Instant
    confirmed_at: Instant | None


class ReferralList(Output):
    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    items: list[ReferralRead]
    next_cursor: str | None
    total: int = Field(
        OMITTED,
        json_schema_extra=without_default,
        description="With `total=true`: the number of referrals on all pages, counted up to 10,000.",
        examples=[12],
    )


class StatusCounts(Output):
    pending: int = 0
    confirmed: int = Field(0, examples=[12])
    rejected: int = 0


class CodeCount(Output):
    code: str | None = Field(examples=["7KQ2M9XWPA"])
    referrals: int = Field(examples=[12])


class Bucket(Output):
    start: Instant
    referrals: int = Field(examples=[12])


class ReferralStats(Output):
    """Counts of the referrals of one referrer between `from` and `to`."""

    from_: Instant = Field(serialization_alias="from")
    to: Instant
    interval: Interval
    total: int = Field(examples=[12])
    by_status: StatusCounts
    by_code: list[CodeCount]
    series: list[Bucket]
