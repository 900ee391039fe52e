"""Record the deletion of a code beside the reason why it was retired."""

import sqlalchemy as sa
from alembic import op

revision = "20261128_02"
down_revision = "20261128_01"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '4s'")
    op.add_column("referral_codes", sa.Column("deleted_at", sa.DateTime(timezone=True)))
