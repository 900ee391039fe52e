"""Who is signed in where, and the keys that access tokens are signed with."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from goodword.db.base import Base


class UserSession(Base):
    """One sign-in: a row for its whole life. Its refresh tokens are counted, not stored."""

    __tablename__ = "sessions"
    __table_args__ = (
        CheckConstraint("counter >= 0", name="counter"),
        Index("ix_sessions_user_id", "user_id"),
    )

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    counter: Mapped[int] = mapped_column(default=0)
    """The number of the refresh token in force. A trigger lets it grow only."""
    rotated_at: Mapped[datetime]
    idle_expires_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    scope: Mapped[str] = mapped_column(String(255))
    client: Mapped[str] = mapped_column(String(64))
    device: Mapped[str | None] = mapped_column(String(64))
    place: Mapped[str | None] = mapped_column(String(64))
    """The network that it was begun from, without the part that tells single machines apart."""
    revoked_at: Mapped[datetime | None]
    revoked_reason: Mapped[str | None] = mapped_column(String(32))

    def is_live(self, now: datetime) -> bool:
        return self.revoked_at is None and now < min(self.expires_at, self.idle_expires_at)


class SigningKey(Base):
    """An ES256 key. The private half is sealed with a key derived from the secret."""

    __tablename__ = "signing_keys"
    __table_args__ = (
        # At most one key is current, whatever several processes do at their first start.
        Index(
            "uq_signing_keys_current",
            "algorithm",
            unique=True,
            postgresql_where=text("retired_at IS NULL"),
            sqlite_where=text("retired_at IS NULL"),
        ),
    )

    algorithm: Mapped[str] = mapped_column(String(16))
    private_key: Mapped[bytes] = mapped_column(LargeBinary)
    retired_at: Mapped[datetime | None]
    """Since when it signs nothing more; what it signed before stays good for its lifetime."""
    revoked_at: Mapped[datetime | None]
    """Since when nothing that it ever signed is good."""


class LoginFailures(Base):
    """Wrong passwords for an address, known or not, from one network or (`network` empty) from anywhere."""

    __tablename__ = "login_failures"
    __table_args__ = (
        Index("uq_login_failures_address_mac_network", "address_mac", "network", unique=True),
        Index("ix_login_failures_last_at", "last_at"),
    )

    address_mac: Mapped[bytes] = mapped_column(LargeBinary(32))
    network: Mapped[str] = mapped_column(String(64))
    failures: Mapped[int]
    last_at: Mapped[datetime]
