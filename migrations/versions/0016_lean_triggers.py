"""Triggers of micro-batches do no more than their rows ask for; a list that is accepted vouches for
itself alone."""

from pathlib import Path

from alembic import op

SQL = Path(__file__).parent.parent / "sql"

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute((SQL / "0016_lean_triggers.sql").read_text("utf-8"))


def downgrade() -> None:
    """As 0005, 0009 and 0013 made them."""
    op.execute(_function("docmill_jobs_made", "0005_bulk.sql"))
    op.execute(_function("docmill_answers_made", "0009_corrections.sql"))
    op.execute(_function("docmill_harm", "0013_accept.sql"))
    op.execute("DROP FUNCTION docmill_doubt(jsonb)")


def _function(name: str, made_in: str) -> str:
    """The text that made a function, to make it so again."""
    text = (SQL / made_in).read_text("utf-8").replace("CREATE OR REPLACE", "CREATE")
    start = text.index(f"CREATE FUNCTION {name}(")
    made = text[start : text.index("$$;", text.index("$$", start) + 2) + 3]
    return made.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
