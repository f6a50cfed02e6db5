"""The foundation: every table, and the views for SQL users."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

VIEWS = Path(__file__).parent.parent / "sql" / "0001_views.sql"

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "batches",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=True, comment="what the user called it"),
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
            "max_cost_usd",
            sa.Numeric(precision=20, scale=10),
            nullable=True,
            comment="budget in USD; NULL: none",
        ),
        sa.Column("state", sa.Text(), server_default="running", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
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
            comment="when no job was pending, ready or running any more",
        ),
        sa.CheckConstraint(
            "state IN ('running', 'paused', 'cancelled', 'finished')", name=op.f("ck_batches_state")
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
        postgresql_where=sa.text("state IN ('running', 'paused')"),
    )
    op.create_table(
        "classifications",
        sa.Column("key", sa.Uuid(), nullable=False, comment="hash of ask, text, model and prompt"),
        sa.Column("task", sa.Text(), nullable=True, comment="the verdict; NULL: being classified"),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("owner", sa.Uuid(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "task IN ('extraction', 'classification', 'simple_code', 'summary', 'reasoning')",
            name=op.f("ck_classifications_task"),
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_classifications")),
        comment="task types already found, so that equal pairs are classified once",
    )
    op.create_index(
        "ix_classifications_leased",
        "classifications",
        ["owner"],
        unique=False,
        postgresql_where=sa.text("task IS NULL"),
    )
    op.create_table(
        "feeder",
        sa.Column("one", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("backend_pid", sa.Integer(), nullable=False),
        sa.Column("beat_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("one", name=op.f("ck_feeder_one")),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_feeder")),
        comment="who feeds the queues, and when it last did",
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
            "task IN ('extraction', 'classification', 'simple_code', 'summary', 'reasoning')",
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
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column(
            "kills",
            sa.SmallInteger(),
            server_default="0",
            nullable=False,
            comment="workers lost on it",
        ),
        sa.Column(
            "owner", sa.Uuid(), nullable=True, comment="the worker process that holds the lease"
        ),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
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
            "state IN ('pending', 'running', 'ready', 'done', 'failed', 'cancelled', 'skipped')",
            name=op.f("ck_documents_state"),
        ),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batches.id"], name=op.f("fk_documents_batch_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_documents")),
        comment="a source file",
        postgresql_with={"fillfactor": "70"},
    )
    op.create_index(
        "ix_documents_running",
        "documents",
        ["owner"],
        unique=False,
        postgresql_where=sa.text("state = 'running'"),
    )
    op.create_index("ix_documents_state", "documents", ["batch_id", "state"], unique=False)
    op.create_index(
        "ix_documents_waiting",
        "documents",
        ["batch_id", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'pending'"),
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
        sa.Column("document_id", sa.BigInteger(), nullable=False),
        sa.Column("chunk_id", sa.BigInteger(), nullable=True, comment="NULL: whole document"),
        sa.Column("ask_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column(
            "classify_key", sa.Uuid(), nullable=True, comment="equal for equal (ask, text) pairs"
        ),
        sa.Column("task", sa.Text(), nullable=True),
        sa.Column("queue", sa.Text(), nullable=True, comment="local or frontier, once routed"),
        sa.Column("model", sa.Text(), nullable=True, comment="model_name that it is routed to"),
        sa.Column("tokens", sa.Integer(), nullable=False, comment="estimate of its text"),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column(
            "waits",
            sa.SmallInteger(),
            server_default="0",
            nullable=False,
            comment="no fault of its own",
        ),
        sa.Column(
            "kills",
            sa.SmallInteger(),
            server_default="0",
            nullable=False,
            comment="workers lost on it",
        ),
        sa.Column(
            "owner", sa.Uuid(), nullable=True, comment="the worker process that holds the lease"
        ),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "not_before", sa.DateTime(timezone=True), nullable=True, comment="waits until then"
        ),
        sa.Column("reason", sa.Text(), nullable=True, comment="why it is held or skipped"),
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
        sa.CheckConstraint(
            "NOT (local_only AND queue = 'frontier')", name=op.f("ck_jobs_local_only")
        ),
        sa.CheckConstraint("queue IN ('local', 'frontier')", name=op.f("ck_jobs_queue")),
        sa.CheckConstraint(
            "state IN ('pending', 'ready', 'running', 'done', 'failed', 'held', 'cancelled', 'skipped')",
            name=op.f("ck_jobs_state"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('ready', 'running', 'done') OR (task IS NOT NULL AND queue IS NOT NULL AND model IS NOT NULL)",
            name=op.f("ck_jobs_routed"),
        ),
        sa.CheckConstraint(
            "task IN ('extraction', 'classification', 'simple_code', 'summary', 'reasoning')",
            name=op.f("ck_jobs_task"),
        ),
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
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
        sa.UniqueConstraint("id", "local_only", name=op.f("uq_jobs_id_local_only")),
        comment="one (chunk, ask), or one (document, ask) for document scope",
        postgresql_with={"fillfactor": "70"},
    )
    op.create_index("ix_jobs_document", "jobs", ["document_id"], unique=False)
    op.create_index(
        "ix_jobs_pending",
        "jobs",
        ["batch_id", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "ix_jobs_pending_key",
        "jobs",
        ["classify_key"],
        unique=False,
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "ix_jobs_ready",
        "jobs",
        ["batch_id", "queue", "model", "ask_id", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'ready'"),
    )
    op.create_index(
        "ix_jobs_running",
        "jobs",
        ["owner"],
        unique=False,
        postgresql_where=sa.text("state = 'running'"),
    )
    op.create_index("ix_jobs_state", "jobs", ["batch_id", "state"], unique=False)
    op.create_index("uq_jobs_chunk_ask", "jobs", ["chunk_id", "ask_id"], unique=True)
    op.create_index(
        "uq_jobs_document_ask",
        "jobs",
        ["document_id", "ask_id"],
        unique=True,
        postgresql_where=sa.text("chunk_id IS NULL"),
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
        sa.Column("id", sa.Uuid(), nullable=False, comment="also sent as Idempotency-Key"),
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("local_only", sa.Boolean(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False, comment="classify, run, repair or part"),
        sa.Column("task", sa.Text(), nullable=True),
        sa.Column("tier", sa.Text(), nullable=False),
        sa.Column("engine", sa.Text(), nullable=False, comment="kind of engine: ollama or openai"),
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
            comment="provider, config, genai-prices VERSION or machine hours",
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
        sa.Column("finish", sa.Text(), nullable=True, comment="stop, length or content_filter"),
        sa.Column("request_key", sa.Uuid(), nullable=True, comment="equal for identical requests"),
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
            "NOT (local_only AND tier = 'frontier')", name=op.f("ck_calls_local_only")
        ),
        sa.CheckConstraint(
            "state IN ('reserved', 'settled', 'refused', 'lost')", name=op.f("ck_calls_state")
        ),
        sa.CheckConstraint("tier IN ('local', 'frontier')", name=op.f("ck_calls_tier")),
        sa.ForeignKeyConstraint(
            ["job_id", "local_only"],
            ["jobs.id", "jobs.local_only"],
            name=op.f("fk_calls_job_id_local_only"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calls")),
        comment="the ledger: one row per request to an engine, written before it is made",
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
    op.execute(VIEWS.read_text("utf-8"))


def downgrade() -> None:
    op.execute("DROP VIEW batch_progress, costs_by_model, results")
    op.drop_index(
        "ix_calls_reserved", table_name="calls", postgresql_where=sa.text("state = 'reserved'")
    )
    op.drop_index("ix_calls_job", table_name="calls")
    op.drop_index("ix_calls_batch", table_name="calls")
    op.drop_table("calls")
    op.drop_table("answers")
    op.drop_index(
        "uq_jobs_document_ask", table_name="jobs", postgresql_where=sa.text("chunk_id IS NULL")
    )
    op.drop_index("uq_jobs_chunk_ask", table_name="jobs")
    op.drop_index("ix_jobs_state", table_name="jobs")
    op.drop_index(
        "ix_jobs_running", table_name="jobs", postgresql_where=sa.text("state = 'running'")
    )
    op.drop_index("ix_jobs_ready", table_name="jobs", postgresql_where=sa.text("state = 'ready'"))
    op.drop_index(
        "ix_jobs_pending_key", table_name="jobs", postgresql_where=sa.text("state = 'pending'")
    )
    op.drop_index(
        "ix_jobs_pending", table_name="jobs", postgresql_where=sa.text("state = 'pending'")
    )
    op.drop_index("ix_jobs_document", table_name="jobs")
    op.drop_table("jobs")
    op.drop_table("document_contents")
    op.drop_table("chunks")
    op.drop_index(
        "ix_documents_waiting",
        table_name="documents",
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.drop_index("ix_documents_state", table_name="documents")
    op.drop_index(
        "ix_documents_running",
        table_name="documents",
        postgresql_where=sa.text("state = 'running'"),
    )
    op.drop_table("documents")
    op.drop_table("asks")
    op.drop_table("feeder")
    op.drop_index(
        "ix_classifications_leased",
        table_name="classifications",
        postgresql_where=sa.text("task IS NULL"),
    )
    op.drop_table("classifications")
    op.drop_index(
        "ix_batches_open",
        table_name="batches",
        postgresql_where=sa.text("state IN ('running', 'paused')"),
    )
    op.drop_table("batches")
