"""What was known of an answer before its second reading stays known."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "readings",
        sa.Column(
            "fields",
            postgresql.JSONB(),
            nullable=True,
            comment="what the checks said of the answer so far; NULL: nothing",
        ),
    )


def downgrade() -> None:
    op.drop_column("readings", "fields")
