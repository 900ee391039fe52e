"""The representation of an account in the API."""

import uuid

from pydantic import Field

from goodword.web.schemas import Instant, Output


class UserRead(Output):
    id: uuid.UUID
    email: str = Field(examples=["alice@example.com"])
    email_verified: bool = Field(examples=[False])
    first_name: str | None = Field(examples=["Alice"])
    last_name: str | None = Field(examples=["Liddell"])
    created_at: Instant
    referred_by: str | None = Field(description="Display name of the referrer.", examples=[None])
