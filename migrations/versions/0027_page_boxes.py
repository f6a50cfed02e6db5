"""Where the words of pages stand on them."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "page_boxes",
        sa.Column("document_id", sa.BigInteger(), nullable=False),
        sa.Column("page", sa.Integer(), autoincrement=False, nullable=False, comment="1-based"),
        sa.Column(
            "char_start",
            sa.Integer(),
            nullable=False,
            comment="of the page, in the document's text",
        ),
        sa.Column("ratio", sa.Double(), nullable=False, comment="the page's width by its height"),
        sa.Column(
            "words",
            sa.LargeBinary(),
            nullable=False,
            comment="PageBoxes.compact of models/boxes.py",
        ),
        sa.ForeignKeyConstraint(
            ["document_id"],
            ["documents.id"],
            name=op.f("fk_page_boxes_document_id_documents"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("document_id", "page", name=op.f("pk_page_boxes")),
        comment="where the words of a page stand on it",
    )


def downgrade() -> None:
    op.drop_table("page_boxes")
