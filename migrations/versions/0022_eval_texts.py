"""An eval says how many texts it has, without a look at its figures."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "evals",
        sa.Column(
            "texts", sa.Integer(), nullable=True, comment="that were compared; NULL: not yet"
        ),
    )
    op.execute(
        "UPDATE evals e SET texts = (SELECT count(DISTINCT key) FROM eval_scores "
        "WHERE eval_id = e.id) WHERE scored_at IS NOT NULL"
    )


def downgrade() -> None:
    op.drop_column("evals", "texts")
