"""(n) What the checks of fields let through and turn away, on public documents with their right
answers and on wrong ones made of them by rule; and what they cost.

python -m benchmarks.field_checks [FILE.jsonl] [--show N] [--given ANSWERS.jsonl] [--ship]

ANSWERS.jsonl holds what a model said, one {"id": ..., "value": {...}} a line. Then the table says
how many of the values with each outcome are right, and the scores are fitted and calibrated on the
right and wrong answers that are made of other documents.

Then how well the scores of values rank errors, and what they accept at a stated error: weights,
threshold and figures each from other documents. For that each right answer comes with one wrong
one, so that half are wrong. --ship writes the scores that come with the product, of the documents
whose `licence` allows it.
"""

import argparse
import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import scores
from benchmarks.rig import Measured
from benchmarks.wrong_answers import wrong_answers
from models.reasons import FieldOutcome
from models.scores import shipped
from models.shares import wilson
from models.words import TaskType
from worker.run.figures import STATED
from worker.run.fit import Ruled
from worker.run.ground import Source
from worker.run.score import features, scored
from worker.run.verify import dates, numbers, steering
from worker.run.verify.asked import asked_of
from worker.run.verify.check import FieldCheck
from worker.run.verify.same import same
from worker.run.verify.verify import verify
from worker.run.verify.view import view_of

PUBLIC = Path(__file__).parent.parent.parent / "shared" / "data" / "extraction_open.jsonl"

MOST_ACCEPTED, MOST_TURNED_AWAY = 0.09, 0.01
"""Of the wrong, and of the right: what fixed checks reached on 940 wrong values in public."""

LEAST_AUROC, LEAST_SURE_RIGHT = 0.8, 0.9

MOST_CPU_MS, MOST_SCORE_MS = 0.5, 0.1

CACHES = (view_of, *numbers.CACHES, *dates.CACHES, *steering.CACHES)
"""What is kept of a text: a worker sees most texts once."""

ORDINARY_CHARS = 2_000
"""A text of at most so many characters is an ordinary one: a receipt, a mail, a page."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One answer to one field, what it is and what the checks made of it."""

    kind: str
    """`right`, or the mistake."""
    field: str
    value: str
    document: str
    check: FieldCheck | None
    features: tuple[str, ...] = ()
    """What its score goes by."""

    @property
    def outcome(self) -> FieldOutcome | None:
        """None: not judged."""
        return self.check.outcome if self.check else None


def run(limit: int | None = None) -> Iterator[Measured]:
    """Nothing where the public data is not at hand."""
    if not PUBLIC.is_file():
        return
    rows = load(PUBLIC)[:limit]
    judged = list(judge_all(rows))
    show(judged)
    wrong = [each for each in judged if each.kind != "right"]
    right = [each for each in judged if each.kind == "right"]
    accepted = share(wrong, FieldOutcome.SURE)
    away = share(right, FieldOutcome.WRONG)
    yield Measured("n: wrong values called sure", accepted, MOST_ACCEPTED, at_most=True)
    yield Measured("n: right values called wrong", away, MOST_TURNED_AWAY, at_most=True)
    yield Measured("n: right values called sure", share(right, FieldOutcome.SURE))
    ranked = scores.show("scores", list(map(scores.without_names, ruled(judged))))
    yield Measured("n: AUROC of the scores", ranked.auroc, LEAST_AUROC)
    yield Measured("n: right of what is called sure", ranked.sure_right.value, LEAST_SURE_RIGHT)
    yield Measured("n: wrong of what is accepted at 2 % error", ranked.at(0.02).wrong.value)
    yield Measured("n: accepted at 2 % error", ranked.at(0.02).coverage.value)
    yield Measured(
        "n: CPU of the checks of an ordinary answer", cpu_ms(rows), MOST_CPU_MS, True, "ms"
    )
    yield Measured("n: CPU of the scores of an answer", score_ms(rows), MOST_SCORE_MS, True, "ms")


def load(path: Path) -> list[dict[str, Any]]:
    """Rows with `id`, `text` and `fields`, their right values."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def judge_all(rows: Iterable[Mapping[str, Any]]) -> Iterator[Judged]:
    """Every right answer, and a wrong one of each kind for each."""
    for row in rows:
        sources = (Source(0, row["text"]),)
        for name, right in row["fields"].items():
            others = [each for key, each in row["fields"].items() if key != name]
            flat = [each for each in others if isinstance(each, str)]
            values = right if isinstance(right, list) else [right]
            for value in values:
                given = [("right", value)]
                seed = f"{row['id']} {name} {value}"
                made = wrong_answers(value, row["text"], flat, seed)
                given += [(each.mistake, each.value) for each in made if each.value not in values]
                for kind, said in given:
                    answer = {name: [said] if isinstance(right, list) else said}
                    [(_, check, found)] = checks_of(answer, sources)
                    yield Judged(kind, name, said, row["id"], check, found)


def ruled(judged: Iterable[Judged]) -> list[Ruled]:
    """The right answers, each with one of the wrong ones that were made of it."""
    answers: list[list[Judged]] = []
    for each in judged:
        if each.kind == "right":
            answers.append([])
        answers[-1].append(each)
    drawn = [
        (right, random.Random(f"{right.document} {right.field}").choice(wrong))
        for right, *wrong in answers
        if wrong
    ]
    return [_ruled(each) for pair in drawn for each in pair if each.check is not None]


def _ruled(judged: Judged) -> Ruled:
    return Ruled(_key(judged.document), judged.features, judged.kind == "right")


def _key(document: str) -> str:
    return sha256(document.encode()).hexdigest()


def checks_of(
    value: Mapping[str, Any], sources: tuple[Source, ...]
) -> Iterator[tuple[str, FieldCheck | None, tuple[str, ...]]]:
    """What each value of an answer comes to, by its path, and what its score goes by."""
    asked = asked_of(value, schema_of(value))
    found = verify(TaskType.EXTRACTION, asked, sources)
    for each in asked:
        check = found.get(each.path)
        yield each.path, check, features(check, each) if check is not None else ()


def schema_of(value: Mapping[str, Any]) -> dict[str, Any]:
    """The plain schema that asks for such an answer."""
    text = {"type": ["string", "null"]}
    properties = {
        key: {"type": "array", "items": text} if isinstance(each, list) else text
        for key, each in value.items()
    }
    return {"type": "object", "properties": properties, "required": list(value)}


def share(judged: Iterable[Judged], outcome: FieldOutcome) -> float:
    """How many of them came to it."""
    found = [each.outcome is outcome for each in judged]
    return sum(found) / max(len(found), 1)


def cpu_ms(rows: Iterable[Mapping[str, Any]], turns: int = 5) -> float:
    """CPU of checking all fields of an answer together, over ordinary texts, each seen anew: the
    middle one of the least disturbed turn, in milliseconds."""
    ordinary = [row for row in rows if len(row["text"]) <= ORDINARY_CHARS]
    return min(_middle_ms(ordinary, " " * (turn + 1)) for turn in range(turns))


def _middle_ms(rows: Iterable[Mapping[str, Any]], end: str) -> float:
    """`end` makes texts that no cache has seen, whatever it keeps."""
    spent = []
    for row in rows:
        for cache in CACHES:
            cache.cache_clear()
        schema, sources = schema_of(row["fields"]), (Source(0, row["text"] + end),)
        started = time.process_time()
        verify(TaskType.EXTRACTION, asked_of(row["fields"], schema), sources)
        spent.append(time.process_time() - started)
    return sorted(spent)[len(spent) // 2] * 1000


def score_ms(rows: Iterable[Mapping[str, Any]], turns: int = 5) -> float:
    """CPU of scoring all fields of an answer together: the mean of the least disturbed turn, in
    milliseconds."""
    answers = []
    for row in rows:
        asked = asked_of(row["fields"], schema_of(row["fields"]))
        sources = (Source(0, row["text"]),)
        answers.append((verify(TaskType.EXTRACTION, asked, sources), asked))
    spent = []
    for _ in range(turns):
        started = time.process_time()
        for checks, asked in answers:
            scored(checks, asked, shipped(), STATED[0])
        spent.append((time.process_time() - started) / len(answers))
    return min(spent) * 1000


def show(judged: Iterable[Judged]) -> None:
    """The shares by kind of answer, with their intervals, and by field."""
    every = list(judged)
    kinds = dict.fromkeys(each.kind for each in every)
    rows = {kind: [each for each in every if each.kind == kind] for kind in kinds}
    rows["all wrong ones"] = [each for each in every if each.kind != "right"]
    for name in dict.fromkeys(each.field for each in every):
        rows[f"{name}: right"] = [e for e in every if e.field == name and e.kind == "right"]
        rows[f"{name}: wrong"] = [e for e in every if e.field == name and e.kind != "right"]
    table = Table("answers", "n", "sure", "check", "wrong", title="field checks, 95 % intervals")
    for kind, found in rows.items():
        counts = Counter(each.outcome for each in found)
        cells = [_cell(counts[outcome], len(found)) for outcome in FieldOutcome]
        table.add_row(kind, str(len(found)), *cells)
    Console(width=110).print(table)


def judge_given(
    rows: Iterable[Mapping[str, Any]], answers: Mapping[str, Mapping[str, Any]]
) -> Iterator[Judged]:
    """What a model said of the documents, each value `right` or `wrong`; of lists nothing."""
    for row in rows:
        value = answers.get(row["id"], {})
        for name, check, found in checks_of(value, (Source(0, row["text"]),)):
            right, said = row["fields"].get(name), value.get(name)
            if said is not None and isinstance(right, str):
                kind = "right" if same(str(said), right) else "wrong"
                yield Judged(kind, name, str(said), row["id"], check, found)


def show_given(judged: Iterable[Judged]) -> None:
    """How many values with each outcome are right: the precision of what is called sure."""
    every = list(judged)
    table = Table("outcome", "n", "of all", "right", title="a model's values, 95 % intervals")
    for outcome in (*FieldOutcome, None):
        found = [each for each in every if each.outcome is outcome]
        right = sum(each.kind == "right" for each in found)
        of_all = _cell(len(found), len(every))
        table.add_row(outcome or "not judged", str(len(found)), of_all, _cell(right, len(found)))
    Console(width=110).print(table)


def _cell(hits: int, n: int) -> str:
    low, high = wilson(hits, n)
    return f"{100 * hits / max(n, 1):.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def _show_odd(judged: Iterable[Judged], most: int) -> None:
    """Some of what is let through or turned away, by kind."""
    odd: dict[str, list[Judged]] = defaultdict(list)
    for each in judged:
        if each.outcome is (FieldOutcome.WRONG if each.kind == "right" else FieldOutcome.SURE):
            odd[each.kind].append(each)
    for kind, found in odd.items():
        for each in found[:most]:
            about = f"{each.check.code} {each.check.about!r}" if each.check else ""
            print(f"{kind}: {each.document} {each.field} {each.value!r}: {about}")


def main() -> None:
    """The table for a file of such rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=PUBLIC)
    parser.add_argument("--show", type=int, default=0, help="so many mistakes of each kind")
    parser.add_argument("--ship", action="store_true", help="write the scores that ship")
    parser.add_argument("--given", type=Path, help="a model's answers to them")
    chosen = parser.parse_args()
    rows = load(chosen.file)
    if chosen.given:
        answers = {each["id"]: each["value"] for each in load(chosen.given)}
        given = list(judge_given(rows, answers))
        show_given(given)
        made = map(scores.without_names, ruled(judge_all(rows)))
        values = [scores.without_names(_ruled(each)) for each in given if each.check is not None]
        scores.show("scores of a model's values, fitted on made ones", values, list(made))
        return
    judged = list(judge_all(rows))
    show(judged)
    _show_odd(judged, chosen.show)
    values = ruled(judged)
    scores.show("scores of right and wrong values", list(map(scores.without_names, values)))
    if chosen.ship:
        allowed = {_key(row["id"]) for row in rows if scores.may_ship(row)}
        may_ship = [each for each in values if each.document in allowed]
        print(f"{scores.SHIPPED}: {scores.ship(may_ship).version}")
    print(f"CPU of an ordinary answer: {cpu_ms(rows):.3f} ms")
    print(f"CPU of the scores of an answer: {score_ms(rows):.4f} ms")


if __name__ == "__main__":
    main()
