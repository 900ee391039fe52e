"""OAuth clients, consents and authorization codes."""

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, String, Text, false, true
from sqlalchemy.orm import Mapped, mapped_column

from goodword.db.base import Base
from goodword.sessions.keys import RS256


class OAuthClient(Base):
    """A client (RFC 6749 §2). Public if it has no secret."""

    __tablename__ = "oauth_clients"
    __table_args__ = (Index("uq_oauth_clients_client_id", "client_id", unique=True),)

    client_id: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(100))
    secret_mac: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    redirect_uris: Mapped[str] = mapped_column(Text)
    """One a line, compared as strings. The port of a loopback address may vary (RFC 8252 §7.3)."""
    scope: Mapped[str] = mapped_column(String(255))
    """The scopes that it may request."""
    grant_types: Mapped[str] = mapped_column(String(255))
    pkce_required: Mapped[bool] = mapped_column(default=True, server_default=true())
    """Always for public clients. A confidential one authenticates with its secret too."""
    id_token_alg: Mapped[str] = mapped_column(String(16), default=RS256, server_default=RS256)
    claims_in_id_token: Mapped[bool] = mapped_column(default=False, server_default=false())
    post_logout_redirect_uris: Mapped[str] = mapped_column(Text, default="", server_default="")
    """One a line."""
    disabled_at: Mapped[datetime | None]


class OAuthGrant(Base):
    """A user's consent to a client. The user is asked once, and can revoke it."""

    __tablename__ = "oauth_grants"
    __table_args__ = (
        Index("uq_oauth_grants_user_id_client_id", "user_id", "client_id", unique=True),
        Index("ix_oauth_grants_client_id", "client_id"),
    )

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    client_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("oauth_clients.id"))
    scope: Mapped[str] = mapped_column(String(255))


class OAuthCode(Base):
    """An authorization code (RFC 6749 §4.1): works once, within a minute, for the client that began the flow."""

    __tablename__ = "oauth_codes"
    __table_args__ = (
        Index("uq_oauth_codes_code_mac", "code_mac", unique=True),
        Index("ix_oauth_codes_expires_at", "expires_at"),
        Index("ix_oauth_codes_user_id", "user_id"),
        Index("ix_oauth_codes_browser_session_id", "browser_session_id"),
        Index("ix_oauth_codes_session_id", "session_id"),
    )

    code_mac: Mapped[bytes] = mapped_column(LargeBinary(32))
    client_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("oauth_clients.id"))
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    redirect_uri: Mapped[str] = mapped_column(String(2000))
    scope: Mapped[str] = mapped_column(String(255))
    code_challenge: Mapped[str] = mapped_column(String(128))
    """Empty if the client sent none."""
    nonce: Mapped[str | None] = mapped_column(String(255))
    id_token_claims: Mapped[str] = mapped_column(String(255), default="", server_default="")
    """The claims about the user that the client requested for the ID token."""
    signed_in_at: Mapped[datetime]
    browser_session_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("sessions.id"))
    """The session in which the user consented. The code does not outlive it."""
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    session_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("sessions.id"))
    """The session that the code was exchanged for. A replay of the code ends it (RFC 6749 §4.1.2)."""
