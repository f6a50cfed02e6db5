"""The foundation: every table, what follows from their changes, and the views for SQL users."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

SQL = Path(__file__).parent.parent / "sql"

revision = "0004"
down_revision = None
branch_labels = None
depends_on = None

PARTS = (
    "0004_policy.sql",
    "0004_flow.sql",
    "0004_ledger.sql",
    "0004_purge.sql",
    "0004_views.sql",
)

LEDGER = (
    "SET LOCAL timezone = 'UTC'",
    "CREATE TABLE calls_other PARTITION OF calls DEFAULT",
    "CREATE UNIQUE INDEX uq_calls_other_answer_under_way ON calls_other (answer_key) "
    "WHERE state = 'reserved' AND answer_key IS NOT NULL",
    "SELECT docmill_make_months()",
)
"""The ledger's partitions: one for what has no month of its own, and the first months."""

HOLDS = (
    "DROP FUNCTION docmill_held(bigint, text, text, text)",
    "DROP FUNCTION docmill_hold(bigint, text, text, text)",
)
"""They return rows of a table."""

VIEWS = (
    "batch_progress",
    "costs_by_model",
    "results",
    "document_counts",
    "job_counts",
    "job_states",
)


def upgrade() -> None:
    op.create_table(
        "classifications",
        sa.Column("key", sa.Uuid(), nullable=False, comment="hash of ask, text, model and prompt"),
        sa.Column("task", sa.Text(), nullable=True, comment="the verdict; NULL: being classified"),
        sa.Column("found_by", sa.Text(), nullable=True),
        sa.Column("confidence", sa.Double(), nullable=True),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column(
            "waits", sa.Integer(), server_default="0", nullable=False, comment="no fault of its own"
        ),
        sa.Column(
            "deaths",
            sa.SmallInteger(),
            server_default="0",
            nullable=False,
            comment="how often the engine went down in the middle of its call",
        ),
        sa.Column(
            "job_id",
            sa.BigInteger(),
            nullable=True,
            comment="whose lease it is being classified under",
        ),
        sa.Column(
            "since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.CheckConstraint(
            "found_by IN ('fallback', 'model', 'user')", name=op.f("ck_classifications_found_by")
        ),
        sa.CheckConstraint(
            "task IN ('classification', 'extraction', 'reasoning', 'simple_code', 'summary')",
            name=op.f("ck_classifications_task"),
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_classifications")),
        comment="task types already found, so that equal pairs are classified once",
    )
    op.create_index("ix_classifications_since", "classifications", ["since"], unique=False)
    op.create_table(
        "configurations",
        sa.Column(
            "id",
            sa.BigInteger(),
            sa.Identity(always=False),
            nullable=False,
            comment="its number; the last counts",
        ),
        sa.Column(
            "file",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="what docmill.toml said",
        ),
        sa.Column(
            "settings",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="with every open question answered",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_configurations")),
        comment="engines, tasks, models, limits and prices, resolved; every process reads them here",
    )
    op.create_table(
        "model_traits",
        sa.Column(
            "key",
            sa.Text(),
            nullable=False,
            comment="kind, version, model and digest of its weights",
        ),
        sa.Column(
            "traits",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="worker/llm/probe.py",
        ),
        sa.Column(
            "found_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_model_traits")),
        comment="what engines do with their models, found out by asking",
    )
    op.create_table(
        "counts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False, comment="job or document"),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column(
            "queue", sa.Text(), server_default="", nullable=False, comment="where it waits, or ran"
        ),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("folded", sa.Boolean(), server_default="false", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_counts")),
        comment="how many jobs and documents of a batch are in each state: the sum of its rows. Every change adds one; the leader folds them",
        postgresql_with={
            "autovacuum_vacuum_scale_factor": "0",
            "autovacuum_vacuum_threshold": "5000",
            "autovacuum_analyze_scale_factor": "0",
            "autovacuum_analyze_threshold": "20000",
        },
    )
    op.create_index("ix_counts_batch", "counts", ["batch_id"], unique=False)
    op.create_index(
        "ix_counts_changes", "counts", ["id"], unique=False, postgresql_where=sa.text("NOT folded")
    )
    op.create_index(
        "uq_counts_folded",
        "counts",
        ["batch_id", "what", "state", "queue"],
        unique=True,
        postgresql_where=sa.text("folded"),
    )
    op.create_table(
        "delayed",
        sa.Column("line_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "item_id",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="document or job",
        ),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("line_id", "item_id", name=op.f("pk_delayed")),
        comment="what may be taken later; the leader moves it to `waiting` then",
        postgresql_with={
            "autovacuum_vacuum_scale_factor": "0",
            "autovacuum_vacuum_threshold": "5000",
            "autovacuum_analyze_scale_factor": "0",
            "autovacuum_analyze_threshold": "20000",
        },
    )
    op.create_index("ix_delayed_due", "delayed", ["due_at"], unique=False)
    op.create_table(
        "leader",
        sa.Column("one", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("backend_pid", sa.Integer(), nullable=False),
        sa.Column("beat_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("one", name=op.f("ck_leader_one")),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_leader")),
        comment="which worker process feeds the queues and keeps house, and when it last said so",
    )
    op.create_table(
        "leases",
        sa.Column("stage", sa.Text(), nullable=False, comment="ingest, classify or run"),
        sa.Column(
            "item_id",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="document or job",
        ),
        sa.Column("line_id", sa.BigInteger(), nullable=False),
        sa.Column("owner", sa.Uuid(), nullable=False, comment="the worker process that holds it"),
        sa.Column("claim", sa.Uuid(), nullable=False, comment="the claim that took it"),
        sa.Column(
            "until",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="renewed while the worker lives",
        ),
        sa.Column(
            "since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("stage", "item_id", name=op.f("pk_leases")),
        comment="what a worker is at; gone when it is done with it",
        postgresql_with={
            "autovacuum_vacuum_scale_factor": "0",
            "autovacuum_vacuum_threshold": "5000",
            "autovacuum_analyze_scale_factor": "0",
            "autovacuum_analyze_threshold": "20000",
        },
    )
    op.create_index("ix_leases_claim", "leases", ["claim"], unique=False)
    op.create_index("ix_leases_line", "leases", ["line_id"], unique=False)
    op.create_index("ix_leases_until", "leases", ["until"], unique=False)
    op.create_table(
        "spend",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "batch_id",
            sa.BigInteger(),
            nullable=True,
            comment="NULL: batches that were purged with their costs",
        ),
        sa.Column("day", sa.Date(), nullable=False, comment="in UTC, on which the calls began"),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column(
            "usd",
            sa.Numeric(precision=20, scale=10),
            nullable=False,
            comment="known costs, upper bounds of those under way",
        ),
        sa.Column(
            "known_usd",
            sa.Numeric(precision=20, scale=10),
            nullable=False,
            comment="known costs of calls that ended",
        ),
        sa.Column(
            "under_way", sa.Integer(), nullable=False, comment="calls that may give something back"
        ),
        sa.Column(
            "calls", sa.Integer(), nullable=False, comment="that ended, reused answers left out"
        ),
        sa.Column("unknown", sa.Integer(), nullable=False, comment="of those, at no known price"),
        sa.Column("lost", sa.Integer(), nullable=False, comment="of those, without an answer"),
        sa.Column("folded", sa.Boolean(), server_default="false", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_spend")),
        comment="what a batch spent on a day: the sum of its rows. Every change of the ledger adds one; the leader folds them. It outlives the ledger's rows",
        postgresql_with={
            "autovacuum_vacuum_scale_factor": "0",
            "autovacuum_vacuum_threshold": "5000",
            "autovacuum_analyze_scale_factor": "0",
            "autovacuum_analyze_threshold": "20000",
        },
    )
    op.create_index("ix_spend_batch", "spend", ["batch_id"], unique=False)
    op.create_index(
        "ix_spend_changes", "spend", ["id"], unique=False, postgresql_where=sa.text("NOT folded")
    )
    op.create_index("ix_spend_day", "spend", ["day"], unique=False)
    op.create_index(
        "uq_spend_folded",
        "spend",
        ["batch_id", "day", "zone"],
        unique=True,
        postgresql_where=sa.text("folded"),
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "waiting",
        sa.Column("line_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "xact",
            sa.BigInteger(),
            server_default=sa.text("pg_current_xact_id()::text::bigint"),
            autoincrement=False,
            nullable=False,
            comment="the transaction that put it there, in whose order it is taken",
        ),
        sa.Column(
            "item_id",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="document or job",
        ),
        sa.PrimaryKeyConstraint("line_id", "xact", "item_id", name=op.f("pk_waiting")),
        comment="what may be taken now; gone when it is",
        postgresql_with={
            "autovacuum_vacuum_scale_factor": "0",
            "autovacuum_vacuum_threshold": "5000",
            "autovacuum_analyze_scale_factor": "0",
            "autovacuum_analyze_threshold": "20000",
        },
    )
    op.create_table(
        "workers",
        sa.Column("owner", sa.Uuid(), nullable=False),
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False, comment="name of its machine"),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column(
            "configuration_id", sa.BigInteger(), nullable=False, comment="the one that it goes by"
        ),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("owner", name=op.f("pk_workers")),
        comment="the worker processes that live",
    )
    op.create_table(
        "batches",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=True, comment="what the user called it"),
        sa.Column("configuration_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "local_only",
            sa.Boolean(),
            nullable=False,
            comment="true: policy local-only, no call of this batch may go to the frontier",
        ),
        sa.Column(
            "priority",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="higher runs first",
        ),
        sa.Column(
            "deadline",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when it should be finished; NULL: no matter when",
        ),
        sa.Column(
            "max_cost_usd",
            sa.Numeric(precision=20, scale=10),
            nullable=True,
            comment="budget in USD; NULL: none",
        ),
        sa.Column(
            "reuse",
            sa.Boolean(),
            server_default="true",
            nullable=False,
            comment="whether an answer to an identical request may be taken from the ledger",
        ),
        sa.Column("state", sa.Text(), server_default="running", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "submitted_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when its last document was stored; NULL: not yet",
        ),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when its first document was handed to a worker",
        ),
        sa.Column(
            "finished_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when nothing of it was left to do",
        ),
        sa.Column(
            "purge_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when it is purged; NULL: it is kept, or has been",
        ),
        sa.Column(
            "keeps_costs",
            sa.Boolean(),
            server_default="true",
            nullable=False,
            comment="whether the ledger says what it cost when it is purged",
        ),
        sa.CheckConstraint(
            "state IN ('cancelled', 'finished', 'paused', 'purged', 'running')",
            name=op.f("ck_batches_state"),
        ),
        sa.ForeignKeyConstraint(
            ["configuration_id"], ["configurations.id"], name=op.f("fk_batches_configuration_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
        sa.UniqueConstraint("id", "local_only", name=op.f("uq_batches_id_local_only")),
        comment="what one submit creates: documents x asks, a policy, a priority, a budget",
    )
    op.create_index(
        "ix_batches_open",
        "batches",
        ["id"],
        unique=False,
        postgresql_where=sa.text("finished_at IS NULL"),
    )
    op.create_index(
        "ix_batches_purge",
        "batches",
        ["purge_at"],
        unique=False,
        postgresql_where=sa.text("purge_at IS NOT NULL"),
    )
    op.create_table(
        "gates",
        sa.Column("owner", sa.Uuid(), nullable=False),
        sa.Column("engine", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False, comment="empty: every model of it"),
        sa.Column("code", sa.Text(), nullable=False, comment="why"),
        sa.Column("message", sa.Text(), nullable=False, comment="what the engine said"),
        sa.Column("lasting", sa.Boolean(), nullable=False, comment="true: somebody has to mend it"),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "until",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when it is tried again; NULL: when a probe says so",
        ),
        sa.Column(
            "lifted", sa.Boolean(), server_default="false", nullable=False, comment="try again now"
        ),
        sa.ForeignKeyConstraint(
            ["owner"], ["workers.owner"], name=op.f("fk_gates_owner"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("owner", "engine", "model", name=op.f("pk_gates")),
        comment="which engine or model a worker process does not ask at present, and why",
    )
    op.create_table(
        "servers",
        sa.Column("owner", sa.Uuid(), nullable=False),
        sa.Column("engine", sa.Text(), nullable=False, comment="its name in the configuration"),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False, comment="host:port that sees the prompts"),
        sa.Column(
            "models",
            postgresql.ARRAY(sa.Text()),
            nullable=True,
            comment="whose queues it serves",
        ),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("in_use", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "max_slots",
            sa.Integer(),
            nullable=True,
            comment="of slots that adapt; NULL: their number is fixed",
        ),
        sa.ForeignKeyConstraint(
            ["owner"], ["workers.owner"], name=op.f("fk_servers_owner"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("owner", "engine", name=op.f("pk_servers")),
        comment="which engine each worker process reaches, where, and what it has",
    )
    op.create_table(
        "asks",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("ordinal", sa.SmallInteger(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False, comment="its name, or else its text"),
        sa.Column("text", sa.Text(), nullable=False, comment="the instruction"),
        sa.Column(
            "json_schema",
            postgresql.JSON(astext_type=sa.Text()),
            nullable=True,
            comment="JSON Schema that answers must match, keys in the user's order; NULL: the task's",
        ),
        sa.Column(
            "task",
            sa.Text(),
            nullable=True,
            comment="task type given by the user; NULL: the classify step decides",
        ),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column(
            "documents",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="glob patterns; empty: all",
        ),
        sa.CheckConstraint("scope IN ('chunk', 'document')", name=op.f("ck_asks_scope")),
        sa.CheckConstraint(
            "task IN ('classification', 'extraction', 'reasoning', 'simple_code', 'summary')",
            name=op.f("ck_asks_task"),
        ),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batches.id"], name=op.f("fk_asks_batch_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_asks")),
        sa.UniqueConstraint("batch_id", "ordinal", name=op.f("uq_asks_batch_id_ordinal")),
        comment="one instruction of a batch",
    )
    op.create_table(
        "documents",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False, comment="as submitted"),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), server_default="pending", nullable=False),
        sa.Column("pages", sa.Integer(), nullable=True, comment="NULL until read"),
        sa.Column(
            "language",
            sa.Text(),
            nullable=True,
            comment="ISO 639-1 of most of its text; NULL: unknown",
        ),
        sa.Column("jobs_total", sa.Integer(), server_default="0", nullable=False),
        sa.Column("jobs_finished", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "kills",
            sa.SmallInteger(),
            server_default="0",
            nullable=False,
            comment="workers lost on it",
        ),
        sa.Column(
            "not_before", sa.DateTime(timezone=True), nullable=True, comment="waits until then"
        ),
        sa.Column(
            "error",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="{category, phase, retryable, message} when failed",
        ),
        sa.Column(
            "notes",
            postgresql.ARRAY(sa.Text()),
            server_default="{}",
            nullable=False,
            comment="what was odd",
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('done', 'failed', 'pending', 'ready', 'skipped')",
            name=op.f("ck_documents_state"),
        ),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batches.id"], name=op.f("fk_documents_batch_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_documents")),
        comment="a source file",
        postgresql_with={
            "fillfactor": "70",
            "autovacuum_vacuum_scale_factor": "0.02",
            "autovacuum_analyze_scale_factor": "0.05",
        },
    )
    op.create_index("ix_documents_batch", "documents", ["batch_id", "id"], unique=False)
    op.create_index(
        "ix_documents_failed",
        "documents",
        ["batch_id"],
        unique=False,
        postgresql_where=sa.text("state = 'failed'"),
    )
    op.create_table(
        "holds",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=True, comment="NULL: every batch"),
        sa.Column("zone", sa.Text(), nullable=True, comment="NULL: every zone"),
        sa.Column("engine", sa.Text(), nullable=True, comment="NULL: every engine"),
        sa.Column("model", sa.Text(), nullable=True, comment="NULL: every model"),
        sa.Column("code", sa.Text(), nullable=False, comment="why"),
        sa.Column(
            "about",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default="{}",
            nullable=False,
            comment="figures of the reason",
        ),
        sa.Column(
            "since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column(
            "until",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when it ends by itself; NULL: when somebody lifts it",
        ),
        sa.Column(
            "passing",
            sa.Boolean(),
            server_default="false",
            nullable=False,
            comment="true: for a moment only, which nobody need be told of",
        ),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batches.id"], name=op.f("fk_holds_batch_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holds")),
        sa.UniqueConstraint(
            "batch_id",
            "zone",
            "engine",
            "model",
            "code",
            name=op.f("uq_holds_batch_id_zone_engine_model_code"),
            postgresql_nulls_not_distinct=True,
        ),
        comment="what stands still, and why: a row about a batch, a zone, an engine or a model",
    )
    op.create_table(
        "lines",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False, comment="the Celery queue"),
        sa.Column("stage", sa.Text(), nullable=False, comment="ingest, classify or run"),
        sa.Column("zone", sa.Text(), nullable=True, comment="of its engine; NULL: ingest"),
        sa.Column("engine", sa.Text(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("priority", sa.Integer(), nullable=False, comment="the batch's"),
        sa.Column("deadline", sa.DateTime(timezone=True), nullable=True, comment="the batch's"),
        sa.Column(
            "open",
            sa.Boolean(),
            nullable=False,
            comment="whether its batch is running and no hold concerns it",
        ),
        sa.Column(
            "head",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="nothing that waits was put there by an earlier transaction",
        ),
        sa.CheckConstraint("stage IN ('classify', 'ingest', 'run')", name=op.f("ck_lines_stage")),
        sa.CheckConstraint("zone IN ('frontier', 'local')", name=op.f("ck_lines_zone")),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batches.id"], name=op.f("fk_lines_batch_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lines")),
        sa.UniqueConstraint("batch_id", "queue", name=op.f("uq_lines_batch_id_queue")),
        comment="a batch's line in a queue; what waits stands in it",
        postgresql_with={"fillfactor": "50"},
    )
    op.create_index(
        "ix_lines_open",
        "lines",
        ["queue", sa.literal_column("priority DESC"), "deadline"],
        unique=False,
        postgresql_where=sa.text("open"),
    )
    op.create_table(
        "chunks",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("document_id", sa.BigInteger(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False, comment="1-based within the document"),
        sa.Column("page_from", sa.Integer(), nullable=False),
        sa.Column("page_to", sa.Integer(), nullable=False),
        sa.Column(
            "char_start", sa.Integer(), nullable=False, comment="within the document's whole text"
        ),
        sa.Column("char_end", sa.Integer(), nullable=False),
        sa.Column("tokens", sa.Integer(), nullable=False, comment="estimate"),
        sa.Column("language", sa.Text(), nullable=True, comment="ISO 639-1; NULL: no letters"),
        sa.Column(
            "blank",
            sa.Text(),
            nullable=True,
            comment="why there is nothing to ask about; NULL: there is text",
        ),
        sa.Column(
            "pinned",
            sa.Text(),
            nullable=True,
            comment="private data found in it, which keeps it local; NULL: none",
        ),
        sa.Column("sha256", sa.LargeBinary(), nullable=False, comment="of its text in UTF-8"),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["document_id"],
            ["documents.id"],
            name=op.f("fk_chunks_document_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chunks")),
        sa.UniqueConstraint("document_id", "ordinal", name=op.f("uq_chunks_document_id_ordinal")),
        comment="a run of a document's text with its page and character range",
    )
    op.create_table(
        "document_contents",
        sa.Column("document_id", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["document_id"],
            ["documents.id"],
            name=op.f("fk_document_contents_document_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("document_id", name=op.f("pk_document_contents")),
        comment="the bytes of documents not read yet; removed once the text stands in chunks",
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "local_only", sa.Boolean(), nullable=False, comment="the batch's policy, held by a key"
        ),
        sa.Column(
            "pinned",
            sa.Text(),
            nullable=True,
            comment="private data in its text, which keeps it local; NULL: none",
        ),
        sa.Column("document_id", sa.BigInteger(), nullable=False),
        sa.Column("chunk_id", sa.BigInteger(), nullable=True, comment="NULL: whole document"),
        sa.Column("ask_id", sa.BigInteger(), nullable=False),
        sa.Column("parent_id", sa.BigInteger(), nullable=True, comment="whose part it is"),
        sa.Column(
            "level",
            sa.SmallInteger(),
            server_default="0",
            nullable=False,
            comment="of a part: 1 reads the document's text, the next ones what the level before found",
        ),
        sa.Column(
            "first",
            sa.Integer(),
            nullable=True,
            comment="of a part: its first chunk, or part of the level before",
        ),
        sa.Column(
            "last",
            sa.Integer(),
            nullable=True,
            comment="of a part: its last chunk, or part of the level before",
        ),
        sa.Column(
            "open_parts", sa.Integer(), server_default="0", nullable=False, comment="not ended yet"
        ),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column(
            "classify_key", sa.Uuid(), nullable=True, comment="equal for equal (ask, text) pairs"
        ),
        sa.Column("task", sa.Text(), nullable=True),
        sa.Column(
            "found_by",
            sa.Text(),
            nullable=True,
            comment="who said which task it is: user, model or fallback",
        ),
        sa.Column(
            "confidence",
            sa.Double(),
            nullable=True,
            comment="of that verdict, 0 to 1; NULL: nobody said",
        ),
        sa.Column("zone", sa.Text(), nullable=True, comment="local or frontier, once routed"),
        sa.Column(
            "engine", sa.Text(), nullable=True, comment="name of the engine that it is routed to"
        ),
        sa.Column("model", sa.Text(), nullable=True, comment="model_name that it is routed to"),
        sa.Column(
            "step",
            sa.SmallInteger(),
            server_default="0",
            nullable=False,
            comment="of its task's chain",
        ),
        sa.Column(
            "chain",
            postgresql.ARRAY(sa.Text()),
            server_default="{}",
            nullable=False,
            comment="ENGINE/MODEL of those whose answers were not good enough, in order",
        ),
        sa.Column("tokens", sa.Integer(), nullable=False, comment="estimate of its text"),
        sa.Column(
            "fixed_tokens",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="estimate of what its prompt holds besides",
        ),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column(
            "waits", sa.Integer(), server_default="0", nullable=False, comment="no fault of its own"
        ),
        sa.Column(
            "kills",
            sa.SmallInteger(),
            server_default="0",
            nullable=False,
            comment="workers lost on it",
        ),
        sa.Column(
            "deaths",
            sa.SmallInteger(),
            server_default="0",
            nullable=False,
            comment="how often its engine went down in the middle of its call",
        ),
        sa.Column(
            "not_before", sa.DateTime(timezone=True), nullable=True, comment="waits until then"
        ),
        sa.Column("reason", sa.Text(), nullable=True, comment="why it is skipped"),
        sa.Column(
            "error",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="{category, phase, retryable, message}",
        ),
        sa.Column(
            "escalated_from",
            sa.Text(),
            nullable=True,
            comment="the model whose answer was not good enough",
        ),
        sa.Column("escalation_reason", sa.Text(), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("NOT (local_only AND zone <> 'local')", name=op.f("ck_jobs_local_only")),
        sa.CheckConstraint(
            "NOT (pinned IS NOT NULL AND zone <> 'local')", name=op.f("ck_jobs_pinned")
        ),
        sa.CheckConstraint(
            "found_by IN ('fallback', 'model', 'user')", name=op.f("ck_jobs_found_by")
        ),
        sa.CheckConstraint(
            "state IN ('done', 'failed', 'pending', 'ready', 'skipped')", name=op.f("ck_jobs_state")
        ),
        sa.CheckConstraint(
            "state NOT IN ('ready', 'done') OR (task IS NOT NULL AND zone IS NOT NULL AND engine IS NOT NULL AND model IS NOT NULL)",
            name=op.f("ck_jobs_routed"),
        ),
        sa.CheckConstraint(
            "task IN ('classification', 'extraction', 'reasoning', 'simple_code', 'summary')",
            name=op.f("ck_jobs_task"),
        ),
        sa.CheckConstraint("zone IN ('frontier', 'local')", name=op.f("ck_jobs_zone")),
        sa.ForeignKeyConstraint(
            ["ask_id"], ["asks.id"], name=op.f("fk_jobs_ask_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["batch_id", "local_only"],
            ["batches.id", "batches.local_only"],
            name=op.f("fk_jobs_batch_id_local_only"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["chunk_id"], ["chunks.id"], name=op.f("fk_jobs_chunk_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["document_id"], ["documents.id"], name=op.f("fk_jobs_document_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["jobs.id"], name=op.f("fk_jobs_parent_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
        sa.UniqueConstraint("id", "local_only", name=op.f("uq_jobs_id_local_only")),
        comment="one (chunk, ask), or one (document, ask) for document scope, or a part of one",
        postgresql_with={
            "fillfactor": "70",
            "autovacuum_vacuum_scale_factor": "0.02",
            "autovacuum_analyze_scale_factor": "0.05",
        },
    )
    op.create_index("ix_jobs_ask", "jobs", ["ask_id", "id"], unique=False)
    op.create_index("ix_jobs_document", "jobs", ["document_id"], unique=False)
    op.create_index("uq_jobs_chunk_ask", "jobs", ["chunk_id", "ask_id"], unique=True)
    op.create_index(
        "uq_jobs_document_ask",
        "jobs",
        ["document_id", "ask_id"],
        unique=True,
        postgresql_where=sa.text("chunk_id IS NULL AND parent_id IS NULL"),
    )
    op.create_index(
        "uq_jobs_part",
        "jobs",
        ["parent_id", "level", "first"],
        unique=True,
        postgresql_where=sa.text("parent_id IS NOT NULL"),
    )
    op.create_table(
        "answers",
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("value", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "grounded",
            sa.Boolean(),
            nullable=True,
            comment="every value stands in the source; NULL: does not apply",
        ),
        sa.Column(
            "spans",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="{field: [start, end]} in the document's text",
        ),
        sa.Column("call_id", sa.Uuid(), nullable=False, comment="the call that gave it"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_answers_job_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_answers")),
        comment="the answer of a done job; one per job by its key",
    )
    op.create_table(
        "calls",
        sa.Column(
            "id",
            sa.Uuid(),
            nullable=False,
            comment="UUID version 7: the time, which its partition is of",
        ),
        sa.Column("job_id", sa.BigInteger(), nullable=True, comment="NULL: its batch was purged"),
        sa.Column(
            "batch_id",
            sa.BigInteger(),
            nullable=True,
            comment="NULL: its batch was purged with its costs",
        ),
        sa.Column("local_only", sa.Boolean(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False, comment="classify, run or repair"),
        sa.Column("task", sa.Text(), nullable=True),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("engine", sa.Text(), nullable=False, comment="its name in the configuration"),
        sa.Column("kind", sa.Text(), nullable=False, comment="of engine, as docmill.toml names it"),
        sa.Column("host", sa.Text(), nullable=False, comment="host:port that saw the prompt"),
        sa.Column(
            "stand_in", sa.Boolean(), nullable=False, comment="true: served by the embedded model"
        ),
        sa.Column("model_asked", sa.Text(), nullable=False),
        sa.Column("model_answered", sa.Text(), nullable=True),
        sa.Column("owner", sa.Uuid(), nullable=False, comment="the worker process that made it"),
        sa.Column("attempt", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.Text(), server_default="reserved", nullable=False),
        sa.Column(
            "reserved_usd",
            sa.Numeric(precision=20, scale=10),
            nullable=True,
            comment="upper bound of its cost; NULL: price unknown",
        ),
        sa.Column(
            "cost_usd",
            sa.Numeric(precision=20, scale=10),
            nullable=True,
            comment="NULL: not known, see cost_reason; never 0 for unknown",
        ),
        sa.Column(
            "cost_reason",
            sa.Text(),
            nullable=True,
            comment="why the cost is not known, or what bounds it",
        ),
        sa.Column(
            "price_source",
            sa.Text(),
            nullable=True,
            comment="provider, config, genai-prices VERSION, machine hours or reused answer",
        ),
        sa.Column("input_usd_per_mtok", sa.Numeric(precision=20, scale=10), nullable=True),
        sa.Column("cached_usd_per_mtok", sa.Numeric(precision=20, scale=10), nullable=True),
        sa.Column("output_usd_per_mtok", sa.Numeric(precision=20, scale=10), nullable=True),
        sa.Column(
            "would_have_cost_usd",
            sa.Numeric(precision=20, scale=10),
            nullable=True,
            comment="same tokens at the frontier model: an estimate",
        ),
        sa.Column(
            "input_tokens",
            sa.Integer(),
            nullable=True,
            comment="cached ones included; NULL: not reported",
        ),
        sa.Column("cached_tokens", sa.Integer(), nullable=True),
        sa.Column("output_tokens", sa.Integer(), nullable=True),
        sa.Column("reasoning_tokens", sa.Integer(), nullable=True),
        sa.Column(
            "engine_seconds",
            sa.Double(),
            nullable=True,
            comment="GPU seconds by the engine's own clock",
        ),
        sa.Column("latency_ms", sa.Integer(), nullable=True),
        sa.Column(
            "finish", sa.Text(), nullable=True, comment="stop, length, loop or content_filter"
        ),
        sa.Column(
            "request_key",
            sa.Uuid(),
            nullable=True,
            comment="equal for identical requests of one job's attempt",
        ),
        sa.Column(
            "answer_key",
            sa.Uuid(),
            nullable=True,
            comment="equal for jobs that would ask the same of the same model; NULL: not to be shared",
        ),
        sa.Column(
            "reused_from",
            sa.Uuid(),
            nullable=True,
            comment="the call that gave the answer; no request was made",
        ),
        sa.Column("answer", sa.Text(), nullable=True, comment="the text that came back"),
        sa.Column("error", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "NOT (local_only AND zone <> 'local')", name=op.f("ck_calls_local_only")
        ),
        sa.CheckConstraint(
            "state IN ('lost', 'refused', 'reserved', 'reused', 'settled')",
            name=op.f("ck_calls_state"),
        ),
        sa.CheckConstraint("zone IN ('frontier', 'local')", name=op.f("ck_calls_zone")),
        sa.ForeignKeyConstraint(
            ["job_id", "local_only"],
            ["jobs.id", "jobs.local_only"],
            name=op.f("fk_calls_job_id_local_only"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calls")),
        comment="the ledger: one row per request to an engine, written before it is made",
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index(
        "ix_calls_answer_known",
        "calls",
        ["answer_key"],
        unique=False,
        postgresql_where=sa.text("state = 'settled' AND answer_key IS NOT NULL"),
    )
    op.create_index("ix_calls_batch", "calls", ["batch_id"], unique=False)
    op.create_index("ix_calls_job", "calls", ["job_id"], unique=False)
    op.create_index(
        "ix_calls_reserved",
        "calls",
        ["job_id"],
        unique=False,
        postgresql_where=sa.text("state = 'reserved'"),
    )
    op.create_table(
        "failed_jobs",
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_failed_jobs_job_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_failed_jobs")),
        comment="the jobs that failed, so that nobody has to look for them among all",
    )
    op.create_index(
        "ix_failed_jobs_batch", "failed_jobs", ["batch_id", "category", "job_id"], unique=False
    )
    for part in PARTS:
        op.execute((SQL / part).read_text("utf-8"))
    for statement in LEDGER:
        op.execute(statement)


def downgrade() -> None:
    for view in VIEWS:
        op.execute(f"DROP VIEW {view}")
    for function in HOLDS:
        op.execute(function)
    op.drop_index("ix_failed_jobs_batch", table_name="failed_jobs")
    op.drop_table("failed_jobs")
    op.drop_index(
        "ix_calls_reserved", table_name="calls", postgresql_where=sa.text("state = 'reserved'")
    )
    op.drop_index("ix_calls_job", table_name="calls")
    op.drop_index("ix_calls_batch", table_name="calls")
    op.drop_index(
        "ix_calls_answer_known",
        table_name="calls",
        postgresql_where=sa.text("state = 'settled' AND answer_key IS NOT NULL"),
    )
    op.drop_table("calls")
    op.drop_table("answers")
    op.drop_index(
        "uq_jobs_part", table_name="jobs", postgresql_where=sa.text("parent_id IS NOT NULL")
    )
    op.drop_index(
        "uq_jobs_document_ask",
        table_name="jobs",
        postgresql_where=sa.text("chunk_id IS NULL AND parent_id IS NULL"),
    )
    op.drop_index("uq_jobs_chunk_ask", table_name="jobs")
    op.drop_index("ix_jobs_document", table_name="jobs")
    op.drop_index("ix_jobs_ask", table_name="jobs")
    op.drop_table("jobs")
    op.drop_table("document_contents")
    op.drop_table("chunks")
    op.drop_index("ix_lines_open", table_name="lines", postgresql_where=sa.text("open"))
    op.drop_table("lines")
    op.drop_table("holds")
    op.drop_index(
        "ix_documents_failed", table_name="documents", postgresql_where=sa.text("state = 'failed'")
    )
    op.drop_index("ix_documents_batch", table_name="documents")
    op.drop_table("documents")
    op.drop_table("asks")
    op.drop_table("servers")
    op.drop_table("gates")
    op.drop_index(
        "ix_batches_purge", table_name="batches", postgresql_where=sa.text("purge_at IS NOT NULL")
    )
    op.drop_index(
        "ix_batches_open", table_name="batches", postgresql_where=sa.text("finished_at IS NULL")
    )
    op.drop_table("batches")
    op.drop_table("workers")
    op.drop_table("waiting")
    op.drop_index(
        "uq_spend_folded",
        table_name="spend",
        postgresql_where=sa.text("folded"),
        postgresql_nulls_not_distinct=True,
    )
    op.drop_index("ix_spend_day", table_name="spend")
    op.drop_index("ix_spend_changes", table_name="spend", postgresql_where=sa.text("NOT folded"))
    op.drop_index("ix_spend_batch", table_name="spend")
    op.drop_table("spend")
    op.drop_index("ix_leases_until", table_name="leases")
    op.drop_index("ix_leases_line", table_name="leases")
    op.drop_index("ix_leases_claim", table_name="leases")
    op.drop_table("leases")
    op.drop_table("leader")
    op.drop_index("ix_delayed_due", table_name="delayed")
    op.drop_table("delayed")
    op.drop_index("uq_counts_folded", table_name="counts", postgresql_where=sa.text("folded"))
    op.drop_index("ix_counts_changes", table_name="counts", postgresql_where=sa.text("NOT folded"))
    op.drop_index("ix_counts_batch", table_name="counts")
    op.drop_table("counts")
    op.drop_table("model_traits")
    op.drop_table("configurations")
    op.drop_index("ix_classifications_since", table_name="classifications")
    op.drop_table("classifications")
    op.execute((SQL / "0004_down.sql").read_text("utf-8"))
