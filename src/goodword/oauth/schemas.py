"""Responses of the OAuth endpoints, and authorized apps."""

from typing import Literal

from pydantic import ConfigDict, Field

from goodword.web.schemas import Instant, Output

EXAMPLE_SCOPE = "openid referrals:read offline_access"


class SparseOutput(Output):
    """A response body that omits null fields."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)


class TokenAnswer(SparseOutput):
    """A token response (RFC 6749 §5.1, OpenID Connect Core §3.1.3.3). Tokens that were not granted are omitted."""

    model_config = ConfigDict(
        json_schema_extra={"required": ["access_token", "token_type", "expires_in", "scope"]}
    )

    access_token: str = Field(
        description="A JWT for `Authorization: Bearer …`.", examples=["eyJhbGciOiJFUzI1…"]
    )
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105
    expires_in: int = Field(description="Seconds that the access token works.", examples=[600])
    scope: str = Field(description="What was granted, which may be less.", examples=[EXAMPLE_SCOPE])
    refresh_token: str | None = Field(
        default=None,
        description="For this endpoint, once. Apps get one with `offline_access`.",
        examples=["gwr_AZrd0c…"],
    )
    id_token: str | None = Field(
        default=None, description="Who signed in, with `openid`.", examples=["eyJhbGciOiJFUzI1…"]
    )


class Introspection(SparseOutput):
    """An introspection response (RFC 7662 §2.2). Only `active` for a token that is not valid or not the caller's."""

    active: bool = Field(examples=[True])
    scope: str | None = Field(default=None, examples=[EXAMPLE_SCOPE])
    client_id: str | None = Field(default=None, examples=["gwc_5f0c1d2e3b4a596877869504"])
    sub: str | None = Field(default=None, examples=["019aa8c2-7a51-7c1e-9d3f-6a0b4f2e8d11"])
    iss: str | None = Field(default=None, examples=["https://goodword.example"])
    token_type: str | None = Field(default=None, examples=["Bearer"])
    iat: int | None = Field(default=None, examples=[1893456000])
    exp: int | None = Field(default=None, examples=[1893456600])


class UserInfo(SparseOutput):
    """Claims about the user that the scopes of the token allow (OpenID Connect Core §5.3.2)."""

    sub: str = Field(examples=["019aa8c2-7a51-7c1e-9d3f-6a0b4f2e8d11"])
    name: str | None = Field(default=None, description="With `profile`.", examples=["Alice Liddell"])
    given_name: str | None = Field(default=None, description="With `profile`.", examples=["Alice"])
    family_name: str | None = Field(default=None, description="With `profile`.", examples=["Liddell"])
    email: str | None = Field(default=None, description="With `email`.", examples=["alice@example.com"])
    email_verified: bool | None = Field(default=None, description="With `email`.", examples=[True])


class TokenError(SparseOutput):
    """An error response (RFC 6749 §5.2)."""

    error: str = Field(examples=["invalid_request"])
    error_description: str | None = None


class AppRead(Output):
    client_id: str = Field(examples=["gwc_5f0c1d2e3b4a596877869504"])
    name: str = Field(examples=["Alice's garden newsletter"])
    scope: str = Field(description="All that you let it do.", examples=[EXAMPLE_SCOPE])
    created_at: Instant


class AppList(Output):
    items: list[AppRead]
    next_cursor: str | None
