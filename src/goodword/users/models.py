"""Accounts, and the one-time tokens sent to their addresses."""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

import regex
from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, LargeBinary, String, false, func
from sqlalchemy.orm import Mapped, mapped_column

from goodword.db.base import Base


class UserStatus(StrEnum):
    ACTIVE = "active"
    DISABLED = "disabled"
    ERASED = "erased"


class User(Base):
    """An account. After erasure the row stays, without personal data, for the rows that reference it."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("status IN ('active', 'disabled', 'erased')", name="status"),
        CheckConstraint(
            "(status = 'erased') = (email_key IS NULL AND external_id IS NULL) "
            "AND (email IS NULL) = (email_key IS NULL)",
            name="known_until_erased",
        ),
        CheckConstraint(
            "reported_email_key IS NULL OR external_id IS NOT NULL", name="reported_by_external_id"
        ),
        Index("uq_users_email_key", "email_key", unique=True),
        Index("uq_users_external_id", "external_id", unique=True),
        Index("ix_users_email_canonical", "email_canonical"),
        Index("ix_users_reported_email_key", "reported_email_key"),
        Index("ix_users_reported_email_canonical", "reported_email_canonical"),
    )

    external_id: Mapped[str | None] = mapped_column(String(255))
    """The id of the user in another system. A participant is a user with such an id."""
    program_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("programs.id"))
    """The program whose API key reported the participant. Null: a key for all programs did, or none."""
    reported_email: Mapped[str | None] = mapped_column(String(254))
    """The address of a participant, as a product reported it. No e-mail goes to it, and it is no way to sign in."""
    reported_email_key: Mapped[str | None] = mapped_column(String(320))
    reported_email_canonical: Mapped[str | None] = mapped_column(String(320))
    signed_up_at: Mapped[datetime | None]
    """When a participant signed up to the product. Null: at `created_at`."""
    email: Mapped[str | None] = mapped_column(String(254))
    email_key: Mapped[str | None] = mapped_column(String(320))
    email_canonical: Mapped[str | None] = mapped_column(String(320))
    password_hash: Mapped[str | None] = mapped_column(String(255))
    first_name: Mapped[str | None] = mapped_column(String(100))
    last_name: Mapped[str | None] = mapped_column(String(100))
    status: Mapped[str] = mapped_column(String(16), default=UserStatus.ACTIVE)
    is_admin: Mapped[bool] = mapped_column(default=False, server_default=false())
    language: Mapped[str] = mapped_column(String(8), default="en", server_default="en")
    """The language of e-mails to the user."""
    verified_at: Mapped[datetime | None]
    erased_at: Mapped[datetime | None]

    @property
    def is_active(self) -> bool:
        return self.status == UserStatus.ACTIVE

    @property
    def email_verified(self) -> bool:
        return self.verified_at is not None

    @property
    def handle(self) -> str | None:
        """What administrators see of a user without a name: see `handle_of`."""
        return self.email or self.reported_email or self.external_id

    @property
    def display_name(self) -> str:
        return display_name(self.first_name, self.last_name)


def handle_of(user: Any = User) -> ColumnElement[Any]:
    """Return the address of an account or the reported one, else the external id, as an SQL expression."""
    return func.coalesce(user.email, user.reported_email, user.external_id)


_FIRST_CHARACTER = regex.compile(r"[\u0e40-\u0e44\u0ec0-\u0ec4]?\X")
"""Thai and Lao write some vowels before the consonant, as characters of their own."""


class PasswordCost(Base):
    """A cost of imported password hashes. Each wrong password pays all of them, whether the address has an account or not."""

    __tablename__ = "password_costs"
    __table_args__ = (Index("uq_password_costs_example", "example", unique=True),)

    example: Mapped[str] = mapped_column(String(255))
    """A hash of no password that takes as long to verify: see `imported_hashes`."""


class Purpose(StrEnum):
    """The only use of a one-time token."""

    VERIFY_EMAIL = "verify_email"
    RESET_PASSWORD = "reset_password"  # noqa: S105  a purpose
    CHANGE_EMAIL = "change_email"


class Verification(Base):
    """A one-time token sent to an address, stored as a keyed hash. Only the newest of each purpose is valid."""

    __tablename__ = "verifications"
    __table_args__ = (
        CheckConstraint("purpose IN ('verify_email', 'reset_password', 'change_email')", name="purpose"),
        Index("uq_verifications_token_mac", "token_mac", unique=True),
        Index("ix_verifications_user_id_purpose", "user_id", "purpose"),
        Index("ix_verifications_email_key", "email_key"),
        Index("ix_verifications_expires_at", "expires_at"),
    )

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    purpose: Mapped[str] = mapped_column(String(16))
    token_mac: Mapped[bytes] = mapped_column(LargeBinary(32))
    email: Mapped[str] = mapped_column(String(254))
    """The address that the token was sent to and verifies."""
    email_key: Mapped[str] = mapped_column(String(320))
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


A_FRIEND = "A friend"
"""The public form of the name of a user without one."""


def display_name(first_name: str | None, last_name: str | None) -> str:
    """Return the public form of a name: the first name and an initial. Never derived from the address."""
    if not last_name:
        return first_name or A_FRIEND
    initial = f"{first_character(last_name)}."
    return f"{first_name} {initial}" if first_name else initial


def masked(email: str | None) -> str | None:
    """Return the masked form of an address, which other users may see."""
    if email is None:
        return None
    local, _, domain = email.rpartition("@")
    return f"{first_character(local)}***@{domain}"


def first_character(text: str) -> str:
    """Return what a reader takes for the first character: a grapheme cluster (Unicode UAX #29) with its consonant."""
    if len(text) > 1 and text[:2].isascii():
        return text[0]
    found = _FIRST_CHARACTER.match(text)
    return found[0] if found else ""
