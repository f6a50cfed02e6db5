"""Documents of which something is missing are read again, beside what was read before."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

SQL = Path(__file__).parent.parent / "sql"

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

WHY = "NULL: its batch was purged, or its document was read again"
WHY_BEFORE = "NULL: its batch was purged"


def upgrade() -> None:
    op.add_column(
        "documents",
        sa.Column(
            "replaces",
            sa.BigInteger(),
            nullable=True,
            comment="of which this is another reading, until all of it is done; NULL: none",
        ),
    )
    op.create_foreign_key(
        op.f("fk_documents_replaces_documents"),
        "documents",
        "documents",
        ["replaces"],
        ["id"],
        ondelete="SET NULL",
    )
    op.create_index(
        "ix_documents_replaces",
        "documents",
        ["replaces"],
        postgresql_where=sa.text("replaces IS NOT NULL"),
    )
    op.alter_column("calls", "job_id", existing_type=sa.BigInteger(), comment=WHY)
    op.execute((SQL / "0024_replaced.sql").read_text("utf-8"))


def downgrade() -> None:
    op.execute("DROP FUNCTION docmill_replace_documents")
    op.alter_column("calls", "job_id", existing_type=sa.BigInteger(), comment=WHY_BEFORE)
    op.drop_index(
        "ix_documents_replaces",
        table_name="documents",
        postgresql_where=sa.text("replaces IS NOT NULL"),
    )
    op.drop_constraint(op.f("fk_documents_replaces_documents"), "documents", type_="foreignkey")
    op.drop_column("documents", "replaces")
