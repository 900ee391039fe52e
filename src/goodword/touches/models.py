"""Touches: clicks on a referral link, and codes that people entered."""

import uuid
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from goodword.db.base import Base

HASHED = text("(network_mac IS NOT NULL OR device_mac IS NOT NULL)")


class TouchKind(StrEnum):
    CLICK = "click"
    ENTRY = "entry"


class Touch(Base):
    """A contact of a person with a code. Rows are only added, and removed when they can no longer count."""

    __tablename__ = "touches"
    __table_args__ = (
        CheckConstraint("kind IN ('click', 'entry')", name="kind"),
        Index("ix_touches_program_id_created_at", "program_id", "created_at"),
        Index("ix_touches_hashed", "created_at", postgresql_where=HASHED, sqlite_where=HASHED),
        Index("ix_touches_code_id_created_at", "code_id", "created_at"),
    )

    program_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("programs.id"))
    code_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("referral_codes.id"))
    kind: Mapped[str] = mapped_column(String(16))
    network_mac: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    """Keyed hash of the network that it came from, blanked after 30 days."""
    device_mac: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    """Keyed hash of the user agent, blanked after 30 days."""
    host: Mapped[str | None] = mapped_column(String(255))
    """The host of the page with the link, from the `Referer` header."""
