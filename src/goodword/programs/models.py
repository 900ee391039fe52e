"""Programs: the terms under which people refer others."""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    Row,
    String,
    and_,
    false,
    or_,
)
from sqlalchemy.orm import Mapped, mapped_column

from goodword.db.base import Base, partial_index

DEFAULT_PROGRAM_ID = uuid.UUID("00000000-0000-7000-8000-000000000001")
"""The id of the default program, which the migration creates. It is the database's default for `program_id`."""


class ProgramStatus(StrEnum):
    DRAFT = "draft"
    ACTIVE = "active"
    PAUSED = "paused"
    ENDED = "ended"


class Attribution(StrEnum):
    """Which touch counts if a person registers without a code."""

    FIRST_TOUCH = "first_touch"
    LAST_TOUCH = "last_touch"


class UnusableLink(StrEnum):
    """Where the link of a code leads that cannot be used."""

    PAGE = "page"
    TARGET = "target"


class Program(Base):
    """The terms of a referral program. Exactly one is the default, for all that names no program."""

    __tablename__ = "programs"
    __table_args__ = (
        Index("uq_programs_slug", "slug", unique=True),
        partial_index("uq_programs_default", "is_default", where="is_default", unique=True),
        CheckConstraint("status IN ('draft', 'active', 'paused', 'ended')", name="status"),
        CheckConstraint("attribution IN ('first_touch', 'last_touch')", name="attribution"),
        CheckConstraint("unusable_link IN ('page', 'target')", name="unusable_link"),
        CheckConstraint("ends_at > starts_at", name="period"),
        CheckConstraint("attribution_window >= 0 AND late_entry_grace >= 0", name="periods_of_attribution"),
    )

    slug: Mapped[str] = mapped_column(String(63))
    name: Mapped[str] = mapped_column(String(100))
    is_default: Mapped[bool] = mapped_column(default=False, server_default=false())
    status: Mapped[str] = mapped_column(String(16))
    starts_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    time_zone: Mapped[str] = mapped_column(String(64))
    """A name of the IANA time zone database."""
    currency: Mapped[str] = mapped_column(String(3))
    """A code of ISO 4217."""
    link_target: Mapped[str | None] = mapped_column(String(2000))
    """Where links lead, with the placeholder `{code}`. Null: our landing page."""
    unusable_link: Mapped[str] = mapped_column(String(16))
    code_lifetime: Mapped[int | None] = mapped_column(BigInteger)
    """In seconds. New participants get a code for this time. Null: they get none by themselves."""
    attribution: Mapped[str] = mapped_column(String(16))
    attribution_window: Mapped[int] = mapped_column(BigInteger)
    """In seconds. How long after a touch a registration without a code still counts."""
    late_entry_grace: Mapped[int] = mapped_column(BigInteger)
    """In seconds. How long after the sign-up a person may still enter a code."""
    remember_touch: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether our pages set a cookie with the touch."""

    def is_running(self, now: datetime) -> bool:
        """Return whether codes of the program can be used now."""
        return is_running(self, now)


def is_running(program: Program | Row[Any], now: datetime) -> bool:
    """Return whether codes of the program, or of a row with the columns of its state, can be used now."""
    return bool(
        program.status == ProgramStatus.ACTIVE
        and (program.starts_at is None or program.starts_at <= now)
        and (program.ends_at is None or now < program.ends_at)
    )


def running(now: Any) -> ColumnElement[bool]:
    """Return `is_running` as an SQL condition; `now` may be a bind parameter."""
    return and_(
        Program.status == ProgramStatus.ACTIVE,
        or_(Program.starts_at.is_(None), Program.starts_at <= now),
        or_(Program.ends_at.is_(None), Program.ends_at > now),
    )


def program_reference() -> Mapped[uuid.UUID]:
    """Return a column for the program of a row: the default program, unless another is given."""
    return mapped_column(
        ForeignKey("programs.id"), default=DEFAULT_PROGRAM_ID, server_default=DEFAULT_PROGRAM_ID.hex
    )
