"""What users check in the answers to an ask, and the normalised values beside their words."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

BEFORE = "{field: {outcome, code, about, span, page}}"
SINCE = "{field: {outcome, code, about, span, page, normalised}}"


def upgrade() -> None:
    op.add_column(
        "asks",
        sa.Column(
            "checks",
            postgresql.JSON(),
            nullable=True,
            comment="{checks, formats, today}: what the user checks beyond the schema; "
            "NULL: nothing",
        ),
    )
    _say(SINCE)


def downgrade() -> None:
    _say(BEFORE)
    op.drop_column("asks", "checks")


def _say(form: str) -> None:
    """What the column `fields` holds, in the table and in the view."""
    op.execute(f"COMMENT ON COLUMN answers.fields IS '{form}; NULL: not checked'")
    op.execute(
        f"COMMENT ON COLUMN results.fields IS '{form}: what each value of the answer as it was "
        "given is worth, sure, check or wrong; a value without an entry was not judged; NULL: not "
        "checked'"
    )
