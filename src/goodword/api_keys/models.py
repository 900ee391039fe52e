"""API keys, with which the servers of a product call the API."""

import uuid
from datetime import date, datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from goodword.db.base import Base, partial_index


class ApiKey(Base):
    """A key of a server. It is shown once, and stored as a keyed hash."""

    __tablename__ = "api_keys"
    __table_args__ = (
        Index("uq_api_keys_key_mac", "key_mac", unique=True),
        partial_index("uq_api_keys_name_live", "name", where="revoked_at IS NULL", unique=True),
    )

    name: Mapped[str] = mapped_column(String(100))
    key_mac: Mapped[bytes] = mapped_column(LargeBinary(32))
    scope: Mapped[str] = mapped_column(String(255))
    program_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("programs.id"))
    """The only program that the key can reach. Null: all programs."""
    expires_at: Mapped[datetime | None]
    last_used_on: Mapped[date | None]
    revoked_at: Mapped[datetime | None]
