"""The account: who somebody is, and whether they may come in."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from goodword.db import Base


class UserStatus(StrEnum):
    ACTIVE = "active"
    DISABLED = "disabled"
    ERASED = "erased"


class User(Base):
    """A person. After erasure the row stays, without a trace of the person, for what points at it."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("status IN ('active', 'disabled', 'erased')", name="status"),
        CheckConstraint(
            "(status = 'erased') = (email_key IS NULL) AND (email IS NULL) = (email_key IS NULL)",
            name="address_until_erased",
        ),
        Index("uq_users_email_key", "email_key", unique=True),
        Index("ix_users_email_canonical", "email_canonical"),
    )

    email: Mapped[str | None] = mapped_column(String(254))
    email_key: Mapped[str | None] = mapped_column(String(320))
    email_canonical: Mapped[str | None] = mapped_column(String(320))
    password_hash: Mapped[str | None] = mapped_column(String(255))
    first_name: Mapped[str | None] = mapped_column(String(100))
    last_name: Mapped[str | None] = mapped_column(String(100))
    status: Mapped[str] = mapped_column(String(16), default=UserStatus.ACTIVE)
    verified_at: Mapped[datetime | None]
    erased_at: Mapped[datetime | None]

    @property
    def is_active(self) -> bool:
        return self.status == UserStatus.ACTIVE

    @property
    def display_name(self) -> str:
        return display_name(self.first_name, self.last_name)


def display_name(first_name: str | None, last_name: str | None) -> str:
    """What others may see of a name: the first name and an initial. Never made from the address."""
    initial = f"{last_name[0]}." if last_name else None
    return " ".join(filter(None, (first_name, initial))) or "A friend"


def masked(email: str | None) -> str | None:
    """An address as others may see it: enough for a friend to be recognised by one who knows it."""
    if email is None:
        return None
    local, _, domain = email.rpartition("@")
    return f"{local[0]}***@{domain}"
