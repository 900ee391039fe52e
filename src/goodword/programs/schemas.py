"""Schemas of programs in the API."""

import uuid
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from goodword.programs import fields
from goodword.programs.models import Attribution, ProgramStatus, UnusableLink
from goodword.web.schemas import OMITTED, Input, Instant, Output, without_default

Slug = Annotated[
    fields.Slug, Field(description="Names the program in URLs. It never changes.", examples=["acme"])
]
Name = Annotated[
    fields.ProgramName, Field(description="For administrators.", examples=["Acme: invite a friend"])
]
Status = Annotated[
    Literal["draft", "active", "paused", "ended"],
    Field(description="Codes can be used only while the program is active."),
]
StartsAt = Annotated[Instant | None, Field(description="Codes cannot be used before.")]
EndsAt = Annotated[Instant | None, Field(description="Codes cannot be used from this time on.")]
TimeZone = Annotated[
    fields.TimeZone,
    Field(description="A name of the IANA time zone database.", examples=["Europe/Berlin"]),
]
Currency = Annotated[fields.Currency, Field(description="A code of ISO 4217.", examples=["EUR"])]
LinkTarget = Annotated[
    fields.LinkTarget | None,
    Field(
        description="Where links lead: an http or https URL with `{code}` once, in the path or the query. Null: to "
        "the landing page of this service.",
        examples=["https://acme.example/join?ref={code}"],
    ),
]
Unusable = Annotated[
    Literal["page", "target"],
    Field(
        description="Where the link of a code leads that cannot be used: to our page, or to the target without it."
    ),
]
CodeLifetime = Annotated[
    fields.CodeLifetime | None,
    Field(
        description="In seconds, 60 to 31,622,400. New participants get a code for this time; null: they get none "
        "by themselves.",
        examples=[31_536_000],
    ),
]
AttributionModel = Annotated[
    Literal["first_touch", "last_touch"],
    Field(description="Which click counts if a person registers without a code."),
]
Window = Annotated[
    fields.Period,
    Field(
        description="In seconds. How long after a click a registration without a code counts.",
        examples=[2_592_000],
    ),
]
Grace = Annotated[
    fields.Period,
    Field(
        description="In seconds. How long after the sign-up a person can still enter a code.",
        examples=[86_400],
    ),
]
RememberTouch = Annotated[
    bool, Field(description="Whether our pages set a cookie with the click. The visitor may have to consent.")
]


class ProgramCreate(Input):
    """A new program. It is active unless another `status` is given."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "slug": "acme",
                    "name": "Acme: invite a friend",
                    "time_zone": "Europe/Berlin",
                    "currency": "EUR",
                    "link_target": "https://acme.example/join?ref={code}",
                }
            ]
        }
    )

    slug: Slug
    name: Name
    status: Status = ProgramStatus.ACTIVE.value
    starts_at: StartsAt = None
    ends_at: EndsAt = None
    time_zone: TimeZone = "UTC"
    currency: Currency = "USD"
    link_target: LinkTarget = None
    unusable_link: Unusable = UnusableLink.PAGE.value
    code_lifetime: CodeLifetime = 365 * fields.DAY
    attribution: AttributionModel = Attribution.LAST_TOUCH.value
    attribution_window: Window = 30 * fields.DAY
    late_entry_grace: Grace = fields.DAY
    remember_touch: RememberTouch = False


def _omitted() -> Any:
    return Field(OMITTED, json_schema_extra=without_default)


class ProgramUpdate(Input):
    """An omitted field stays as it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "paused"}]})

    name: Name = _omitted()
    status: Status = _omitted()
    starts_at: StartsAt = _omitted()
    ends_at: EndsAt = _omitted()
    time_zone: TimeZone = _omitted()
    currency: Currency = _omitted()
    link_target: LinkTarget = _omitted()
    unusable_link: Unusable = _omitted()
    code_lifetime: CodeLifetime = _omitted()
    attribution: AttributionModel = _omitted()
    attribution_window: Window = _omitted()
    late_entry_grace: Grace = _omitted()
    remember_touch: RememberTouch = _omitted()


class ProgramRead(Output):
    """A program."""

    id: uuid.UUID
    slug: str = Field(examples=["acme"])
    name: str = Field(examples=["Acme: invite a friend"])
    is_default: bool = Field(
        description="Whether it is the program of everything that names none.", examples=[False]
    )
    status: ProgramStatus = Field(examples=[ProgramStatus.ACTIVE])
    starts_at: Instant | None = Field(examples=[None])
    ends_at: Instant | None = Field(examples=[None])
    time_zone: str = Field(examples=["Europe/Berlin"])
    currency: str = Field(examples=["EUR"])
    link_target: str | None = Field(examples=["https://acme.example/join?ref={code}"])
    unusable_link: UnusableLink
    code_lifetime: int | None = Field(examples=[31_536_000])
    attribution: Attribution = Field(examples=[Attribution.LAST_TOUCH])
    attribution_window: int = Field(examples=[2_592_000])
    late_entry_grace: int = Field(examples=[86_400])
    remember_touch: bool = Field(examples=[False])
    created_at: Instant


class ProgramList(Output):
    items: list[ProgramRead]
    next_cursor: str | None
