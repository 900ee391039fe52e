"""The counts of quotas."""

from datetime import datetime

from sqlalchemy import Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from goodword.db.base import Base


class Quota(Base):
    """How much of one quota is used. The scope, such as a user, is stored as a keyed hash."""

    __tablename__ = "quotas"
    __table_args__ = (
        Index("uq_quotas_scope_mac", "scope_mac", unique=True),
        Index("ix_quotas_ends_at", "ends_at"),
    )

    scope_mac: Mapped[bytes] = mapped_column(LargeBinary(32))
    used: Mapped[int]
    ends_at: Mapped[datetime]
    """The end of the period, after which the count starts again."""
