"""Ingest: a document's bytes become chunks, and chunks times asks become jobs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import PurePath
from typing import Any

from models.config import Config, PinConfig
from models.examples import Examples
from models.failure import Failure
from models.states import DocumentState, JobState
from models.words import Scope, TaskType, Zone
from worker.classify.cascade import Verdict, found_at_once
from worker.classify.learned import Learned
from worker.ingest.boxes import BoxesRow, box_rows
from worker.ingest.chunk import Piece
from worker.ingest.language import language
from worker.ingest.private import Pins, union
from worker.prompts import classify_key, fixed_tokens, manner
from worker.read.kinds import Gap, Text
from worker.route import Facts, Place, route

SCAN = "scan"
"""Why a chunk is pinned that holds what OCR read."""

LOOKED_AT = 2_000
"""Characters that tell the language that a text is cut for."""

NO_TEXT = Failure("no_text", "ingest", False, "its pages hold no text, and no picture of any")
NO_ASK = Failure("no_ask", "ingest", False, "no ask of the batch is meant for this document")


@dataclass(frozen=True, slots=True)
class AskRow:
    """An ask as the database holds it."""

    id: int
    text: str
    json_schema: dict[str, Any] | None
    task: TaskType | None
    scope: Scope
    documents: tuple[str, ...]
    place: str | None = None
    """ENGINE/MODEL that alone answers it; None: the configuration says."""
    examples: Examples | None = None
    """What its model is shown; None: the prompt's own."""
    prompt: int | None = None
    """The version of its task's prompt; None: the configuration says."""

    def concerns(self, path: str) -> bool:
        """True when the ask is meant for a document of this path."""
        if not self.documents:
            return True
        names = (path, PurePath(path).name)
        return any(fnmatch(name, pattern) for pattern in self.documents for name in names)


@dataclass(frozen=True, slots=True)
class Ingested:
    """The rows that reading a document comes to, for ingest/finish.sql. `skipped`: why it is."""

    state: DocumentState
    pages: int
    language: str | None
    notes: list[str]
    missing: tuple[Gap, ...]
    skipped: Failure | None
    chunks: list[dict[str, Any]]
    boxes: list[BoxesRow]
    jobs: list[dict[str, Any]]


def ingest(
    path: str,
    text: Text,
    pieces: Sequence[Piece],
    asks: Sequence[AskRow],
    *,
    local_only: bool,
    config: Config,
    learned: Learned,
    allow_provider_batch: bool = False,
) -> Ingested:
    """Everything that follows from a document's text: pure, so that it is the same every time."""
    asked = [ask for ask in asks if ask.concerns(path)]
    spoken = language("\n".join(piece.text for piece in pieces if not piece.blank)[:20_000])
    pinned = _pinned(text, pieces, config.pin)
    said = [None if piece.blank else language(piece.text) for piece in pieces]
    chunks = list(map(_chunk_row, pieces, said, pinned))
    pins, languages = dict(zip(pieces, pinned, strict=True)), dict(zip(pieces, said, strict=True))
    maker = _JobMaker(local_only, allow_provider_batch, pins, languages, config, learned)
    texts = [piece for piece in pieces if not piece.blank]
    why = NO_TEXT if not texts else NO_ASK if not asked else None
    jobs = [row for ask in asked for row in maker.jobs(ask, pieces, texts, spoken)]
    return Ingested(
        DocumentState.READY if why is None else DocumentState.SKIPPED,
        len(text.pages),
        spoken,
        list(text.notes),
        text.gaps if why is None else (),
        why,
        chunks,
        list(box_rows(text, pieces)) if why is None else [],
        jobs if why is None else [],
    )


def asked_models(
    asks: Sequence[AskRow],
    spoken: str | None,
    *,
    local_only: bool,
    config: Config,
    learned: Learned,
) -> frozenset[str]:
    """The models that asks about texts in a language go to first, as far as that is known before a
    text is cut: those of all task types where a language model has to find out which it is."""
    found = set[str]()
    for ask in asks:
        sure = found_at_once(ask.task, ask.text, ask.json_schema, learned, config.classifier.sure)
        for task in TaskType if sure is None else (sure.task,):
            facts = Facts(
                task, language=spoken, scope=ask.scope, local_only=local_only, place=ask.place
            )
            found.add(route(facts, config).first.model)
    return frozenset(found)


def _pinned(text: Text, pieces: Sequence[Piece], config: PinConfig) -> list[str | None]:
    """Why each piece is kept local; None where it is not."""
    reasons = Pins(config).reasons(pieces)
    scanned = {page.number for page in text.pages if page.scanned} if config.scans else set()
    if not scanned:
        return reasons
    return [
        why if scanned.isdisjoint(range(p.page_from, p.page_to + 1)) else union((why, SCAN))
        for p, why in zip(pieces, reasons, strict=True)
    ]


def _chunk_row(piece: Piece, said: str | None, pinned: str | None) -> dict[str, Any]:
    return {
        "ordinal": piece.ordinal,
        "page_from": piece.page_from,
        "page_to": piece.page_to,
        "char_start": piece.char_start,
        "char_end": piece.char_end,
        "tokens": piece.tokens,
        "language": said,
        "blank": piece.blank,
        "pinned": pinned,
        "text": piece.text,
    }


@dataclass(frozen=True, slots=True)
class _JobMaker:
    local_only: bool
    allow_provider_batch: bool
    pinned: Mapping[Piece, str | None]
    languages: Mapping[Piece, str | None]
    config: Config
    learned: Learned

    def jobs(
        self, ask: AskRow, pieces: Sequence[Piece], texts: Sequence[Piece], spoken: str | None
    ) -> Iterator[dict[str, Any]]:
        found = self._found(ask)
        if ask.scope is Scope.DOCUMENT:
            tokens = sum(piece.tokens for piece in texts)
            why = union(self.pinned[piece] for piece in texts)
            yield self._job(ask, found, None, tokens, spoken, why)
            return
        for piece in pieces:
            if piece.blank:
                yield self._skipped(ask, piece)
            else:
                why, said = self.pinned[piece], self.languages[piece]
                yield self._job(ask, found, piece.ordinal, piece.tokens, said, why)

    def _found(self, ask: AskRow) -> Verdict | None:
        """Which task type it is, by the ask alone; None: a language model has to say."""
        sure = self.config.classifier.sure
        return found_at_once(ask.task, ask.text, ask.json_schema, self.learned, sure)

    def _skipped(self, ask: AskRow, piece: Piece) -> dict[str, Any]:
        return {
            "chunk": piece.ordinal,
            "ask_id": ask.id,
            "state": JobState.SKIPPED,
            "tokens": 0,
            "fixed_tokens": 0,
            "reason": piece.blank,
        }

    def _job(
        self,
        ask: AskRow,
        found: Verdict | None,
        chunk: int | None,
        tokens: int,
        spoken: str | None,
        pinned: str | None,
    ) -> dict[str, Any]:
        row = {
            "chunk": chunk,
            "ask_id": ask.id,
            "tokens": tokens,
            "language": spoken,
            "pinned": pinned,
        }
        if found is None:
            return {**row, **self._to_classify(ask)}
        facts = Facts(
            found.task,
            found.found_by,
            found.confidence,
            language=spoken,
            tokens=tokens,
            scope=ask.scope,
            local_only=self.local_only,
            pinned=pinned is not None,
            allow_provider_batch=self.allow_provider_batch,
            place=ask.place,
        )
        more = {"state": JobState.READY, "found_version": found.version}
        return {**row, **more, **routed(facts, ask, self.config)}

    def _to_classify(self, ask: AskRow) -> dict[str, Any]:
        """It waits in the classifier's own queue, in the building."""
        chosen = self.config.classifier
        return {
            "state": JobState.PENDING,
            "classify_key": classify_key(ask.text, ask.json_schema, chosen.model),
            "zone": Zone.LOCAL,
            "engine": chosen.engine,
            "model": chosen.model,
            "fixed_tokens": 0,
        }


def routed(facts: Facts, ask: AskRow, config: Config) -> dict[str, Any]:
    """The columns of a job that follow from what is known of it."""
    way = route(facts, config)
    place = way.first
    return {
        "task": facts.task,
        "found_by": facts.found_by,
        "confidence": facts.confidence,
        "escalation_reason": way.reason,
        "zone": place.zone,
        "engine": place.engine,
        "model": place.model,
        "bulk": way.bulk,
        "fixed_tokens": prompt_tokens_of(facts, place, ask, config),
    }


def prompt_tokens_of(facts: Facts, place: Place, ask: AskRow, config: Config) -> int:
    """Tokens of a job's prompt besides its text, as estimated."""
    number = ask.prompt or config.prompts.get(facts.task)
    carries = config.engines[place.engine].carries_examples(place.model)
    how = manner(facts.task, place.model, facts.language, number=number, examples=carries)
    return fixed_tokens(how, ask.text, ask.json_schema, ask.examples)
