"""Responses with data of providers."""

from pydantic import Field

from goodword.providers.models import Verdict
from goodword.web.schemas import Instant, Output


class EmailCheckRead(Output):
    email: str = Field(description="As in the request.", examples=["bob@example.com"])
    verdict: Verdict = Field(
        description="`risky`: the server accepts mail for any address, or the mailbox is from a web mailer or "
        "disposable. `unknown`: the provider does not know, or was not asked.",
        examples=[Verdict.DELIVERABLE],
    )
    provider: str | None = Field(
        description="The source; null if no provider was asked.", examples=["hunter"]
    )
    checked_at: Instant | None = Field(description="Null if no provider has answered.")


class ProfileRead(Output):
    """Data about you from a provider. It may be wrong, and is visible only to you."""

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
    found_at: Instant = Field(validation_alias="created_at")
