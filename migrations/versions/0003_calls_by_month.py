"""The ledger in partitions by month, so that an old month can be put away in a moment.

What stands in it is copied: this takes about a minute for each ten million calls. Ids of calls are
made anew from their times. Outside of the database they stand in journals of workers that died: what
those hold has to be in the ledger before, by a worker of the version before (CHANGELOG).
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

SQL = Path(__file__).parent.parent / "sql"

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

RENUMBER = (
    "UPDATE answers w SET call_id = docmill_call_id(c.started_at, c.id) "
    "FROM calls c WHERE c.id = w.call_id",
    "UPDATE calls c SET reused_from = docmill_call_id(g.started_at, g.id) "
    "FROM calls g WHERE g.id = c.reused_from",
    "UPDATE calls SET id = docmill_call_id(started_at, id)",
)

SHAPE = "(LIKE calls_before INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS)"

MONTHS = (
    "SELECT docmill_make_month(month) FROM generate_series("
    "(SELECT date_trunc('month', min(started_at), 'UTC') FROM calls_before), now(), '1 month') month"
)

COMMENT = "the ledger: one row per request to an engine, written before it is made"
ID_COMMENT = "UUID version 7: the time, which its partition is of"

INDEXES = {
    "ix_calls_job": "(job_id)",
    "ix_calls_batch": "(batch_id)",
    "ix_calls_reserved": "(job_id) WHERE state = 'reserved'",
    "ix_calls_answer_known": "(answer_key) WHERE state = 'settled' AND answer_key IS NOT NULL",
    "ix_calls_frontier_day": "(started_at) INCLUDE (cost_usd, reserved_usd, state) "
    "WHERE tier = 'frontier'",
    "ix_calls_frontier_batch": "(batch_id) INCLUDE (cost_usd, reserved_usd, state) "
    "WHERE tier = 'frontier'",
}
UNDER_WAY = "uq_calls_answer_under_way"


def upgrade() -> None:
    op.execute("SET LOCAL timezone = 'UTC'")  # months are stepped through in the session's zone
    op.execute("LOCK TABLE calls IN ACCESS EXCLUSIVE MODE")
    op.execute((SQL / "0003_calls.sql").read_text("utf-8"))
    for statement in RENUMBER:
        op.execute(statement)
    op.execute("ALTER TABLE calls RENAME TO calls_before")
    op.execute(f"CREATE TABLE calls {SHAPE} PARTITION BY RANGE (id)")
    op.execute("CREATE TABLE calls_other PARTITION OF calls DEFAULT")
    op.execute(
        "CREATE UNIQUE INDEX uq_calls_other_answer_under_way ON calls_other (answer_key) "
        "WHERE state = 'reserved'"
    )
    op.execute(MONTHS)
    op.execute("SELECT docmill_make_months()")
    _move()
    op.alter_column("calls", "id", comment=ID_COMMENT)


def downgrade() -> None:
    op.execute("ALTER TABLE calls RENAME TO calls_before")
    op.execute(f"CREATE TABLE calls {SHAPE}")
    _move()
    op.alter_column("calls", "id", comment="also sent as Idempotency-Key")
    op.execute(f"CREATE UNIQUE INDEX {UNDER_WAY} ON calls (answer_key) WHERE state = 'reserved'")
    for function in ("docmill_make_months()", "docmill_make_month(timestamptz)"):
        op.execute(f"DROP FUNCTION {function}")
    op.execute("DROP FUNCTION docmill_first_id(timestamptz)")
    op.execute("DROP FUNCTION docmill_call_id(timestamptz, uuid)")


def _move() -> None:
    """Everything from calls_before, which goes. Whoever built views on ours keeps them; one on the
    table itself stops this, and has to be dropped first."""
    op.execute((SQL / "0003_grants.sql").read_text("utf-8"))
    op.execute("INSERT INTO calls SELECT * FROM calls_before")
    op.execute((SQL / "0002_views.sql").read_text("utf-8"))
    op.execute("DROP TABLE calls_before")
    op.execute(sa.text(f"COMMENT ON TABLE calls IS '{COMMENT}'"))
    op.execute("ALTER TABLE calls ADD CONSTRAINT pk_calls PRIMARY KEY (id)")
    op.execute(
        "ALTER TABLE calls ADD CONSTRAINT fk_calls_job_id_local_only FOREIGN KEY (job_id, local_only) "
        "REFERENCES jobs (id, local_only) ON DELETE CASCADE"
    )
    for name, columns in INDEXES.items():
        op.execute(f"CREATE INDEX {name} ON calls {columns}")
