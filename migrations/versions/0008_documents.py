"""What becomes of a document: states for those that cannot be read yet, and what is missing."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

SQL = Path(__file__).parent.parent / "sql"

revision = "0008"
down_revision = "0004"
branch_labels = None
depends_on = None

BEFORE = "state IN ('done', 'failed', 'pending', 'ready', 'skipped')"
STATES = (
    "state IN ('done', 'failed', 'needs_ocr', 'needs_password', 'pending', 'ready', 'skipped', "
    "'unsupported')"
)
UNREAD = "state IN ('failed', 'needs_ocr', 'needs_password', 'skipped', 'unsupported')"

WHY = "{category, phase, retryable, message}: why it was not read, or not this time"
WHY_BEFORE = "{category, phase, retryable, message} when failed"
CONTENTS = "the bytes of documents that are not read, or not all of it; removed once they are"
CONTENTS_BEFORE = "the bytes of documents not read yet; removed once the text stands in chunks"


def upgrade() -> None:
    op.add_column(
        "documents",
        sa.Column(
            "missing",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="[{why, pages}]: what is not in its text; NULL: nothing is",
        ),
    )
    op.drop_constraint(op.f("ck_documents_state"), "documents", type_="check")
    op.create_check_constraint(op.f("ck_documents_state"), "documents", STATES)
    op.drop_index(
        "ix_documents_failed", table_name="documents", postgresql_where=sa.text("state = 'failed'")
    )
    op.create_index(
        "ix_documents_unread",
        "documents",
        ["batch_id", "state", "id"],
        postgresql_where=sa.text(UNREAD),
    )
    op.create_index(
        "ix_documents_partly",
        "documents",
        ["batch_id", "id"],
        postgresql_where=sa.text("missing IS NOT NULL"),
    )
    _comment(WHY, CONTENTS)
    op.execute((SQL / "0008_documents.sql").read_text("utf-8"))


def downgrade() -> None:
    # what the states of before cannot say has failed, with the reason that it has
    op.execute(
        "UPDATE documents SET state = 'failed' WHERE state IN ('needs_ocr', "
        "'needs_password', 'unsupported')"
    )
    op.execute("UPDATE documents SET missing = NULL WHERE missing IS NOT NULL")
    op.execute((SQL / "0008_down.sql").read_text("utf-8"))
    _comment(WHY_BEFORE, CONTENTS_BEFORE)
    op.drop_index(
        "ix_documents_partly",
        table_name="documents",
        postgresql_where=sa.text("missing IS NOT NULL"),
    )
    op.drop_index("ix_documents_unread", table_name="documents", postgresql_where=sa.text(UNREAD))
    op.create_index(
        "ix_documents_failed",
        "documents",
        ["batch_id"],
        postgresql_where=sa.text("state = 'failed'"),
    )
    op.drop_constraint(op.f("ck_documents_state"), "documents", type_="check")
    op.create_check_constraint(op.f("ck_documents_state"), "documents", BEFORE)
    op.drop_column("documents", "missing")


def _comment(why: str, contents: str) -> None:
    op.alter_column("documents", "error", existing_type=postgresql.JSONB(), comment=why)
    op.create_table_comment("document_contents", contents)
