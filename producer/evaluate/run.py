"""Evals: texts whose right answers are known, asked of several models in one batch, and compared.

The batch is like any other: ledger, limits, budget, resumption and reuse are its own. What is
right stands where it stood, in gold or in the answers of a batch with their corrections.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

from psycopg.types.json import Jsonb

from models.configuration import applied
from models.database import Connection, ready_connection
from models.errors import InputError, NotFound
from models.kinds import PLAIN
from models.resolve import refuse_places
from models.spec import Spec, make_spec
from models.sql import load_sql
from models.words import SEPARATOR, EvalKind, Policy, Scope, Split, TaskType, Zone
from producer import gold
from producer.evaluate.candidates import Candidate
from producer.evaluate.choose import Volume
from producer.evaluate.figures import THEN, Score
from producer.processes import piped_through_worker
from producer.prompts import refuse_prompts
from producer.query import Row, every, is_over, one, require, status
from producer.sources import Accepted
from producer.submit import Submitted, submit

TASKS = (TaskType.EXTRACTION, TaskType.CLASSIFICATION)
"""Whose answers can be compared with the right one. No rule can tell a good summary from a bad
one."""

MOST_ASKS = 100
"""Of one batch, as a spec has it."""

BLOCK = 1_000
"""Scores that are stored at a time."""


@dataclass(frozen=True, slots=True)
class Question:
    """A text to ask about. `gold` or `job`: the row that knows the right answer."""

    key: str
    task: str
    ask: str
    schema: Mapping[str, Any] | None
    text: str
    gold: int | None = None
    job: int | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """What models are measured against: a gold set's `name`, or the number of a batch."""

    kind: EvalKind
    name: str
    split: Split | None = None
    """Of gold; None: both."""


@dataclass(frozen=True, slots=True)
class Begun:
    """An eval that was submitted."""

    eval: int
    batch: int
    texts: int


def begin(
    source: Source, asked: Sequence[Candidate], most: int, *, max_cost: Decimal | None = None
) -> Begun:
    """Submit the texts of a source to every candidate. Raises NotFound, InputError where there is
    nothing to ask, or a candidate cannot be asked."""
    twice = sorted({each.label for each in asked if asked.count(each) > 1})
    if twice:
        raise InputError(f"{twice[0]} is named twice; name each model once")
    config, places = applied().config, [each.place for each in asked]
    refuse_places(places, config)
    leaves = any(config.engines[place.partition("/")[0]].zone is not Zone.LOCAL for place in places)
    questions = _questions(source, most, leaves)
    if not questions:
        raise InputError(_nothing(source, leaves))
    refuse_prompts((question.task, each.prompt) for each in asked for question in questions)
    spec, documents = batch_of(questions, asked, source, leaves=leaves, max_cost=max_cost)
    row = one("eval_add", kind=source.kind, source=source.name, split=source.split,
              places=[each.label for each in asked])  # fmt: skip
    assert row is not None
    links = [
        {"path": path, "key": asked.key, "gold": asked.gold, "job": asked.job}
        for path, asked in documents
    ]
    sources = (Accepted(path, PLAIN, asked.text.encode()) for path, asked in documents)
    done = submit(spec, sources, lambda so_far: _link(row["id"], so_far, links))
    assert done.batch is not None
    return Begun(row["id"], done.batch, len(questions))


def _questions(source: Source, most: int, leaves: bool) -> list[Question]:
    shared = {"most": most, "tasks": list(TASKS), "leaves": leaves}
    if source.kind is EvalKind.GOLD:
        gold.require_set(source.name)
        rows = every("eval_gold", name=source.name, split=source.split, **shared)
        return [_question(row, row["key"], gold=row["id"]) for row in rows]
    require(int(source.name))
    rows = every("eval_jobs", batch=int(source.name), separator=SEPARATOR, **shared)
    keys = {gold.key_of(row["ask"], row["schema"], row["text"]): row for row in reversed(rows)}
    return [_question(row, key, job=row["id"]) for key, row in keys.items()]


def _question(row: Row, key: str, **of: int) -> Question:
    return Question(key, row["task"], row["ask"], row["schema"], row["text"], **of)


def _nothing(source: Source, leaves: bool) -> str:
    here = " that may leave the building" if leaves else ""
    tasks = " or ".join(TASKS)
    if source.kind is EvalKind.GOLD:
        split = f" in its split {source.split}" if source.split else ""
        return f"gold set {source.name} has no row of {tasks}{here}{split}"
    return f"batch {source.name} has no answer of {tasks}{here}"


def batch_of(
    questions: Sequence[Question],
    candidates: Sequence[Candidate],
    source: Source,
    *,
    leaves: bool,
    max_cost: Decimal | None = None,
) -> tuple[Spec, list[tuple[str, Question]]]:
    """The batch that asks these questions of these places: an ask for each distinct question and
    candidate, which concerns the documents of a folder of their own. Raises InputError."""
    groups: dict[str, list[Question]] = {}
    for asked in questions:
        groups.setdefault(json.dumps([asked.task, asked.ask, asked.schema]), []).append(asked)
    if (number := len(groups) * len(candidates)) > MOST_ASKS:
        raise InputError(
            f"{len(groups)} different asks for {len(candidates)} models are {number}; "
            f"a batch has {MOST_ASKS} at most: name fewer models, or take a smaller set"
        )
    asks, documents = [], []
    for number, found in enumerate(groups.values(), start=1):
        first = found[0]
        asks += [
            {
                "name": f"{number} {each.label}",
                "ask": first.ask,
                "task": first.task,
                "schema": first.schema,
                "scope": Scope.DOCUMENT,
                "documents": [f"{number}/*"],
                "model": each.place,
                "prompt": each.prompt,
                "examples": {"gold": source.name, "most": each.examples} if each.examples else None,
            }
            for each in candidates
        ]
        documents += [(f"{number}/{n:05}.txt", asked) for n, asked in enumerate(found, start=1)]
    whole = {
        "name": f"eval of {source.kind} {source.name}"[:200],
        "policy": Policy.ALLOW_FRONTIER if leaves else Policy.LOCAL_ONLY,
        "max_cost": max_cost,
        "asks": asks,
    }
    return make_spec(whole, "eval"), documents


def _link(number: int, so_far: Submitted, links: Sequence[Row]) -> None:
    with ready_connection() as connection:
        connection.execute(
            load_sql("producer", "eval_link"),
            {"eval": number, "batch": so_far.batch, "rows": Jsonb(list(links))},
        )


def imported(path: Path, by: str) -> Source:
    """A file of labelled lines as a gold set of its own; the same file again is the same set, and
    all of it is measured on. Raises InputError that names each line that cannot be used."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    name = gold.set_name(f"{'-'.join(path.stem.split()).lstrip('.-') or 'file'}-{digest}"[-80:])
    gold.import_file(name, path, by, gold.Defaults(source=path.name, licence=gold.OWN))
    return Source(EvalKind.GOLD, name)


def evals(number: int | None = None, most: int = 1_000) -> list[Row]:
    """Every eval, newest first, or one of them. Raises NotFound."""
    found = every("evals", eval=number, most=most)
    if number is not None and not found:
        raise NotFound(f"there is no eval {number}; `docmill eval list` shows those that are")
    return found


def is_ready(found: Row) -> bool:
    """Whether an eval has its figures, or can be given them now."""
    return found["scored_at"] is not None or (
        found["batch"] is not None and is_over(status(found["batch"]))
    )


def scores(number: int) -> list[Score]:
    """How right each answer of an eval is; compared now where that was not done yet. Raises
    NotFound, InputError where it is not over or its texts are gone."""
    [found] = evals(number)
    if found["scored_at"] is None:
        if found["batch"] is None:
            raise InputError(f"eval {number} was cut off, or its batch deleted; begin a new one")
        if not is_ready(found):
            raise InputError(f"eval {number} is not over; `docmill watch {found['batch']}`")
        _score(number)
    return [Score(**{**row, "key": bytes(row["key"])}) for row in every("eval_scores", eval=number)]


def _score(number: int) -> None:
    rows = every("eval_answers", eval=number, then=THEN)
    if not rows:
        raise InputError(f"eval {number} has no answers: its texts were purged, or none was done")
    asked = (json.dumps({"right": row["right"], "said": row["said"]}) for row in rows)
    fields = map(json.loads, piped_through_worker("compare", lines=asked))
    made = (_scored(row, found) for row, found in zip(rows, fields, strict=True))
    with ready_connection() as connection, connection.transaction():
        connection.execute("DELETE FROM eval_scores WHERE eval_id = %s", (number,))
        connection.execute("UPDATE evals SET scored_at = now() WHERE id = %s", (number,))
        _keep(connection, number, made)


def _scored(row: Row, fields: Mapping[str, bool]) -> dict[str, Any]:
    kept = {key: item for key, item in row.items() if key not in ("right", "said", "cost_usd")}
    cost = None if row["cost_usd"] is None else str(row["cost_usd"])
    return {**kept, "cost_usd": cost, "fields": fields, "is_right": all(fields.values())}


def _keep(connection: Connection, number: int, made: Iterator[Row]) -> None:
    while block := list(islice(made, BLOCK)):
        params = {"eval": number, "rows": Jsonb(block)}
        connection.execute(load_sql("producer", "eval_keep"), params)


def volumes() -> dict[str, Volume]:
    """What each task takes at present, by the ledger of the last 30 days."""
    return {
        row["task"]: Volume(row["jobs"], row["days"], row["cost_usd"]) for row in every("volume")
    }
