"""The stored responses of idempotent requests."""

import uuid

from sqlalchemy import ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from goodword.db.base import Base

ANONYMOUS = "anonymous"
"""The caller of requests without a token."""


class IdempotencyKey(Base):
    """The stored response to a write of a caller."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (
        Index("uq_idempotency_keys_caller_route_key", "caller", "route", "key", unique=True),
        Index("ix_idempotency_keys_created_at", "created_at"),
        Index("ix_idempotency_keys_user_id", "user_id"),
    )

    caller: Mapped[str] = mapped_column(String(36))
    route: Mapped[str] = mapped_column(String(64))
    key: Mapped[str] = mapped_column(String(255))
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary(32))
    """HMAC of the body and the parameters in the path. A plain hash would allow guesses of the password in a sign-up."""
    status: Mapped[int | None]
    location: Mapped[str | None] = mapped_column(String(255))
    body: Mapped[str | None] = mapped_column(Text)
    user_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    """The user in the response, which is deleted when the user is erased."""
