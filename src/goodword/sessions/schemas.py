"""Request and response bodies of sessions."""

import uuid
from typing import Literal

from pydantic import Field

from goodword.web.schemas import Input, Instant, Output, Password, Text, example


class SessionCreate(Input):
    model_config = example({"email": "alice@example.com", "password": "seven lanterns on the hill"})

    email: Text = Field(max_length=320)
    password: Password = Field(max_length=1024)


class TokenRead(Output):
    """Tokens in the form of RFC 6749 §5.1."""

    access_token: str = Field(
        description="A JWT for `Authorization: Bearer …`.", examples=["eyJhbGciOiJFUzI1…"]
    )
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105
    expires_in: int = Field(description="Lifetime of the access token in seconds.", examples=[600])
    refresh_token: str = Field(description="For `POST /oauth/token`, once.", examples=["gwr_AZrd0c…"])
    scope: str = Field(examples=["profile email codes:read codes:write referrals:read account"])


class SessionRead(Output):
    id: uuid.UUID
    current: bool = Field(description="Whether this is the session of the request.")
    client: str = Field(description="`goodword`, or the id of an authorized app.", examples=["goodword"])
    device: str | None = Field(examples=["Firefox on Linux"])
    place: str | None = Field(
        description="The network of the client at the sign-in.", examples=["203.0.113.0/24"]
    )
    created_at: Instant
    last_used_at: Instant
    expires_at: Instant


class SessionList(Output):
    items: list[SessionRead]
    next_cursor: str | None
