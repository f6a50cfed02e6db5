"""What the checks of each value of an answer came to, in its row."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
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


def downgrade() -> None:
    op.drop_column("answers", "fields")
