"""The tables. Each comment also stands in the database (COMMENT ON), for those who read it there.

Ids are bigints. Rows that change often (jobs, documents) carry no text: that lives in chunks,
answers and document_contents, so that an update stays small.
"""

from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSON, JSONB

from models.states import BatchState, CallState, DocumentState, JobState
from models.words import Scope, TaskType

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

Money = Numeric(20, 10)
Moment = DateTime(timezone=True)


def _one_of(column: str, values: type[StrEnum]) -> str:
    return f"{column} IN ({', '.join(repr(str(value)) for value in values)})"


batches = Table(
    "batches",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("name", Text, comment="what the user called it"),
    Column(
        "local_only",
        Boolean,
        nullable=False,
        comment="true: policy local-only, no call of this batch may go to the frontier",
    ),
    Column("priority", Integer, nullable=False, server_default="0", comment="higher runs first"),
    Column("max_cost_usd", Money, comment="budget in USD; NULL: none"),
    Column(
        "reuse",
        Boolean,
        nullable=False,
        server_default="true",
        comment="whether an answer to an identical request may be taken from the ledger",
    ),
    Column("state", Text, nullable=False, server_default=BatchState.RUNNING),
    Column("created_at", Moment, nullable=False, server_default=func.now()),
    Column("started_at", Moment, comment="when its first document was handed to a worker"),
    Column("finished_at", Moment, comment="when no job was pending, ready or running any more"),
    CheckConstraint(_one_of("state", BatchState), name="state"),
    UniqueConstraint("id", "local_only"),
    Index("ix_batches_open", "id", postgresql_where=text("state IN ('running', 'paused')")),
    comment="what one submit creates: documents x asks, a policy, a priority, a budget",
)

asks = Table(
    "asks",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("batch_id", ForeignKey("batches.id", ondelete="CASCADE"), nullable=False),
    Column("ordinal", SmallInteger, nullable=False),
    Column("label", Text, nullable=False, comment="its name, or else its text"),
    Column("text", Text, nullable=False, comment="the instruction"),
    Column(
        "json_schema",
        JSON,
        comment="JSON Schema that answers must match, keys in the user's order; NULL: the task's",
    ),
    Column("task", Text, comment="task type given by the user; NULL: the classify step decides"),
    Column("scope", Text, nullable=False),
    Column("documents", ARRAY(Text), nullable=False, comment="glob patterns; empty: all"),
    CheckConstraint(_one_of("task", TaskType), name="task"),
    CheckConstraint(_one_of("scope", Scope), name="scope"),
    UniqueConstraint("batch_id", "ordinal"),
    comment="one instruction of a batch",
)

documents = Table(
    "documents",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("batch_id", ForeignKey("batches.id", ondelete="CASCADE"), nullable=False),
    Column("path", Text, nullable=False, comment="as submitted"),
    Column("media_type", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("state", Text, nullable=False, server_default=DocumentState.PENDING),
    Column("pages", Integer, comment="NULL until read"),
    Column("language", Text, comment="ISO 639-1 of most of its text; NULL: unknown"),
    Column("jobs_total", Integer, nullable=False, server_default="0"),
    Column("jobs_finished", Integer, nullable=False, server_default="0"),
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    Column("kills", SmallInteger, nullable=False, server_default="0", comment="workers lost on it"),
    Column("owner", Uuid, comment="the worker process that holds the lease"),
    Column("lease_until", Moment),
    Column("not_before", Moment, comment="waits until then"),
    Column("error", JSONB, comment="{category, phase, retryable, message} when failed"),
    Column("notes", ARRAY(Text), nullable=False, server_default="{}", comment="what was odd"),
    Column("finished_at", Moment),
    CheckConstraint(_one_of("state", DocumentState), name="state"),
    Index("ix_documents_waiting", "batch_id", "id", postgresql_where=text("state = 'pending'")),
    Index("ix_documents_running", "owner", postgresql_where=text("state = 'running'")),
    Index("ix_documents_state", "batch_id", "state"),
    postgresql_with={"fillfactor": "70"},
    comment="a source file",
)

document_contents = Table(
    "document_contents",
    metadata,
    Column("document_id", ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True),
    Column("data", LargeBinary, nullable=False),
    comment="the bytes of documents not read yet; removed once the text stands in chunks",
)

chunks = Table(
    "chunks",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("document_id", ForeignKey("documents.id", ondelete="CASCADE"), nullable=False),
    Column("ordinal", Integer, nullable=False, comment="1-based within the document"),
    Column("page_from", Integer, nullable=False),
    Column("page_to", Integer, nullable=False),
    Column("char_start", Integer, nullable=False, comment="within the document's whole text"),
    Column("char_end", Integer, nullable=False),
    Column("tokens", Integer, nullable=False, comment="estimate"),
    Column("language", Text, comment="ISO 639-1; NULL: no letters"),
    Column("blank", Text, comment="why there is nothing to ask about; NULL: there is text"),
    Column("pinned", Text, comment="private data found in it, which keeps it local; NULL: none"),
    Column("sha256", LargeBinary, comment="of its text in UTF-8; NULL: written before 0002"),
    Column("text", Text, nullable=False),
    UniqueConstraint("document_id", "ordinal"),
    comment="a run of a document's text with its page and character range",
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("batch_id", BigInteger, nullable=False),
    Column("local_only", Boolean, nullable=False, comment="the batch's policy, held by a key"),
    Column("pinned", Text, comment="private data in its text, which keeps it local; NULL: none"),
    Column("document_id", ForeignKey("documents.id", ondelete="CASCADE"), nullable=False),
    Column("chunk_id", ForeignKey("chunks.id", ondelete="CASCADE"), comment="NULL: whole document"),
    Column("ask_id", ForeignKey("asks.id", ondelete="CASCADE"), nullable=False),
    Column("state", Text, nullable=False),
    Column("classify_key", Uuid, comment="equal for equal (ask, text) pairs"),
    Column("task", Text),
    Column("queue", Text, comment="local or frontier, once routed"),
    Column("model", Text, comment="model_name that it is routed to"),
    Column("tokens", Integer, nullable=False, comment="estimate of its text"),
    Column("language", Text),
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    Column(
        "waits", SmallInteger, nullable=False, server_default="0", comment="no fault of its own"
    ),
    Column("kills", SmallInteger, nullable=False, server_default="0", comment="workers lost on it"),
    Column("owner", Uuid, comment="the worker process that holds the lease"),
    Column("lease_until", Moment),
    Column("not_before", Moment, comment="waits until then"),
    Column("reason", Text, comment="why it is held or skipped"),
    Column("error", JSONB, comment="{category, phase, retryable, message}"),
    Column("escalated_from", Text, comment="the model whose answer was not good enough"),
    Column("escalation_reason", Text),
    Column("finished_at", Moment),
    CheckConstraint(_one_of("state", JobState), name="state"),
    CheckConstraint(_one_of("task", TaskType), name="task"),
    CheckConstraint("queue IN ('local', 'frontier')", name="queue"),
    CheckConstraint("NOT (local_only AND queue = 'frontier')", name="local_only"),
    CheckConstraint("NOT (pinned IS NOT NULL AND queue = 'frontier')", name="pinned"),
    CheckConstraint(
        "state NOT IN ('ready', 'running', 'done') "
        "OR (task IS NOT NULL AND queue IS NOT NULL AND model IS NOT NULL)",
        name="routed",
    ),
    ForeignKeyConstraint(
        ["batch_id", "local_only"], ["batches.id", "batches.local_only"], ondelete="CASCADE"
    ),
    UniqueConstraint("id", "local_only"),
    Index("uq_jobs_chunk_ask", "chunk_id", "ask_id", unique=True),
    Index(
        "uq_jobs_document_ask",
        "document_id",
        "ask_id",
        unique=True,
        postgresql_where=text("chunk_id IS NULL"),
    ),
    Index(
        "ix_jobs_ready",
        "batch_id",
        "queue",
        "model",
        "ask_id",
        "id",
        postgresql_where=text("state = 'ready'"),
    ),
    Index("ix_jobs_pending", "batch_id", "id", postgresql_where=text("state = 'pending'")),
    Index("ix_jobs_pending_key", "classify_key", postgresql_where=text("state = 'pending'")),
    Index("ix_jobs_running", "owner", postgresql_where=text("state = 'running'")),
    Index(
        "ix_jobs_held_until",
        "not_before",
        postgresql_where=text("state = 'held' AND not_before IS NOT NULL"),
    ),
    Index("ix_jobs_state", "batch_id", "state"),
    Index("ix_jobs_document", "document_id"),
    postgresql_with={"fillfactor": "70"},
    comment="one (chunk, ask), or one (document, ask) for document scope",
)

classifications = Table(
    "classifications",
    metadata,
    Column("key", Uuid, primary_key=True, comment="hash of ask, text, model and prompt"),
    Column("task", Text, comment="the verdict; NULL: being classified"),
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    Column("owner", Uuid),
    Column("lease_until", Moment),
    CheckConstraint(_one_of("task", TaskType), name="task"),
    Index("ix_classifications_leased", "owner", postgresql_where=text("task IS NULL")),
    comment="task types already found, so that equal pairs are classified once",
)

answers = Table(
    "answers",
    metadata,
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("value", JSONB, nullable=False),
    Column("grounded", Boolean, comment="every value stands in the source; NULL: does not apply"),
    Column("spans", JSONB, comment="{field: [start, end]} in the document's text"),
    Column("call_id", Uuid, nullable=False, comment="the call that gave it"),
    Column("created_at", Moment, nullable=False, server_default=func.now()),
    comment="the answer of a done job; one per job by its key",
)

calls = Table(
    "calls",
    metadata,
    Column(
        "id", Uuid, primary_key=True, comment="UUID version 7: the time, which its partition is of"
    ),
    Column("job_id", BigInteger, nullable=False),
    Column("batch_id", BigInteger, nullable=False),
    Column("local_only", Boolean, nullable=False),
    Column("purpose", Text, nullable=False, comment="classify, run, repair or part"),
    Column("task", Text),
    Column("tier", Text, nullable=False),
    Column("engine", Text, nullable=False, comment="kind of engine: ollama or openai"),
    Column("host", Text, nullable=False, comment="host:port that saw the prompt"),
    Column("stand_in", Boolean, nullable=False, comment="true: served by the embedded model"),
    Column("model_asked", Text, nullable=False),
    Column("model_answered", Text),
    Column("owner", Uuid, nullable=False, comment="the worker process that made it"),
    Column("attempt", SmallInteger, nullable=False),
    Column("state", Text, nullable=False, server_default=CallState.RESERVED),
    Column("reserved_usd", Money, comment="upper bound of its cost; NULL: price unknown"),
    Column("cost_usd", Money, comment="NULL: not known, see cost_reason; never 0 for unknown"),
    Column("cost_reason", Text, comment="why the cost is not known, or what bounds it"),
    Column(
        "price_source",
        Text,
        comment="provider, config, genai-prices VERSION, machine hours or reused answer",
    ),
    Column("input_usd_per_mtok", Money),
    Column("cached_usd_per_mtok", Money),
    Column("output_usd_per_mtok", Money),
    Column("would_have_cost_usd", Money, comment="same tokens at the frontier model: an estimate"),
    Column("input_tokens", Integer, comment="cached ones included; NULL: not reported"),
    Column("cached_tokens", Integer),
    Column("output_tokens", Integer),
    Column("reasoning_tokens", Integer),
    Column("engine_seconds", Double, comment="GPU seconds by the engine's own clock"),
    Column("latency_ms", Integer),
    Column("finish", Text, comment="stop, length or content_filter"),
    Column("request_key", Uuid, comment="equal for identical requests of one job's attempt"),
    Column(
        "answer_key",
        Uuid,
        comment="equal for jobs that would ask the same of the same model; NULL: not to be shared",
    ),
    Column("reused_from", Uuid, comment="the call that gave the answer; no request was made"),
    Column("answer", Text, comment="the text that came back"),
    Column("error", JSONB),
    Column("started_at", Moment, nullable=False, server_default=func.now()),
    Column("finished_at", Moment),
    CheckConstraint(_one_of("state", CallState), name="state"),
    CheckConstraint("tier IN ('local', 'frontier')", name="tier"),
    CheckConstraint("NOT (local_only AND tier = 'frontier')", name="local_only"),
    ForeignKeyConstraint(
        ["job_id", "local_only"], ["jobs.id", "jobs.local_only"], ondelete="CASCADE"
    ),
    Index("ix_calls_job", "job_id"),
    Index("ix_calls_batch", "batch_id"),
    Index("ix_calls_reserved", "job_id", postgresql_where=text("state = 'reserved'")),
    Index(
        "ix_calls_answer_known",
        "answer_key",
        postgresql_where=text("state = 'settled' AND answer_key IS NOT NULL"),
    ),
    Index(
        "ix_calls_frontier_day",
        "started_at",
        postgresql_include=["cost_usd", "reserved_usd", "state"],
        postgresql_where=text("tier = 'frontier'"),
    ),
    Index(
        "ix_calls_frontier_batch",
        "batch_id",
        postgresql_include=["cost_usd", "reserved_usd", "state"],
        postgresql_where=text("tier = 'frontier'"),
    ),
    postgresql_partition_by="RANGE (id)",
    comment="the ledger: one row per request to an engine, written before it is made",
)

feeder = Table(
    "feeder",
    metadata,
    Column("one", Boolean, primary_key=True, server_default=text("true")),
    Column("backend_pid", Integer, nullable=False),
    Column("beat_at", Moment, nullable=False),
    CheckConstraint("one", name="one"),
    comment="who feeds the queues, and when it last did",
)
