"""The audit, whose rows are only added; and tombstones of those who were erased."""

import sqlalchemy as sa
from alembic import op

revision = "20261122_06"
down_revision = "20261122_05"
branch_labels = None
depends_on = None

REFUSED = "rows of the audit are never removed, and only sealed once"
FIXED = (
    "id",
    "created_at",
    "action",
    "actor",
    "actor_id",
    "person_id",
    "subject",
    "subject_id",
    "client",
    "request_id",
    "details",
)
SEAL = ("sequence", "hash", "address_mac")


def upgrade() -> None:
    postgres = op.get_bind().dialect.name == "postgresql"
    moment = sa.DateTime(timezone=True)
    if postgres:
        op.execute("SET LOCAL lock_timeout = '4s'")
    op.create_table(
        "audit_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("actor", sa.String(length=16), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("subject", sa.String(length=16), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=True),
        sa.Column("client", sa.String(length=64), nullable=True),
        sa.Column("request_id", sa.String(length=36), nullable=True),
        sa.Column("address", sa.String(length=45), nullable=True),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("address_mac", sa.LargeBinary(length=32), nullable=True),
        sa.Column("sequence", sa.BigInteger(), nullable=True),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=True),
        sa.CheckConstraint(
            "(sequence IS NULL) = (hash IS NULL)", name=op.f("ck_audit_events_sealed_with_hash")
        ),
        sa.CheckConstraint(
            "actor IN ('user', 'operator', 'system', 'anonymous')", name=op.f("ck_audit_events_actor")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_events")),
    )
    _index("ix_audit_events_unsealed", "id", where="sequence IS NULL")
    _index("uq_audit_events_sequence", "sequence", where="sequence IS NOT NULL", unique=True)
    _index("ix_audit_events_with_address", "id", where="address IS NOT NULL")
    op.create_index("ix_audit_events_actor_id", "audit_events", ["actor_id", "id"])
    op.create_index("ix_audit_events_person_id", "audit_events", ["person_id", "id"])
    (_guard_on_postgres if postgres else _guard_on_sqlite)()

    op.create_table(
        "tombstones",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("user_mac", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tombstones")),
    )
    op.create_index("uq_tombstones_user_mac", "tombstones", ["user_mac"], unique=True)


def _index(name: str, column: str, *, where: str, unique: bool = False) -> None:
    op.create_index(
        name,
        "audit_events",
        [column],
        unique=unique,
        postgresql_where=sa.text(where),
        sqlite_where=sa.text(where),
    )


def _changed(differ: str) -> str:
    """Whether an update does more than to seal a row, or to clear the address of one that is sealed."""
    fixed = [differ.format(column) for column in FIXED]
    sealed = [f"(OLD.{column} IS NOT NULL AND {differ.format(column)})" for column in SEAL]
    address = f"({differ.format('address')} AND (NEW.address IS NOT NULL OR OLD.sequence IS NULL))"
    late = f"(OLD.sequence IS NOT NULL AND {differ.format('address_mac')})"
    return " OR ".join([*fixed, *sealed, address, late])


def _guard_on_postgres() -> None:
    op.execute(
        f"CREATE FUNCTION audit_events_stay() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{REFUSED}'; END $$"
    )
    on = "ON audit_events FOR EACH"
    run = "EXECUTE FUNCTION audit_events_stay()"
    op.execute(f"CREATE TRIGGER audit_events_not_removed BEFORE DELETE {on} ROW {run}")
    op.execute(f"CREATE TRIGGER audit_events_not_emptied BEFORE TRUNCATE {on} STATEMENT {run}")
    when = _changed("OLD.{0} IS DISTINCT FROM NEW.{0}")
    op.execute(f"CREATE TRIGGER audit_events_not_changed BEFORE UPDATE {on} ROW WHEN ({when}) {run}")


def _guard_on_sqlite() -> None:
    refuse = f"BEGIN SELECT RAISE(ABORT, '{REFUSED}'); END"
    on = "ON audit_events FOR EACH ROW"
    op.execute(f"CREATE TRIGGER audit_events_not_removed BEFORE DELETE {on} {refuse}")
    when = _changed("OLD.{0} IS NOT NEW.{0}")
    op.execute(f"CREATE TRIGGER audit_events_not_changed BEFORE UPDATE {on} WHEN {when} {refuse}")


def downgrade() -> None:
    postgres = op.get_bind().dialect.name == "postgresql"
    if postgres:
        op.execute("SET LOCAL lock_timeout = '4s'")
    op.drop_table("tombstones")
    op.drop_table("audit_events")
    if postgres:
        op.execute("DROP FUNCTION audit_events_stay()")
