"""Pages that OCR has read, kept until all of their document is."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "scanned_pages",
        sa.Column("document_id", sa.BigInteger(), nullable=False),
        sa.Column("page", sa.Integer(), nullable=False, comment="1-based"),
        sa.Column("text", sa.Text(), nullable=True, comment="NULL: OCR was not sure of most of it"),
        sa.Column("notes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["document_id"],
            ["documents.id"],
            name=op.f("fk_scanned_pages_document_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("document_id", "page", name=op.f("pk_scanned_pages")),
        comment="pages that OCR has read; removed once all of their document is",
    )


def downgrade() -> None:
    op.drop_table("scanned_pages")
