"""The cascade: who found a task type, which version of it, and the installation's own models."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

VERSION_OF_JOBS = "of the rule, the learned model or the prompt"

NEW = "'fallback', 'learned', 'model', 'rule', 'user'"
OLD = "'fallback', 'model', 'user'"

SAID = {
    "COLUMN jobs.found_by": (
        "who said which task it is: user, rule, learned, model or fallback",
        "who said which task it is: user, model or fallback",
    ),
    "COLUMN jobs.escalation_reason": (
        "what was wrong with it, or why the job began at the frontier",
        None,
    ),
    "COLUMN jobs.classify_key": (
        "equal for equal asks of the same model",
        "equal for equal (ask, text) pairs",
    ),
    "COLUMN classifications.key": (
        "hash of ask, schema, model and prompt",
        "hash of ask, text, model and prompt",
    ),
    "TABLE classifications": (
        "task types that a language model found, so that it is asked once for each ask",
        "task types already found, so that equal pairs are classified once",
    ),
    "COLUMN results.found_by": (
        "who said which task it is: user, rule, learned, model or fallback",
        "who said which task it is: user, model or fallback",
    ),
    "COLUMN results.escalation_reason": (
        "what was wrong with it, or why the job began at the frontier",
        "what was wrong with it",
    ),
}
"""Comments, as they are from now on and as they were."""


def upgrade() -> None:
    op.add_column("jobs", sa.Column("found_version", sa.Text(), comment=VERSION_OF_JOBS))
    op.add_column("classifications", sa.Column("found_version", sa.Text(), comment="of the prompt"))
    _allow(NEW)
    op.create_table(
        "learned_models",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("version", sa.Text(), nullable=False, comment="as jobs.found_version has it"),
        sa.Column(
            "weights",
            sa.LargeBinary(),
            nullable=False,
            comment="as worker/classify/learned.py packs it",
        ),
        sa.Column(
            "report",
            postgresql.JSONB(),
            nullable=False,
            comment="how right it was when it was trained",
        ),
        sa.Column(
            "made_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_learned_models")),
        comment="the installation's own models of its asks; the newest counts, and without one "
        "the product's own",
    )
    for what, (now, _) in SAID.items():
        _say(what, now)


def downgrade() -> None:
    for what, (_, before) in SAID.items():
        _say(what, before)
    op.drop_table("learned_models")
    for table in ("jobs", "classifications"):
        op.execute(f"UPDATE {table} SET found_by = 'model' WHERE found_by IN ('learned', 'rule')")  # noqa: S608
    _allow(OLD)
    op.drop_column("classifications", "found_version")
    op.drop_column("jobs", "found_version")


def _allow(finders: str) -> None:
    for table in ("jobs", "classifications"):
        name = f"ck_{table}_found_by"
        op.drop_constraint(op.f(name), table, type_="check")
        op.create_check_constraint(op.f(name), table, f"found_by IN ({finders})")


def _say(what: str, words: str | None) -> None:
    said = "NULL" if words is None else "'" + words.replace("'", "''") + "'"
    op.execute(f"COMMENT ON {what} IS {said}")
