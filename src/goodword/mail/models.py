"""What letters that one person causes another to get are held against: counts, and those who want none."""

from datetime import datetime

from sqlalchemy import Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from goodword.db.base import Base


class EmailQuota(Base):
    """How many letters went on one account: of a sender, to a recipient, in all. Whose it is, only the key tells."""

    __tablename__ = "email_quotas"
    __table_args__ = (
        Index("uq_email_quotas_scope_mac", "scope_mac", unique=True),
        Index("ix_email_quotas_ends_at", "ends_at"),
    )

    scope_mac: Mapped[bytes] = mapped_column(LargeBinary(32))
    used: Mapped[int]
    ends_at: Mapped[datetime]
    """When it begins anew."""


class Unsubscribe(Base):
    """Somebody who wants no letters that others cause. Kept for ever, as a keyed hash of their mailbox."""

    __tablename__ = "unsubscribes"
    __table_args__ = (Index("uq_unsubscribes_address_mac", "address_mac", unique=True),)

    address_mac: Mapped[bytes] = mapped_column(LargeBinary(32))
