"""The jobs table. A job is inserted in the transaction that requires it."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from goodword.db.base import Base, partial_index

IS_DEAD = text("outcome = 'dead'")


class Job(Base):
    """Work that is done at least once. A worker leases a job before it runs it."""

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint("outcome IN ('done', 'dead')", name="outcome"),
        CheckConstraint("(outcome IS NULL) = (finished_at IS NULL)", name="finished_with_outcome"),
        partial_index("ix_jobs_due", "run_at", "id", where="finished_at IS NULL"),
        partial_index("ix_jobs_kind_due", "kind", "run_at", "id", where="finished_at IS NULL"),
        # Partial: otherwise SQLite would use it to find unfinished jobs, and sort them every time.
        partial_index("ix_jobs_outcome", "outcome", "finished_at", "id", where="outcome IS NOT NULL"),
        partial_index("uq_jobs_slot", "slot", unique=True, where="slot IS NOT NULL"),
        Index("ix_jobs_user_id", "user_id"),
    )

    kind: Mapped[str] = mapped_column(String(64))
    payload: Mapped[str] = mapped_column(Text)
    """JSON. Emptied when the job is done, because it may contain an address. A dead job keeps it for a retry."""
    user_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    """The user whom the job concerns. It is deleted when the user is erased."""
    slot: Mapped[str | None] = mapped_column(String(128))
    """A unique key: `enqueue_once` adds one job per slot, such as an hour of a recurring kind."""
    traceparent: Mapped[str | None] = mapped_column(String(55))
    """The span that added the job (W3C Trace Context), if traces are exported."""
    run_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    """Counted when an attempt begins, so a job that kills its worker also reaches the limit."""
    leased_until: Mapped[datetime | None]
    leased_by: Mapped[str | None] = mapped_column(String(64))
    finished_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(String(16))
    error: Mapped[str | None] = mapped_column(String(500))
