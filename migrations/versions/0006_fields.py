"""What the checks of each value of an answer came to, in its row and in the view `results`."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

SQL = Path(__file__).parent.parent / "sql"

revision = "0006"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "answers",
        sa.Column(
            "fields",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="{field: {outcome, code, about, span, page}}; NULL: not checked",
        ),
    )
    op.execute((SQL / "0006_results.sql").read_text("utf-8"))


def downgrade() -> None:
    op.execute("DROP VIEW results")
    op.execute(_results_before())
    op.drop_column("answers", "fields")


def _results_before() -> str:
    """The view and its comments as the foundation made them."""
    views = (SQL / "0004_views.sql").read_text("utf-8")
    start = views.index("CREATE VIEW results AS")
    return views[start : views.index("CREATE VIEW costs_by_model AS")]
