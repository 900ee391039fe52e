"""Sessions, the keys that sign access tokens, and failed sign-ins."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, LargeBinary, String, and_
from sqlalchemy.orm import Mapped, mapped_column

from goodword.db.base import Base, partial_index


class UserSession(Base):
    """A session, from the sign-in to its end. Its refresh tokens are counted, not stored."""

    __tablename__ = "sessions"
    __table_args__ = (
        CheckConstraint("counter >= 0", name="counter"),
        Index("ix_sessions_user_id", "user_id"),
        Index("ix_sessions_idle_expires_at", "idle_expires_at"),
        partial_index("ix_sessions_revoked_at", "revoked_at", where="revoked_at IS NOT NULL"),
    )

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    counter: Mapped[int] = mapped_column(default=0)
    """The number of the current refresh token. A trigger keeps it from decreasing."""
    rotated_at: Mapped[datetime]
    """When it was last used: refreshed, or by a browser, to some minutes."""
    idle_expires_at: Mapped[datetime]
    """When it ends unless it is used before. Not later than `expires_at`."""
    expires_at: Mapped[datetime]
    scope: Mapped[str] = mapped_column(String(255))
    client: Mapped[str] = mapped_column(String(64))
    device: Mapped[str | None] = mapped_column(String(64))
    place: Mapped[str | None] = mapped_column(String(64))
    """The network of the client, without the part that identifies single machines."""
    revoked_at: Mapped[datetime | None]
    revoked_reason: Mapped[str | None] = mapped_column(String(32))

    def is_live(self, now: datetime) -> bool:
        return self.revoked_at is None and now < min(self.expires_at, self.idle_expires_at)


def live(now: Any) -> ColumnElement[bool]:
    """Return the condition for sessions that have not ended at `now`, a time or a parameter."""
    not_expired = and_(UserSession.expires_at > now, UserSession.idle_expires_at > now)
    return and_(UserSession.revoked_at.is_(None), not_expired)


class SeenClient(Base):
    """The network and the user agent of a signed-in user, as keyed hashes: at a sign-in, and at the first use of a day."""

    __tablename__ = "seen_clients"
    __table_args__ = (
        Index("ix_seen_clients_user_id_created_at", "user_id", "created_at"),
        Index("ix_seen_clients_created_at", "created_at"),
    )

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    network_mac: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    device_mac: Mapped[bytes | None] = mapped_column(LargeBinary(32))


class SigningKey(Base):
    """An ES256 key. The private key is encrypted with a key derived from the secret."""

    __tablename__ = "signing_keys"
    __table_args__ = (
        # At most one key is current, also if several processes start at the same time.
        partial_index("uq_signing_keys_current", "algorithm", unique=True, where="retired_at IS NULL"),
    )

    algorithm: Mapped[str] = mapped_column(String(16))
    private_key: Mapped[bytes] = mapped_column(LargeBinary)
    retired_at: Mapped[datetime | None]
    """When it stopped signing. Tokens signed before stay valid until they expire."""
    revoked_at: Mapped[datetime | None]
    """When all tokens that it signed became invalid."""


class LoginFailures(Base):
    """The count of wrong passwords for an address, from one network or (`network` empty) from all."""

    __tablename__ = "login_failures"
    __table_args__ = (
        Index("uq_login_failures_address_mac_network", "address_mac", "network", unique=True),
        Index("ix_login_failures_last_at", "last_at"),
    )

    address_mac: Mapped[bytes] = mapped_column(LargeBinary(32))
    network: Mapped[str] = mapped_column(String(64))
    failures: Mapped[int]
    last_at: Mapped[datetime]
