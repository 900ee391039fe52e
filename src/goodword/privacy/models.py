"""Tombstones of erased accounts."""

from sqlalchemy import Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from goodword.db.base import Base


class Tombstone(Base):
    """A record of an erasure, by which an account from a restored backup is erased again."""

    __tablename__ = "tombstones"
    __table_args__ = (Index("uq_tombstones_user_mac", "user_mac", unique=True),)

    user_mac: Mapped[bytes] = mapped_column(LargeBinary(32))
    """Keyed hash of the account's id."""
