"""The jobs table: what must still be done, written in the transaction of whoever asks for it."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from goodword.db.base import Base

IS_DEAD = text("outcome = 'dead'")
"""As text, not as a parameter: only so do the databases see that the index of the dead will do."""


class Job(Base):
    """One thing to do, at least once. A lease keeps workers out of each other's way, and ends with them."""

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint("outcome IN ('done', 'dead')", name="outcome"),
        CheckConstraint("(outcome IS NULL) = (finished_at IS NULL)", name="finished_with_outcome"),
        # What a worker looks through: only what is still to do, so that it stays small.
        Index(
            "ix_jobs_due",
            "run_at",
            "id",
            postgresql_where=text("finished_at IS NULL"),
            sqlite_where=text("finished_at IS NULL"),
        ),
        # Not of all rows: SQLite would take it to find the unfinished ones, and sort them at every look.
        Index(
            "ix_jobs_finished_at",
            "finished_at",
            postgresql_where=text("finished_at IS NOT NULL"),
            sqlite_where=text("finished_at IS NOT NULL"),
        ),
        # The few that the operator should look at, among very many that are done.
        Index(
            "ix_jobs_dead",
            "finished_at",
            "id",
            postgresql_where=IS_DEAD,
            sqlite_where=IS_DEAD,
        ),
        Index(
            "uq_jobs_slot",
            "slot",
            unique=True,
            postgresql_where=text("slot IS NOT NULL"),
            sqlite_where=text("slot IS NOT NULL"),
        ),
        Index("ix_jobs_user_id", "user_id"),
    )

    kind: Mapped[str] = mapped_column(String(64))
    payload: Mapped[str] = mapped_column(Text)
    """JSON. Emptied when the job is done, for it may name an address; a dead one keeps it, to be run again."""
    user_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    """Whom it is about: it goes when they are erased."""
    slot: Mapped[str | None] = mapped_column(String(128))
    """What there is to be one job for, however many ask for it: an hour of a recurring one, say."""
    run_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    """Counted at the start of each: a job that kills its worker comes to an end too."""
    leased_until: Mapped[datetime | None]
    leased_by: Mapped[str | None] = mapped_column(String(64))
    finished_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(String(16))
    error: Mapped[str | None] = mapped_column(String(500))
