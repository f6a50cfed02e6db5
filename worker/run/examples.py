"""Which examples of its ask a claimed job's model is shown: the ask's own, or the nearest rows of a
gold set, which are kept in memory while the set stays as it is."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.examples import Example, Nearest, Own, from_json
from models.words import TaskType, Zone
from worker.calls.answer import Valid, matching
from worker.db import Database, Row
from worker.prompts import form
from worker.prompts.choose import Budget, looked_at, nearest, own
from worker.prompts.files import task_schema
from worker.prompts.manner import Shown
from worker.prompts.nearest import GoldRow, Nearby
from worker.recent import Recent
from worker.tokens import estimate

MOST_ROWS = 500
"""Of a gold set, for one ask: those with the lowest hashes, which is as good as by lot."""

MOST_BYTES = 6_000
"""Of a row's text: a longer one leaves the text that is asked about no room."""

KEPT = 16
"""Sets in memory: of 3 MB each, at most."""

WINDOW_SHARE = 0.5
"""Of the model's window that examples may take."""


@dataclass(frozen=True, slots=True)
class GoldOf:
    """A gold set as one ask sees it. `version`: it changes with each change of the set."""

    name: str
    version: int
    task: TaskType
    ask: str
    schema: str
    """Of the answer, as JSON."""


@dataclass(frozen=True, slots=True)
class About:
    """What a job is about, as far as its examples follow from it."""

    ask: Row
    task: TaskType
    text: str
    document: str | None
    """SHA-256 of its document, in hex, where it may matter."""
    version: int | None
    """Of the gold set that its ask names; None: it names none, or the set was never filled."""
    zone: Zone
    context_tokens: int

    @property
    def schema(self) -> Mapping[str, Any]:
        """Of its answer."""
        return self.ask["json_schema"] or task_schema(self.task)


class Shows:
    """Finds the examples that jobs are shown."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._gold: Recent[GoldOf, Nearby] = Recent(self._load, KEPT)

    async def shown(self, about: About) -> Shown | None:
        """The examples of a job; None: its prompt's own."""
        examples = from_json(about.ask["examples"])
        match examples:
            case Own():
                return own(examples, about.text, _budget(about))
            case Nearest(gold, most):
                return await self._nearest(gold, most, about)
        return None

    async def _nearest(self, gold: str, most: int, about: About) -> Shown:
        if about.version is None:
            return Shown(gold=gold)
        schema = json.dumps(about.schema)
        key = GoldOf(gold, about.version, about.task, about.ask["text"], schema)
        nearby = (await self._gold.of({key}))[key]
        rows = nearby.like(about.text, looked_at(most))
        allowed = [row for row in rows if about.zone is Zone.LOCAL or not row.local_only]
        return nearest(gold, allowed, about.text, most, _budget(about), about.document or "")

    async def _load(self, wanted: Sequence[GoldOf]) -> dict[GoldOf, Nearby]:
        return {each: await self._load_one(each) for each in wanted}

    async def _load_one(self, wanted: GoldOf) -> Nearby:
        rows = await self._db.run(
            "run/examples",
            gold=wanted.name,
            task=wanted.task,
            ask=wanted.ask,
            most=MOST_ROWS,
            bytes=MOST_BYTES,
        )
        schema = json.loads(wanted.schema)
        fitting = [row for row in rows if isinstance(matching(row["value"], schema), Valid)]
        return Nearby([_gold_row(row) for row in fitting])


def _gold_row(row: Row) -> GoldRow:
    example = Example(row["text"], row["value"])
    return GoldRow(row["id"], row["document"], example, row["local_only"])


def _budget(about: About) -> Budget:
    """The ask and its form stand in each example's turn, too."""
    turn = estimate(about.ask["text"]) + estimate(form(about.schema))
    return Budget(int(WINDOW_SHARE * about.context_tokens), turn)
