"""Identities at providers."""

import uuid

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from goodword.db.base import Base


class Identity(Base):
    """An account at a provider, identified by the provider's id, since addresses change owners."""

    __tablename__ = "identities"
    __table_args__ = (
        Index("uq_identities_provider_subject", "provider", "subject", unique=True),
        Index("ix_identities_user_id", "user_id"),
    )

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    provider: Mapped[str] = mapped_column(String(255))
    """The namespace of the subject: an OpenID issuer, or a name such as `github`."""
    subject: Mapped[str] = mapped_column(String(255))
