"""Calls that show a page of a document to a model stand in the ledger beside those of jobs."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

PURPOSE = "classify, run, repair or page"
PURPOSE_BEFORE = "classify, run or repair"


def upgrade() -> None:
    op.add_column(
        "calls",
        sa.Column(
            "document_id",
            sa.BigInteger(),
            nullable=True,
            comment="whose page it shows; NULL: it is about a job",
        ),
    )
    op.create_check_constraint("pages_local", "calls", "document_id IS NULL OR zone = 'local'")
    op.alter_column("calls", "purpose", existing_type=sa.Text(), comment=PURPOSE)


def downgrade() -> None:
    op.alter_column("calls", "purpose", existing_type=sa.Text(), comment=PURPOSE_BEFORE)
    op.drop_constraint(op.f("ck_calls_pages_local"), "calls", type_="check")
    op.drop_column("calls", "document_id")
