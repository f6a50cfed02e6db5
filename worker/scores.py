"""Scores: how well they rank what people ruled right and wrong here, and a model of one's own."""

import sys
from collections.abc import Iterator, Mapping, Sequence

import psycopg
from psycopg.types.json import Jsonb

from models.scores import Scores, acceptance, made, shipped
from models.words import Split, TaskType, split_of
from worker.db import Row, fetch, one_connection
from worker.prompts.files import task_schema
from worker.run.claims import source_of
from worker.run.figures import STATED, Figures, figures
from worker.run.fit import Measured, Ruled, calibrated, fit, measured
from worker.run.models import newest_scores
from worker.run.score import features, score
from worker.run.verify.asked import asked_of
from worker.run.verify.verify import verify

FEWEST = 300
"""Values that people ruled on, from which on scores are fitted to them: a third of them is kept
apart to find the threshold."""

BLOCK = 200
"""Answers in memory at a time: each comes with its text."""


def report() -> int:
    """Print what the scores that count here accept, how well they ranked when they were fitted, and
    how well the product's rank the values that people ruled on."""
    with one_connection() as connection:
        counts, values = newest_scores(connection), list(ruled(connection))
        own = fetch(connection, "scores/newest")
    whose = "your own" if own else "the product's"
    sys.stdout.write(f"{whose} scores {counts.version}, which count\n{_told(counts)}")
    for row in own:
        figure = "".join(
            f"  {key.replace('_', ' ')}: {value:.3g}\n" for key, value in row["report"].items()
        )
        sys.stdout.write(f"when they were fitted, on documents that they had not seen\n{figure}")
    if values:
        scored = [
            Measured(each, score(shipped().weights, each.features), shipped()) for each in values
        ]
        _print(f"the product's scores on your {len(values)} ruled values", figures(scored))
    else:
        sys.stdout.write("no answer is ruled on as a whole here: nothing to measure on\n")
    return 0


def train() -> int:
    """Fit scores to the values that people ruled on, and keep them."""
    with one_connection() as connection:
        values = list(ruled(connection))
        if len(values) < FEWEST:
            sys.stdout.write(
                f"{len(values)} values are ruled on in answers of which every value is, {FEWEST} "
                "are needed: nothing is changed. `docmill correct JOB --confirm` rules on the rest "
                "of an answer.\n"
            )
            return 1
        found, own = figures(list(measured(values, shipped().weights))), fitted(values)
        _print(f"on your {len(values)} ruled values, each scored by what had not seen it", found)
        sys.stdout.write(f"new scores {own.version}\n{_told(own)}")
        params = {"version": own.version, "model": Jsonb(own.as_json())}
        fetch(connection, "scores/keep", **params, report=Jsonb(found.as_row()))
    sys.stdout.write("they count from now on, for what is answered next\n")
    return 0


def fitted(values: Sequence[Ruled]) -> Scores:
    """Scores whose weights were fitted on documents to train on, from the product's own weights on,
    and calibrated on documents that are held."""
    sides: dict[Split, list[Ruled]] = {side: [] for side in Split}
    for value in values:
        sides[split_of(value.document)].append(value)
    weights = fit(sides[Split.TRAIN], shipped().weights)
    about = {"values": len(values), "held": len(sides[Split.HELD]), "from": shipped().version}
    return made(weights, calibrated(weights, sides[Split.HELD]), about)


def ruled(connection: "psycopg.Connection[Row]") -> Iterator[Ruled]:
    """The checked values of the answers that people ruled on as a whole. Others leave out what
    nobody doubted, and say nothing of it."""
    after = 0
    while rows := fetch(connection, "scores/ruled", after=after, most=BLOCK):
        after = rows[-1]["id"]
        for row in rows:
            if row["task"] == TaskType.EXTRACTION and row["pieces"]:
                yield from _values(row)


def _values(row: Row) -> list[Ruled]:
    """Those of one answer, checked as answers are checked now; none where one was not ruled on."""
    task = TaskType(row["task"])
    asked = asked_of(row["value"], row["json_schema"] or task_schema(task))
    checks = verify(task, asked, [source_of(piece) for piece in row["pieces"]])
    by_path = {each.path: each for each in asked}
    verdicts = {path: _is_right(path, row["wrong"]) for path in checks}
    if None in verdicts.values():
        return []
    return [
        Ruled(row["document"], features(check, by_path.get(path)), verdicts[path] is True)
        for path, check in checks.items()
    ]


def _is_right(path: str, wrong: Mapping[str, bool]) -> bool | None:
    """What people said of a value, or of what it stands in; None: nothing, or that all of a list is
    another one."""
    if path in wrong:
        return not wrong[path]
    above = [said for field, said in wrong.items() if path.startswith(f"{field}.")]
    return True if above and not any(above) else None


def _told(scores: Scores) -> str:
    """What they were made of, and what they accept."""
    lines = [f"{key}: {value}" for key, value in scores.about.items()]
    if not scores.ranks:
        lines.append("they do not rank errors: no confidence is shown")
    lines += [acceptance(scores, error).sentence() for error in STATED]
    return "".join(f"  {line}\n" for line in lines)


def _print(title: str, found: Figures) -> None:
    sys.stdout.write(f"{title}\n")
    for name, value in found.told():
        sys.stdout.write(f"  {name:<31}{value}\n")
