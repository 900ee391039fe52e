"""Let each OAuth client choose PKCE, the algorithm and claims of ID tokens, and addresses after a logout."""

import sqlalchemy as sa
from alembic import op

revision = "20261128_03"
down_revision = "20261128_02"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '4s'")
    for column in (
        sa.Column("pkce_required", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("id_token_alg", sa.String(16), server_default="RS256", nullable=False),
        sa.Column("claims_in_id_token", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("post_logout_redirect_uris", sa.Text(), server_default="", nullable=False),
    ):
        op.add_column("oauth_clients", column)
    op.add_column(
        "oauth_codes", sa.Column("id_token_claims", sa.String(255), server_default="", nullable=False)
    )
