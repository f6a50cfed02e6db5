"""The words of the design as values: each is stored and printed exactly as written here."""

from dataclasses import dataclass
from enum import StrEnum


class TaskType(StrEnum):
    """What kind of work an ask is; decides which engine is good enough."""

    EXTRACTION = "extraction"
    CLASSIFICATION = "classification"
    SIMPLE_CODE = "simple_code"
    SUMMARY = "summary"
    REASONING = "reasoning"


class Finder(StrEnum):
    """Who said which task type a job is."""

    USER = "user"
    RULE = "rule"  # a sure one, of the ask's own words
    LEARNED = "learned"  # the small model that ships with the product, or the installation's own
    MODEL = "model"  # the local language model
    FALLBACK = "fallback"  # no verdict could be had: the configured one


class Zone(StrEnum):
    """Where an engine stands: all that policy, pins, constraints and the receipt know of it."""

    LOCAL = "local"  # in the building
    FRONTIER = "frontier"


class Stage(StrEnum):
    """The stages of the path that take their work from a queue."""

    INGEST = "ingest"
    CLASSIFY = "classify"
    RUN = "run"
    BULK = "bulk"  # what is answered by a batch of an engine's provider


@dataclass(frozen=True, slots=True)
class Queue:
    """A Celery queue: what one engine does with one model in one stage. Ingest needs no engine."""

    stage: Stage
    engine: str = ""
    model: str = ""

    @property
    def name(self) -> str:
        """What it is called in Redis, in the table of lines and in the log."""
        match self.stage:
            case Stage.INGEST:
                return "ingest"
            case Stage.CLASSIFY:
                return f"classify:{self.engine}/{self.model}"
            case Stage.RUN:
                return f"{self.engine}/{self.model}"
            case Stage.BULK:
                return f"bulk:{self.engine}/{self.model}"


INGEST = Queue(Stage.INGEST)


class Pool(StrEnum):
    """What `docmill worker` can be."""

    INGEST = "ingest"
    LOCAL = "local"
    FRONTIER = "frontier"
    ALL = "all"

    @property
    def reads(self) -> bool:
        """Whether it reads documents."""
        return self in (Pool.INGEST, Pool.ALL)

    @property
    def zones(self) -> frozenset[Zone]:
        """Whose engines it serves."""
        if self is Pool.ALL:
            return frozenset(Zone)
        return frozenset(zone for zone in Zone if zone.value == self.value)


class Policy(StrEnum):
    """Whether a batch may leave the building."""

    ALLOW_FRONTIER = "allow-frontier"
    LOCAL_ONLY = "local-only"


class Scope(StrEnum):
    """What one job of an ask looks at."""

    CHUNK = "chunk"
    DOCUMENT = "document"


class Ruling(StrEnum):
    """What a person made of a value."""

    CORRECTED = "corrected"  # another value is right
    ABSENT = "absent"  # the text does not say it
    CONFIRMED = "confirmed"  # it is right


SEPARATOR = "\n\n"
"""Between the chunks of a document that is asked as a whole."""


class Split(StrEnum):
    """What a gold row may be used for."""

    TRAIN = "train"
    HELD = "held"  # measured on, never trained on nor shown as an example


HELD_OF = 3
"""One document of so many is held."""


def split_of(document: str) -> Split:
    """Train or held, by the SHA-256 of the document in hex: one of HELD_OF is held."""
    return Split.HELD if int(document[:16], 16) % HELD_OF == 0 else Split.TRAIN


class EvalKind(StrEnum):
    """What an eval measures models against."""

    GOLD = "gold"  # a gold set
    REPLAY = "replay"  # what was answered in a batch, with its corrections
