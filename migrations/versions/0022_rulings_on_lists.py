"""A list that is accepted vouches for none of its items; an eval says how many texts it has."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

SQL = Path(__file__).parent.parent / "sql"

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute((SQL / "0022_rulings_on_lists.sql").read_text("utf-8"))
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
    """The function as 0016 made it."""
    op.drop_column("evals", "texts")
    text = (SQL / "0016_lean_triggers.sql").read_text("utf-8")
    start = text.index("CREATE OR REPLACE FUNCTION docmill_harm(")
    op.execute(text[start : text.index("$$;", start) + 3])
