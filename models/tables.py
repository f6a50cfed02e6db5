"""The tables. Each comment also stands in the database (COMMENT ON), for those who read it there.

Ids are bigints. Rows that change often (jobs, documents) carry no text: that lives in chunks,
answers and document_contents, so that an update stays small. What waits and what is under way
stand in narrow tables of their own (waiting, delayed, leases), so that no look at them walks over
finished work, and no index holds a job's state.
"""

from collections.abc import Iterable
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
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

from models.states import (
    UNREAD_DOCUMENTS,
    WRITTEN_DOCUMENTS,
    WRITTEN_JOBS,
    BatchState,
    BulkState,
    CallState,
)
from models.words import EvalKind, Finder, Ruling, Scope, Split, Stage, TaskType, Zone

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


BUSY = {
    "fillfactor": "70",
    "autovacuum_vacuum_scale_factor": "0.02",
    "autovacuum_analyze_scale_factor": "0.05",
}
"""Storage of tables whose rows change often: room for changes in place, and vacuumed in time."""

QUEUED = {
    "autovacuum_vacuum_scale_factor": "0",
    "autovacuum_vacuum_threshold": "5000",
    "autovacuum_analyze_scale_factor": "0",
    "autovacuum_analyze_threshold": "20000",
}
"""Storage of tables that rows pass through: what was deleted is cleared away soon."""


def _one_of(column: str, values: Iterable[StrEnum]) -> str:
    return f"{column} IN ({', '.join(repr(str(value)) for value in sorted(values))})"


configurations = Table(
    "configurations",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True, comment="its number; the last counts"),
    Column("file", JSONB, nullable=False, comment="what docmill.toml said"),
    Column("settings", JSONB, nullable=False, comment="with every open question answered"),
    Column("created_at", Moment, nullable=False, server_default=func.now()),
    comment="engines, tasks, models, limits and prices, resolved; every process reads them here",
)

model_traits = Table(
    "model_traits",
    metadata,
    Column("key", Text, primary_key=True, comment="kind, version, model and digest of its weights"),
    Column("traits", JSONB, nullable=False, comment="worker/llm/probe.py"),
    Column("found_at", Moment, nullable=False, server_default=func.now()),
    comment="what engines do with their models, found out by asking",
)

token_rates = Table(
    "token_rates",
    metadata,
    Column("model", Text, primary_key=True),
    Column("script", Text, primary_key=True, comment="worker/tokens.py"),
    Column("mean", Double, nullable=False, comment="tokens per unit"),
    Column("sd", Double, nullable=False, comment="how well that is known"),
    Column("cut", Double, nullable=False, comment="what texts are cut by"),
    Column("learnt_at", Moment, nullable=False, server_default=func.now()),
    comment="what models make of texts, learnt from the tokens that engines report",
)

batches = Table(
    "batches",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("name", Text, comment="what the user called it"),
    Column("configuration_id", ForeignKey("configurations.id"), nullable=False),
    Column(
        "local_only",
        Boolean,
        nullable=False,
        comment="true: policy local-only, no call of this batch may go to the frontier",
    ),
    Column("priority", Integer, nullable=False, server_default="0", comment="higher runs first"),
    Column("deadline", Moment, comment="when it should be finished; NULL: no matter when"),
    Column("max_cost_usd", Money, comment="budget in USD; NULL: none"),
    Column(
        "reuse",
        Boolean,
        nullable=False,
        server_default="true",
        comment="whether an answer to an identical request may be taken from the ledger",
    ),
    Column(
        "allow_provider_batch",
        Boolean,
        nullable=False,
        server_default="false",
        comment="whether its texts may go into batches of a provider, who keeps them for a while",
    ),
    Column("state", Text, nullable=False, server_default=BatchState.RUNNING),
    Column("created_at", Moment, nullable=False, server_default=func.now()),
    Column("submitted_at", Moment, comment="when its last document was stored; NULL: not yet"),
    Column("started_at", Moment, comment="when its first document was handed to a worker"),
    Column("finished_at", Moment, comment="when nothing of it was left to do"),
    Column("purge_at", Moment, comment="when it is purged; NULL: it is kept, or has been"),
    Column(
        "keeps_costs",
        Boolean,
        nullable=False,
        server_default="true",
        comment="whether the ledger says what it cost when it is purged",
    ),
    Column(
        "accept_error",
        Double,
        comment="share of the accepted values that may be wrong; NULL: nothing is accepted",
    ),
    CheckConstraint(_one_of("state", BatchState), name="state"),
    CheckConstraint("NOT (local_only AND allow_provider_batch)", name="provider_batch"),
    CheckConstraint("accept_error > 0 AND accept_error < 1", name="accept_error"),
    UniqueConstraint("id", "local_only"),
    Index("ix_batches_open", "id", postgresql_where=text("finished_at IS NULL")),
    Index("ix_batches_purge", "purge_at", postgresql_where=text("purge_at IS NOT NULL")),
    comment="what one submit creates: documents x asks, a policy, a priority, a budget",
)

watches = Table(
    "watches",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("key", LargeBinary, nullable=False, unique=True, comment="SHA-256 of its name"),
    Column("name", Text, nullable=False, comment="the folder and the spec"),
    comment="folders, buckets and mailboxes that are watched, each with the spec of its batches",
)

watched_files = Table(
    "watched_files",
    metadata,
    Column("watch_id", ForeignKey("watches.id", ondelete="CASCADE"), primary_key=True),
    Column("path_sha256", LargeBinary, primary_key=True, comment="a path is too long for a key"),
    Column("path", Text, nullable=False),
    Column("size", BigInteger, nullable=False, comment="bytes; 0: unknown"),
    Column("changed_ns", BigInteger, nullable=False, comment="mtime; 0: unknown"),
    Column("etag", Text, nullable=False, comment="changes with the bytes, as a server says"),
    Column(
        "since_ns",
        BigInteger,
        nullable=False,
        comment="when it was first seen as it looks, by the clock of the watch",
    ),
    Column("waits", Boolean, nullable=False, comment="whether it was not read as it looks"),
    Column("sha256", LargeBinary, comment="of its bytes when they were read; NULL: never"),
    Column(
        "refused",
        ARRAY(Text),
        nullable=False,
        comment="what of it was refused by more than its bytes: '' is the file itself",
    ),
    Column("refused_by", ARRAY(Text), nullable=False, comment="by what, one for each of refused"),
    comment="what each name of a watched place holds, as it was when it was last looked at",
)

watched_bytes = Table(
    "watched_bytes",
    metadata,
    Column("watch_id", ForeignKey("watches.id", ondelete="CASCADE"), primary_key=True),
    Column("sha256", LargeBinary, primary_key=True, comment="of a file, whatever its name"),
    Column(
        "batch_id",
        ForeignKey("batches.id", ondelete="SET NULL"),
        index=True,
        comment="which has its documents, or the last of them",
    ),
    Column(
        "walked",
        BigInteger,
        comment="how many of the documents in it were stored or refused by then; NULL: all",
    ),
    comment="contents of files of watched places that became documents, once each",
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
    Column(
        "checks",
        JSON,
        comment="{checks, formats, today}: what the user checks beyond the schema; NULL: nothing",
    ),
    Column(
        "important",
        ARRAY(Text),
        nullable=False,
        server_default="{}",
        comment="fields that are read again where they are only to be checked, too",
    ),
    Column(
        "place",
        Text,
        comment="ENGINE/MODEL that alone answers it; NULL: the configuration says",
    ),
    Column(
        "examples",
        JSON,
        comment="what its model is shown, [{text, answer}] or {gold, most}; NULL: the prompt's own",
    ),
    Column(
        "prompt",
        SmallInteger,
        comment="version of its task's prompt; NULL: the configuration says",
    ),
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
    Column("state", Text, nullable=False, server_default="pending"),
    Column("pages", Integer, comment="NULL until read"),
    Column("language", Text, comment="ISO 639-1 of most of its text; NULL: unknown"),
    Column("jobs_total", Integer, nullable=False, server_default="0"),
    Column("jobs_finished", Integer, nullable=False, server_default="0"),
    Column("kills", SmallInteger, nullable=False, server_default="0", comment="workers lost on it"),
    Column("not_before", Moment, comment="waits until then"),
    Column(
        "error",
        JSONB,
        comment="{category, phase, retryable, message}: why it was not read, or not this time",
    ),
    Column("notes", ARRAY(Text), nullable=False, server_default="{}", comment="what was odd"),
    Column("finished_at", Moment),
    Column("missing", JSONB, comment="[{why, pages}]: what is not in its text; NULL: nothing is"),
    Column(
        "replaces",
        ForeignKey("documents.id", ondelete="SET NULL"),
        comment="of which this is another reading, until all of it is done; NULL: none",
    ),
    CheckConstraint(_one_of("state", WRITTEN_DOCUMENTS), name="state"),
    Index("ix_documents_batch", "batch_id", "id"),
    Index(
        "ix_documents_unread",
        "batch_id",
        "state",
        "id",
        postgresql_where=text(_one_of("state", UNREAD_DOCUMENTS)),
    ),
    Index("ix_documents_partly", "batch_id", "id", postgresql_where=text("missing IS NOT NULL")),
    Index("ix_documents_replaces", "replaces", postgresql_where=text("replaces IS NOT NULL")),
    postgresql_with=BUSY,
    comment="a source file",
)

document_contents = Table(
    "document_contents",
    metadata,
    Column("document_id", ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True),
    Column("data", LargeBinary, nullable=False),
    comment="the bytes of documents that are not read, or not all of it; removed once they are",
)

scanned_pages = Table(
    "scanned_pages",
    metadata,
    Column("document_id", ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True),
    Column("page", Integer, primary_key=True, autoincrement=False, comment="1-based"),
    Column("text", Text, comment="NULL: OCR was not sure of most of it"),
    Column("notes", ARRAY(Text), nullable=False),
    comment="pages that OCR has read; removed once all of their document is",
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
    Column("sha256", LargeBinary, nullable=False, comment="of its text in UTF-8"),
    Column("text", Text, nullable=False),
    UniqueConstraint("document_id", "ordinal"),
    comment="a run of a document's text with its page and character range",
)

page_boxes = Table(
    "page_boxes",
    metadata,
    Column("document_id", ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True),
    Column("page", Integer, primary_key=True, autoincrement=False, comment="1-based"),
    Column("char_start", Integer, nullable=False, comment="of the page, in the document's text"),
    Column("ratio", Double, nullable=False, comment="the page's width by its height"),
    Column("words", LargeBinary, nullable=False, comment="PageBoxes.compact of models/boxes.py"),
    comment="where the words of a page stand on it",
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
    Column("parent_id", ForeignKey("jobs.id", ondelete="CASCADE"), comment="whose part it is"),
    Column(
        "level",
        SmallInteger,
        nullable=False,
        server_default="0",
        comment="of a part: 1 reads the document's text, the next ones what the level before found",
    ),
    Column("first", Integer, comment="of a part: its first chunk, or part of the level before"),
    Column("last", Integer, comment="of a part: its last chunk, or part of the level before"),
    Column("open_parts", Integer, nullable=False, server_default="0", comment="not ended yet"),
    Column("state", Text, nullable=False),
    Column("classify_key", Uuid, comment="equal for equal asks of the same model"),
    Column("task", Text),
    Column(
        "found_by",
        Text,
        comment="who said which task it is: user, rule, learned, model or fallback",
    ),
    Column("found_version", Text, comment="of the rule, the learned model or the prompt"),
    Column("confidence", Double, comment="of that verdict, 0 to 1; NULL: nobody said"),
    Column("zone", Text, comment="local or frontier, once routed"),
    Column("engine", Text, comment="name of the engine that it is routed to"),
    Column("model", Text, comment="model_name that it is routed to"),
    Column("step", SmallInteger, nullable=False, server_default="0", comment="of its task's chain"),
    Column(
        "chain",
        ARRAY(Text),
        nullable=False,
        server_default="{}",
        comment="ENGINE/MODEL of those whose answers were not good enough, in order",
    ),
    Column(
        "bulk",
        Boolean,
        nullable=False,
        server_default="false",
        comment="true: its first call goes into a batch of its engine's provider",
    ),
    Column("tokens", Integer, nullable=False, comment="estimate of its text"),
    Column(
        "fixed_tokens",
        Integer,
        nullable=False,
        server_default="0",
        comment="estimate of what its prompt holds besides",
    ),
    Column("language", Text),
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    Column("waits", Integer, nullable=False, server_default="0", comment="no fault of its own"),
    Column("kills", SmallInteger, nullable=False, server_default="0", comment="workers lost on it"),
    Column(
        "deaths",
        SmallInteger,
        nullable=False,
        server_default="0",
        comment="how often its engine went down in the middle of its call",
    ),
    Column("not_before", Moment, comment="waits until then"),
    Column("reason", Text, comment="why it is skipped"),
    Column("error", JSONB, comment="{category, phase, retryable, message}"),
    Column("escalated_from", Text, comment="the model whose answer was not good enough"),
    Column(
        "escalation_reason",
        Text,
        comment="what was wrong with it, why it was not read again, or why the job began at the "
        "frontier",
    ),
    Column("finished_at", Moment),
    CheckConstraint(_one_of("state", WRITTEN_JOBS), name="state"),
    CheckConstraint(_one_of("task", TaskType), name="task"),
    CheckConstraint(_one_of("found_by", Finder), name="found_by"),
    CheckConstraint(_one_of("zone", Zone), name="zone"),
    CheckConstraint("NOT (local_only AND zone <> 'local')", name="local_only"),
    CheckConstraint("NOT (pinned IS NOT NULL AND zone <> 'local')", name="pinned"),
    CheckConstraint("NOT (bulk AND zone = 'local')", name="bulk"),
    CheckConstraint(
        "state NOT IN ('ready', 'done') OR (task IS NOT NULL AND zone IS NOT NULL "
        "AND engine IS NOT NULL AND model IS NOT NULL)",
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
        postgresql_where=text("chunk_id IS NULL AND parent_id IS NULL"),
    ),
    Index(
        "uq_jobs_part",
        "parent_id",
        "level",
        "first",
        unique=True,
        postgresql_where=text("parent_id IS NOT NULL"),
    ),
    Index("ix_jobs_document", "document_id"),
    Index("ix_jobs_ask", "ask_id", "id"),
    postgresql_with=BUSY,
    comment="one (chunk, ask), or one (document, ask) for document scope, or a part of one",
)

failed_jobs = Table(
    "failed_jobs",
    metadata,
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("batch_id", BigInteger, nullable=False),
    Column("category", Text, nullable=False),
    Index("ix_failed_jobs_batch", "batch_id", "category", "job_id"),
    comment="the jobs that failed, so that nobody has to look for them among all",
)

lines = Table(
    "lines",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("batch_id", ForeignKey("batches.id", ondelete="CASCADE"), nullable=False),
    Column("queue", Text, nullable=False, comment="the Celery queue"),
    Column("stage", Text, nullable=False, comment="ingest, classify, run or bulk"),
    Column("zone", Text, comment="of its engine; NULL: ingest"),
    Column("engine", Text),
    Column("model", Text),
    Column("priority", Integer, nullable=False, comment="the batch's"),
    Column("deadline", Moment, comment="the batch's"),
    Column(
        "open",
        Boolean,
        nullable=False,
        comment="whether its batch is running and no hold concerns it",
    ),
    Column(
        "head",
        BigInteger,
        nullable=False,
        server_default="0",
        comment="nothing that waits was put there by an earlier transaction",
    ),
    CheckConstraint(_one_of("stage", Stage), name="stage"),
    CheckConstraint(_one_of("zone", Zone), name="zone"),
    UniqueConstraint("batch_id", "queue"),
    Index(
        "ix_lines_open",
        "queue",
        text("priority DESC"),
        "deadline",
        postgresql_where=text("open"),
    ),
    Index("ix_lines_bulk", "engine", postgresql_where=text("stage = 'bulk'")),
    postgresql_with={"fillfactor": "50"},
    comment="a batch's line in a queue; what waits stands in it",
)

waiting = Table(
    "waiting",
    metadata,
    Column("line_id", BigInteger, primary_key=True, autoincrement=False),
    Column(
        "xact",
        BigInteger,
        primary_key=True,
        autoincrement=False,
        server_default=text("pg_current_xact_id()::text::bigint"),
        comment="the transaction that put it there, in whose order it is taken",
    ),
    Column("item_id", BigInteger, primary_key=True, autoincrement=False, comment="document or job"),
    postgresql_with=QUEUED,
    comment="what may be taken now; gone when it is",
)

delayed = Table(
    "delayed",
    metadata,
    Column("line_id", BigInteger, primary_key=True, autoincrement=False),
    Column("item_id", BigInteger, primary_key=True, autoincrement=False, comment="document or job"),
    Column("due_at", Moment, nullable=False),
    Index("ix_delayed_due", "due_at"),
    postgresql_with=QUEUED,
    comment="what may be taken later; the leader moves it to `waiting` then",
)

leases = Table(
    "leases",
    metadata,
    Column("stage", Text, primary_key=True, comment="ingest, classify, run or bulk"),
    Column("item_id", BigInteger, primary_key=True, autoincrement=False, comment="document or job"),
    Column("line_id", BigInteger, nullable=False),
    Column("owner", Uuid, nullable=False, comment="the worker process that holds it"),
    Column("claim", Uuid, nullable=False, comment="the claim that took it"),
    Column("until", Moment, nullable=False, comment="renewed while the worker lives"),
    Column("since", Moment, nullable=False, server_default=func.now()),
    Index("ix_leases_claim", "claim"),
    Index("ix_leases_line", "line_id"),
    Index("ix_leases_until", "until"),
    postgresql_with=QUEUED,
    comment="what a worker is at; gone when it is done with it",
)

holds = Table(
    "holds",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("batch_id", ForeignKey("batches.id", ondelete="CASCADE"), comment="NULL: every batch"),
    Column("zone", Text, comment="NULL: every zone"),
    Column("engine", Text, comment="NULL: every engine"),
    Column("model", Text, comment="NULL: every model"),
    Column("code", Text, nullable=False, comment="why"),
    Column("about", JSONB, nullable=False, server_default="{}", comment="figures of the reason"),
    Column("since", Moment, nullable=False, server_default=func.now()),
    Column("until", Moment, comment="when it ends by itself; NULL: when somebody lifts it"),
    Column(
        "passing",
        Boolean,
        nullable=False,
        server_default="false",
        comment="true: for a moment only, which nobody need be told of",
    ),
    UniqueConstraint(
        "batch_id", "zone", "engine", "model", "code", postgresql_nulls_not_distinct=True
    ),
    comment="what stands still, and why: a row about a batch, a zone, an engine or a model",
)

workers = Table(
    "workers",
    metadata,
    Column("owner", Uuid, primary_key=True),
    Column("pool", Text, nullable=False),
    Column("host", Text, nullable=False, comment="name of its machine"),
    Column("pid", Integer, nullable=False),
    Column("configuration_id", BigInteger, nullable=False, comment="the one that it goes by"),
    Column("started_at", Moment, nullable=False, server_default=func.now()),
    Column("seen_at", Moment, nullable=False, server_default=func.now()),
    comment="the worker processes that live",
)

servers = Table(
    "servers",
    metadata,
    Column("owner", ForeignKey("workers.owner", ondelete="CASCADE"), primary_key=True),
    Column("engine", Text, primary_key=True, comment="its name in the configuration"),
    Column("zone", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("address", Text, nullable=False, comment="host:port that sees the prompts"),
    Column("models", ARRAY(Text), comment="whose queues it serves"),
    Column("slots", Integer, nullable=False),
    Column("in_use", Integer, nullable=False, server_default="0"),
    Column("max_slots", Integer, comment="of slots that adapt; NULL: their number is fixed"),
    comment="which engine each worker process reaches, where, and what it has",
)

gates = Table(
    "gates",
    metadata,
    Column("owner", ForeignKey("workers.owner", ondelete="CASCADE"), primary_key=True),
    Column("engine", Text, primary_key=True),
    Column("model", Text, primary_key=True, comment="empty: every model of it"),
    Column("code", Text, nullable=False, comment="why"),
    Column("message", Text, nullable=False, comment="what the engine said"),
    Column("lasting", Boolean, nullable=False, comment="true: somebody has to mend it"),
    Column("since", Moment, nullable=False),
    Column("until", Moment, comment="when it is tried again; NULL: when a probe says so"),
    Column("lifted", Boolean, nullable=False, server_default="false", comment="try again now"),
    comment="which engine or model a worker process does not ask at present, and why",
)

counts = Table(
    "counts",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("batch_id", BigInteger, nullable=False),
    Column("what", Text, nullable=False, comment="job or document"),
    Column("state", Text, nullable=False),
    Column("queue", Text, nullable=False, server_default="", comment="where it waits, or ran"),
    Column("n", Integer, nullable=False),
    Column("at", Moment, nullable=False, server_default=func.now()),
    Column("folded", Boolean, nullable=False, server_default="false"),
    Index(
        "uq_counts_folded",
        "batch_id",
        "what",
        "state",
        "queue",
        unique=True,
        postgresql_where=text("folded"),
    ),
    Index("ix_counts_changes", "id", postgresql_where=text("NOT folded")),
    Index("ix_counts_batch", "batch_id"),
    postgresql_with=QUEUED,
    comment="how many jobs and documents of a batch are in each state: the sum of its rows. Every "
    "change adds one; the leader folds them",
)

spend = Table(
    "spend",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("batch_id", BigInteger, comment="NULL: batches that were purged with their costs"),
    Column("day", Date, nullable=False, comment="in UTC, on which the calls began"),
    Column("zone", Text, nullable=False),
    Column("usd", Money, nullable=False, comment="known costs, upper bounds of those under way"),
    Column("known_usd", Money, nullable=False, comment="known costs of calls that ended"),
    Column("under_way", Integer, nullable=False, comment="calls that may give something back"),
    Column("calls", Integer, nullable=False, comment="that ended, reused answers left out"),
    Column("unknown", Integer, nullable=False, comment="of those, at no known price"),
    Column("lost", Integer, nullable=False, comment="of those, without an answer"),
    Column("folded", Boolean, nullable=False, server_default="false"),
    Index(
        "uq_spend_folded",
        "batch_id",
        "day",
        "zone",
        unique=True,
        postgresql_where=text("folded"),
        postgresql_nulls_not_distinct=True,
    ),
    Index("ix_spend_changes", "id", postgresql_where=text("NOT folded")),
    Index("ix_spend_batch", "batch_id"),
    Index("ix_spend_day", "day"),
    postgresql_with=QUEUED,
    comment="what a batch spent on a day: the sum of its rows. Every change of the ledger adds "
    "one; the leader folds them. It outlives the ledger's rows",
)

classifications = Table(
    "classifications",
    metadata,
    Column("key", Uuid, primary_key=True, comment="hash of ask, schema, model and prompt"),
    Column("task", Text, comment="the verdict; NULL: being classified"),
    Column("found_by", Text),
    Column("found_version", Text, comment="of the prompt"),
    Column("confidence", Double),
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    Column("waits", Integer, nullable=False, server_default="0", comment="no fault of its own"),
    Column(
        "deaths",
        SmallInteger,
        nullable=False,
        server_default="0",
        comment="how often the engine went down in the middle of its call",
    ),
    Column("job_id", BigInteger, comment="whose lease it is being classified under"),
    Column("since", Moment, nullable=False, server_default=func.now()),
    CheckConstraint(_one_of("task", TaskType), name="task"),
    CheckConstraint(_one_of("found_by", Finder), name="found_by"),
    Index("ix_classifications_since", "since"),
    comment="task types that a language model found, so that it is asked once for each ask",
)

learned_models = Table(
    "learned_models",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("version", Text, nullable=False, comment="as jobs.found_version has it"),
    Column(
        "weights", LargeBinary, nullable=False, comment="as worker/classify/learned.py packs it"
    ),
    Column("report", JSONB, nullable=False, comment="how right it was when it was trained"),
    Column("made_at", Moment, nullable=False, server_default=func.now()),
    comment="the installation's own models of its asks; the newest counts, and without one the "
    "product's own",
)

score_models = Table(
    "score_models",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("version", Text, nullable=False, comment="as answers.scored_by has it"),
    Column("model", JSONB, nullable=False, comment="as models/scores.py reads it"),
    Column(
        "report", JSONB, nullable=False, comment="how well it ranked values that it had not seen"
    ),
    Column("made_at", Moment, nullable=False, server_default=func.now()),
    comment="the installation's own scores of values, fitted on its corrected answers; the newest "
    "counts, and without one the product's own",
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
    Column(
        "fields",
        JSONB,
        comment="{field: {outcome, code, about, span, page, by, normalised, confidence, "
        "accepted}}; NULL: not checked",
    ),
    Column("scored_by", Text, comment="version of the scores in fields; NULL: there are none"),
    Column(
        "prompt",
        JSONB,
        comment="how its model was asked: {version, profile, examples}; NULL: not known",
    ),
    comment="the answer of a done job; one per job by its key",
)

readings = Table(
    "readings",
    metadata,
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("batch_id", BigInteger, nullable=False),
    Column("place", Text, nullable=False, comment="ENGINE/MODEL that reads it again"),
    Column("value", JSONB, nullable=False, comment="the answer so far"),
    Column("call_id", Uuid, nullable=False, comment="the call that gave it"),
    Column("asked", ARRAY(Text), nullable=False, comment="its top-level fields in question"),
    Column(
        "by",
        JSONB,
        nullable=False,
        comment="{field: ENGINE/MODEL} that each top-level field is from",
    ),
    Column("most_usd", Money, comment="what is reserved of the cap; NULL: the price is not known"),
    Column("short_of", Text, comment="the budget that does not cover it; NULL: none known"),
    Column("fields", JSONB, comment="what the checks said of the answer so far; NULL: nothing"),
    comment="open jobs that have an answer, of which fields are read a second time",
)

escalations = Table(
    "escalations",
    metadata,
    Column("batch_id", ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True),
    Column("jobs", Integer, nullable=False, comment="with a second reading"),
    Column("fields", Integer, nullable=False, comment="that were in question"),
    Column("mended", Integer, nullable=False, comment="of those, sure since"),
    Column(
        "usd",
        Money,
        nullable=False,
        comment="known costs, upper bounds of what is under way",
    ),
    Column("unknown", Integer, nullable=False, comment="calls at no known price"),
    comment="what second readings came to, and took of the batch's cap",
)

corrections = Table(
    "corrections",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("field", Text, nullable=False, comment="path of the value, as in spans: items.0.price"),
    Column("path", ARRAY(Text), nullable=False, comment="the same, step by step"),
    Column("ruling", Text, nullable=False),
    Column("old", JSONB, nullable=False, comment="the value that it was made of"),
    Column("new", JSONB, nullable=False, comment="the value from then on"),
    Column("reviewer", Text, nullable=False, comment="who"),
    Column("call_id", Uuid, nullable=False, comment="the call whose answer it is about"),
    Column("made_at", Moment, nullable=False, server_default=func.now()),
    CheckConstraint(_one_of("ruling", Ruling), name="ruling"),
    Index("ix_corrections_job", "job_id", "id"),
    comment="what a person made of a value of an answer; the last row about a value counts",
)

reviews = Table(
    "reviews",
    metadata,
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("batch_id", BigInteger, nullable=False),
    Column("harm", Double, nullable=False, comment="expected wrong values in it (docmill_harm)"),
    Column("skips", SmallInteger, nullable=False, server_default="0", comment="how often put off"),
    Column("reviewer", Text, comment="who is at it, until the lease ends; NULL: nobody"),
    Column("until", Moment, comment="when the lease ends"),
    Index("ix_reviews_next", "batch_id", "skips", text("harm DESC"), "job_id"),
    Index(
        "ix_reviews_claimed",
        "batch_id",
        "reviewer",
        postgresql_where=text("reviewer IS NOT NULL"),
    ),
    comment="the answers with a value that a person should look at; gone when one has",
)

gold = Table(
    "gold",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("name", Text, nullable=False, comment="of the set that it belongs to"),
    Column("key", LargeBinary, nullable=False, comment="SHA-256 of text, ask and schema"),
    Column("document", LargeBinary, nullable=False, comment="SHA-256 of the document's bytes"),
    Column("split", Text, nullable=False, comment="follows from `document`, once and for ever"),
    Column("task", Text, nullable=False),
    Column("ask", Text, nullable=False),
    Column("json_schema", JSON, comment="of the answer; NULL: the task's"),
    Column("text", Text, nullable=False),
    Column("value", JSONB, nullable=False, comment="the right answer"),
    Column("language", Text, comment="ISO 639-1 of the text; NULL: unknown"),
    Column("model", Text, comment="whose answer people looked at; NULL: it is nobody's"),
    Column("source", Text, nullable=False, comment="where it comes from"),
    Column("licence", Text, nullable=False),
    Column("local_only", Boolean, nullable=False, comment="true: it may not leave the building"),
    Column(
        "job_id",
        ForeignKey("jobs.id", ondelete="CASCADE"),
        comment="the job with which it goes; NULL: it stays whatever is purged",
    ),
    Column("added_by", Text, nullable=False),
    Column("added_at", Moment, nullable=False, server_default=func.now()),
    CheckConstraint(_one_of("split", Split), name="split"),
    CheckConstraint(_one_of("task", TaskType), name="task"),
    UniqueConstraint("name", "key"),
    Index("ix_gold_job", "job_id", postgresql_where=text("job_id IS NOT NULL")),
    Index(
        "ix_gold_examples",
        "name",
        "task",
        text("md5(ask)"),
        "key",
        postgresql_where=text("split = 'train'"),
    ),
    comment="texts with their right answers, to measure models with and to train them on",
)

gold_versions = Table(
    "gold_versions",
    metadata,
    Column("name", Text, primary_key=True, comment="of the gold set"),
    Column("version", BigInteger, nullable=False, comment="one more with each change of the set"),
    comment="whether a gold set is still as it was when its examples were read",
)

evals = Table(
    "evals",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("source", Text, nullable=False, comment="name of the gold set, or number of the batch"),
    Column("split", Text, comment="of gold; NULL: both"),
    Column(
        "places",
        ARRAY(Text),
        nullable=False,
        comment="ENGINE/MODEL of the candidates, as they were named",
    ),
    Column(
        "batch_id",
        ForeignKey("batches.id", ondelete="SET NULL"),
        comment="the batch that asks them; NULL: it was deleted",
    ),
    Column(
        "source_gone",
        Boolean,
        nullable=False,
        server_default="false",
        comment="true: a text of it was purged, and its batch is to be",
    ),
    Column("created_at", Moment, nullable=False, server_default=func.now()),
    Column("scored_at", Moment, comment="when its answers were compared; NULL: not yet"),
    Column("texts", Integer, comment="that were compared; NULL: not yet"),
    CheckConstraint(_one_of("kind", EvalKind), name="kind"),
    CheckConstraint(_one_of("split", Split), name="split"),
    Index("ix_evals_batch", "batch_id"),
    comment="comparisons of models on texts whose right answers are known",
)

eval_rows = Table(
    "eval_rows",
    metadata,
    Column("document_id", ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True),
    Column("eval_id", ForeignKey("evals.id", ondelete="CASCADE"), nullable=False),
    Column("key", LargeBinary, nullable=False, comment="SHA-256 of text, ask and schema"),
    Column(
        "gold_id",
        ForeignKey("gold.id", ondelete="CASCADE"),
        comment="whose text and right answer it is",
    ),
    Column(
        "job_id",
        ForeignKey("jobs.id", ondelete="CASCADE"),
        comment="the job whose text it is, and whose answer, corrected, is the right one",
    ),
    CheckConstraint("(gold_id IS NULL) <> (job_id IS NULL)", name="source"),
    Index("ix_eval_rows_eval_id", "eval_id"),
    Index("ix_eval_rows_gold_id", "gold_id"),
    Index("ix_eval_rows_job_id", "job_id"),
    comment="which document of an eval's batch is a copy of which text",
)

eval_scores = Table(
    "eval_scores",
    metadata,
    Column("eval_id", ForeignKey("evals.id", ondelete="CASCADE"), primary_key=True),
    Column("place", Text, primary_key=True, comment="ENGINE/MODEL, or answered then"),
    Column("key", LargeBinary, primary_key=True, comment="SHA-256 of text, ask and schema"),
    Column("task", Text, nullable=False),
    Column("language", Text, comment="ISO 639-1 of the text; NULL: unknown"),
    Column("is_right", Boolean, nullable=False, comment="every field; false: no answer, too"),
    Column("fields", JSONB, nullable=False, comment="{field: whether it is right}"),
    Column("sure", Integer, nullable=False, comment="values that the checks call sure"),
    Column("unsure", Integer, nullable=False, comment="values to check"),
    Column("wrong", Integer, nullable=False, comment="values called wrong"),
    Column(
        "cost_usd",
        Money,
        comment="of the calls that gave the answer, reused ones too; NULL: not known",
    ),
    Column("latency_ms", Integer),
    Column("output_tokens", Integer),
    Column("engine_seconds", Double),
    comment="how right each candidate's answer to each text of an eval was; no word of them",
)

calls = Table(
    "calls",
    metadata,
    Column(
        "id", Uuid, primary_key=True, comment="UUID version 7: the time, which its partition is of"
    ),
    Column(
        "job_id",
        BigInteger,
        comment="NULL: its batch was purged, or its document was read again",
    ),
    Column("document_id", BigInteger, comment="whose page it shows; NULL: it is about a job"),
    Column("batch_id", BigInteger, comment="NULL: its batch was purged with its costs"),
    Column("local_only", Boolean, nullable=False),
    Column("purpose", Text, nullable=False, comment="classify, run, repair or page"),
    Column("task", Text),
    Column("zone", Text, nullable=False),
    Column("engine", Text, nullable=False, comment="its name in the configuration"),
    Column("kind", Text, nullable=False, comment="of engine, as docmill.toml names it"),
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
    Column("finish", Text, comment="stop, length, loop or content_filter"),
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
    CheckConstraint(_one_of("zone", Zone), name="zone"),
    CheckConstraint("NOT (local_only AND zone <> 'local')", name="local_only"),
    CheckConstraint("document_id IS NULL OR zone = 'local'", name="pages_local"),
    ForeignKeyConstraint(["job_id", "local_only"], ["jobs.id", "jobs.local_only"]),
    Index("ix_calls_job", "job_id"),
    Index("ix_calls_batch", "batch_id"),
    Index("ix_calls_reserved", "job_id", postgresql_where=text("state = 'reserved'")),
    Index(
        "ix_calls_answer_known",
        "answer_key",
        postgresql_where=text("state = 'settled' AND answer_key IS NOT NULL"),
    ),
    postgresql_partition_by="RANGE (id)",
    comment="the ledger: one row per request to an engine, written before it is made",
)

sent_chunks = Table(
    "sent_chunks",
    metadata,
    Column("call_id", Uuid, primary_key=True),
    Column("chunk_id", BigInteger, primary_key=True, autoincrement=False),
    Column("batch_id", ForeignKey("batches.id", ondelete="CASCADE"), nullable=False),
    Column("sha256", LargeBinary, nullable=False, comment="of its text in UTF-8"),
    Index("ix_sent_chunks_batch", "batch_id"),
    comment="what calls were sent of documents that were read again since",
)

bulks = Table(
    "bulks",
    metadata,
    Column("id", Uuid, primary_key=True, server_default=text("gen_random_uuid()")),
    Column("batch_id", ForeignKey("batches.id", ondelete="CASCADE"), nullable=False),
    Column("line_id", BigInteger, nullable=False, comment="the line that its jobs stood in"),
    Column("engine", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("host", Text, nullable=False, comment="host:port that sees the prompts"),
    Column("state", Text, nullable=False, server_default=BulkState.GATHERING),
    Column("requests", Integer, nullable=False, server_default="0", comment="all that it ever had"),
    Column(
        "open_jobs", Integer, nullable=False, server_default="0", comment="not back in line yet"
    ),
    Column("bytes", BigInteger, nullable=False, server_default="0", comment="of its requests"),
    Column("upload", Text, comment="how the provider calls what was handed in"),
    Column("remote", Text, comment="how the provider calls it; NULL: not known"),
    Column(
        "done", Integer, nullable=False, server_default="0", comment="replies, says the provider"
    ),
    Column("tries", SmallInteger, nullable=False, server_default="0", comment="of this state"),
    Column("detail", Text, comment="what last went wrong; NULL: nothing"),
    Column("given_up", Text, comment="why its jobs were asked one by one; NULL: they were not"),
    Column("owner", Uuid, comment="the worker process that is at it; NULL: none"),
    Column("until", Moment, comment="how long that one holds it, unless it renews"),
    Column("due_at", Moment, nullable=False, server_default=func.now(), comment="the next look"),
    Column("created_at", Moment, nullable=False, server_default=func.now()),
    Column("sent_at", Moment, comment="when the provider was first told to begin"),
    Column("ended_at", Moment, comment="when its last job was back in line"),
    CheckConstraint(_one_of("state", BulkState), name="state"),
    Index("ix_bulks_batch", "batch_id"),
    Index(
        "uq_bulks_remote",
        "host",
        "remote",
        unique=True,
        postgresql_where=text("remote IS NOT NULL"),
    ),
    Index("ix_bulks_due", "due_at", postgresql_where=text("state <> 'closed'")),
    Index(
        "uq_bulks_gathering", "line_id", unique=True, postgresql_where=text("state = 'gathering'")
    ),
    postgresql_with=BUSY,
    comment="batches of providers: what was handed in there, and how far it is. A worker process "
    "only moves one on; it is nobody's",
)

tuned_models = Table(
    "tuned_models",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("place", Text, nullable=False, comment="ENGINE/MODEL that was measured as it is served"),
    Column("base", Text, nullable=False, comment="ENGINE/MODEL that it was tuned from"),
    Column("base_digest", Text, comment="SHA-256 of the base's weights; NULL: not known"),
    Column("data_hash", Text, comment="SHA-256 of the pairs; NULL: not known"),
    Column("adapter_hash", Text, comment="SHA-256 of the adapter's file; NULL: not known"),
    Column("versions", JSONB, nullable=False, comment="of Docmill, and of the prompts by task"),
    Column(
        "eval_id",
        ForeignKey("evals.id", ondelete="SET NULL"),
        comment="that measured it; NULL: it was deleted",
    ),
    Column("scores", JSONB, nullable=False, comment="by task: how right each model was"),
    Column("better", Boolean, nullable=False, comment="than its base, beyond chance"),
    Column(
        "anyway",
        Boolean,
        nullable=False,
        server_default="false",
        comment="true: served although it is not",
    ),
    Column("served_at", Moment, comment="when it was to be served; NULL: it was not"),
    Column("created_at", Moment, nullable=False, server_default=func.now()),
    Index("ix_tuned_models_eval", "eval_id"),
    comment="models that were tuned: from what, on what, how good they are, who serves them",
)

bulk_jobs = Table(
    "bulk_jobs",
    metadata,
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("bulk_id", ForeignKey("bulks.id", ondelete="CASCADE"), nullable=False),
    Column("call_id", Uuid, nullable=False, comment="its call, and its name in the bulk"),
    Column("request", JSON, nullable=False, comment="what is asked"),
    Column("request_key", Uuid, nullable=False, comment="as in calls"),
    Column("answer_key", Uuid, comment="as in calls"),
    Index("ix_bulk_jobs_bulk", "bulk_id", "call_id"),
    Index(
        "uq_bulk_jobs_answer_key",
        "answer_key",
        unique=True,
        postgresql_where=text("answer_key IS NOT NULL"),
    ),
    postgresql_with=QUEUED,
    comment="the jobs that stand in bulks; gone when they are back in line",
)

leader = Table(
    "leader",
    metadata,
    Column("one", Boolean, primary_key=True, server_default=text("true")),
    Column("backend_pid", Integer, nullable=False),
    Column("beat_at", Moment, nullable=False),
    CheckConstraint("one", name="one"),
    comment="which worker process feeds the queues and keeps house, and when it last said so",
)
