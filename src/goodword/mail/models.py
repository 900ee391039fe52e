"""Mailboxes that have unsubscribed from messages that other users cause."""

from sqlalchemy import Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from goodword.db.base import Base


class Unsubscribe(Base):
    """A mailbox that gets no messages that other users cause. Kept for ever, as a keyed hash."""

    __tablename__ = "unsubscribes"
    __table_args__ = (Index("uq_unsubscribes_address_mac", "address_mac", unique=True),)

    address_mac: Mapped[bytes] = mapped_column(LargeBinary(32))
