"""What others said, as it is shown."""

from datetime import datetime
from typing import Any

from pydantic import Field

from goodword.providers.models import Verdict
from goodword.web.schemas import Instant, Output


class EmailCheckRead(Output):
    email: str = Field(description="As you gave it.", examples=["bob@example.com"])
    verdict: Verdict = Field(
        description="`risky`: the server takes mail for any address, or the mailbox is a web mailer's or a "
        "disposable one. `unknown`: nobody can tell, or nobody was asked.",
        examples=[Verdict.DELIVERABLE],
    )
    provider: str | None = Field(description="Who says so; null if nobody was asked.", examples=["hunter"])
    checked_at: Instant | None = Field(description="When; null if nobody has answered.")


class ProfileRead(Output):
    """What an outside service says about you. It may be wrong, and nobody but you sees it here."""

    full_name: str | None = Field(examples=["Alice Liddell"])
    title: str | None = Field(examples=["Head of Curiosity"])
    role: str | None = Field(examples=["research"])
    company: str | None = Field(examples=["Rabbit Hole Ltd"])
    company_domain: str | None = Field(examples=["rabbit.example"])
    city: str | None = Field(examples=["Oxford"])
    country: str | None = Field(examples=["United Kingdom"])
    linkedin: str | None = Field(examples=["in/alice"])
    github: str | None = Field(examples=["alice"])
    twitter: str | None = Field(examples=["alice"])
    provider: str = Field(examples=["hunter"])
    found_at: Instant

    @classmethod
    def of(cls, profile: Any) -> "ProfileRead":
        names = cls.model_fields.keys() - {"found_at"}
        found_at: datetime = profile.created_at
        return cls(found_at=found_at, **{name: getattr(profile, name) for name in names})
