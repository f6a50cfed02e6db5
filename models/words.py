"""The words of the design as values: each is stored and printed exactly as written here."""

from enum import StrEnum


class TaskType(StrEnum):
    """What kind of work an ask is; decides which engine is good enough."""

    EXTRACTION = "extraction"
    CLASSIFICATION = "classification"
    SIMPLE_CODE = "simple_code"
    SUMMARY = "summary"
    REASONING = "reasoning"


class Tier(StrEnum):
    """Where a job runs: the name of its queue and of the engine's place in the config."""

    LOCAL = "local"
    FRONTIER = "frontier"


class Queue(StrEnum):
    """The Celery queues. Each carries lists of ids, nothing else."""

    INGEST = "ingest"
    CLASSIFY = "classify"
    LOCAL = "local"
    FRONTIER = "frontier"


class Pool(StrEnum):
    """What `docmill worker` can be."""

    INGEST = "ingest"
    LOCAL = "local"
    FRONTIER = "frontier"
    ALL = "all"

    @property
    def queues(self) -> tuple[Queue, ...]:
        """The queues that this pool consumes."""
        match self:
            case Pool.INGEST:
                return (Queue.INGEST,)
            case Pool.LOCAL:
                return (Queue.CLASSIFY, Queue.LOCAL)
            case Pool.FRONTIER:
                return (Queue.FRONTIER,)
            case Pool.ALL:
                return tuple(Queue)


class Policy(StrEnum):
    """Whether a batch may leave the building."""

    ALLOW_FRONTIER = "allow-frontier"
    LOCAL_ONLY = "local-only"


class Scope(StrEnum):
    """What one job of an ask looks at."""

    CHUNK = "chunk"
    DOCUMENT = "document"
