"""Check the rows that exist by the constraints of the previous migration."""

import sqlalchemy as sa
from alembic import op

revision = "20261129_02"
down_revision = "20261129_01"
branch_labels = None
depends_on = None

CONSTRAINTS = {
    "users": (
        "ck_users_known_until_erased",
        "ck_users_reported_by_external_id",
        "fk_users_program_id_programs",
    ),
    "referral_codes": ("fk_referral_codes_program_id_programs",),
    "referrals": (
        "ck_referrals_status",
        "ck_referrals_attributed_by",
        "fk_referrals_program_id_programs",
    ),
}


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute("SET LOCAL lock_timeout = '4s'")
    for table, names in CONSTRAINTS.items():
        for name in names:
            op.execute(sa.text(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}"))
