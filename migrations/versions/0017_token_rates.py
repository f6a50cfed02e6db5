"""What models make of texts: tokens by script, learnt from what engines report."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "token_rates",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("script", sa.Text(), nullable=False, comment="worker/tokens.py"),
        sa.Column("mean", sa.Double(), nullable=False, comment="tokens per unit"),
        sa.Column("sd", sa.Double(), nullable=False, comment="how well that is known"),
        sa.Column("cut", sa.Double(), nullable=False, comment="what texts are cut by"),
        sa.Column(
            "learnt_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("model", "script", name=op.f("pk_token_rates")),
        comment="what models make of texts, learnt from the tokens that engines report",
    )


def downgrade() -> None:
    op.drop_table("token_rates")
