"""Who was erased, without saying who."""

from sqlalchemy import Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from goodword.db.base import Base


class Tombstone(Base):
    """Of a person who was erased: so they are erased again when an older backup brings them back."""

    __tablename__ = "tombstones"
    __table_args__ = (Index("uq_tombstones_user_mac", "user_mac", unique=True),)

    user_mac: Mapped[bytes] = mapped_column(LargeBinary(32))
    """Keyed hash of the account's id."""
