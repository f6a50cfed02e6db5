"""What the checks of each value of an answer came to, in its row and in the view `results`."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

SQL = Path(__file__).parent.parent / "sql"

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


BEFORE = (
    ("0004_views.sql", "CREATE VIEW results AS", "CREATE VIEW costs_by_model"),
    ("0005_bulk.sql", "CREATE OR REPLACE VIEW results AS", "CREATE OR REPLACE VIEW costs_by_model"),
)
"""The view `results` and its comments, as the migrations before made them."""


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
    for file, begin, end in BEFORE:
        op.execute(_cut(file, begin, end))
    op.drop_column("answers", "fields")


def _cut(file: str, begin: str, end: str) -> str:
    """What stands in a file of SQL from these words to those."""
    sql = (SQL / file).read_text("utf-8")
    start = sql.index(begin)
    return sql[start : sql.index(end, start)]
