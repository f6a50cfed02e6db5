"""(p) What second readings bring: answers of which some fields are wrong, by rule, go through the
workers' own decisions to a frontier that is right.

python -m benchmarks.escalation [FILE.jsonl]
"""

import argparse
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from math import ceil
from pathlib import Path
from typing import Any
from uuid import UUID

from benchmarks.field_checks import PUBLIC, load, schema_of
from benchmarks.rig import Measured
from benchmarks.wrong_answers import wrong_answers
from models.config import Config
from models.shares import wilson
from models.words import TaskType
from worker.calls.answer import Valid
from worker.calls.prices import PriceBook
from worker.prompts import reading_messages, task_messages
from worker.route import Facts, route
from worker.run.ground import Source
from worker.run.job import Job, Reading
from worker.run.judge import judge
from worker.run.outcome import Done, Reread
from worker.run.verify.same import same
from worker.tokens import estimate

WRONG_SHARE = 0.2
"""Of the fields of a first answer: small models get more of them wrong."""

CONFIG = Config.model_validate(
    {
        "engines": {"frontier": {"model": "big"}},
        "tasks": {"extraction": {"escalate": "frontier/big"}},
        "prices": {"big": {"input_per_mtok": "3", "output_per_mtok": "15"}},
    }
)
PRICES = PriceBook(CONFIG)
CALL = UUID(int=1)


@dataclass(frozen=True, slots=True)
class Read:
    """What became of one document. Numbers of right fields; USD of the frontier."""

    fields: int
    right_before: int
    right_after: int
    escalated: bool
    usd: Decimal
    whole_usd: Decimal
    """What it would have cost to ask the frontier about all of it."""


def run(limit: int | None = None) -> Iterator[Measured]:
    """Nothing where the public data is not at hand."""
    if not PUBLIC.is_file():
        return
    read = list(read_all(load(PUBLIC)[:limit]))
    show(read)
    fields = sum(each.fields for each in read)
    yield Measured("q: jobs escalated", sum(each.escalated for each in read) / len(read))
    yield Measured("q: fields right before", sum(each.right_before for each in read) / fields)
    yield Measured("q: fields right after", sum(each.right_after for each in read) / fields)
    yield Measured("q: for each field made right", float(_usd_per_right(read)), unit="USD")


def read_all(rows: Sequence[Mapping[str, Any]]) -> Iterator[Read]:
    """Each document once, without a cap."""
    return (_read(row) for row in rows if row["fields"])


def _read(row: Mapping[str, Any]) -> Read:
    right = dict(row["fields"])
    job, first = _job(row), _first_answer(row)
    outcome = judge(job, Valid(first), CALL, PRICES)
    usd, escalated = Decimal(0), isinstance(outcome, Reread)
    if isinstance(outcome, Reread):
        reading = Reading(first, CALL, outcome.asked, outcome.answer.by)
        said = {name: right[name] for name in outcome.asked}
        again = replace(job, place=outcome.place, step=outcome.step, reading=reading)
        schema = again.asked_schema
        messages = reading_messages(job.ask, row["text"], schema, outcome.asked)
        usd = _usd([message.content for message in messages], said)
        outcome = judge(again, Valid(said), CALL, PRICES)
    assert isinstance(outcome, Done)
    whole = task_messages(job.task, job.ask, row["text"], job.answer_schema)
    return Read(
        len(right),
        _right(first, right),
        _right(outcome.value, right),
        escalated,
        usd,
        _usd([message.content for message in whole], right),
    )


def _job(row: Mapping[str, Any]) -> Job:
    facts = Facts(TaskType.EXTRACTION)
    names = ", ".join(row["fields"])
    return Job(
        id=1,
        batch_id=1,
        facts=facts,
        place=route(facts, CONFIG).first,
        step=0,
        config=CONFIG,
        ask_id=1,
        ask=f"Find {names}.",
        schema=schema_of(row["fields"]),
        pieces=(Source(0, row["text"]),),
        attempts=0,
        call_id=CALL,
        earlier={},
    )


def _first_answer(row: Mapping[str, Any]) -> dict[str, Any]:
    """The right answer with a share of its fields wrong, the same for the same document."""
    draw = random.Random(row["id"])
    given = dict(row["fields"])
    for name, right in row["fields"].items():
        if isinstance(right, str) and draw.random() < WRONG_SHARE:
            others = [v for k, v in row["fields"].items() if k != name and isinstance(v, str)]
            made = list(wrong_answers(right, row["text"], others, f"{row['id']} {name}"))
            given[name] = draw.choice(made).value if made else right
    return given


def _right(value: Mapping[str, Any], right: Mapping[str, Any]) -> int:
    return sum(same(value.get(name), one) for name, one in right.items())


def _usd(prompt: Sequence[str], said: Mapping[str, Any]) -> Decimal:
    price = PRICES.price("big")
    assert price is not None
    return price.most(sum(map(estimate, prompt)), estimate(str(said)))


def _usd_per_right(read: Sequence[Read]) -> Decimal:
    more = sum(each.right_after - each.right_before for each in read)
    return sum((each.usd for each in read), Decimal(0)) / max(more, 1)


def capped(read: Sequence[Read], share: float) -> list[Read]:
    """The same where no more than that share of the jobs may be read again, first come."""
    left, found = ceil(share * len(read)), []
    for each in read:
        allowed = each.escalated and left > 0
        left -= allowed
        as_it_is = replace(each, right_after=each.right_before, escalated=False, usd=Decimal(0))
        found.append(each if allowed else as_it_is)
    return found


def show(read: Sequence[Read]) -> None:
    """The figures without a cap, with the default one, and of asking the frontier all of it."""
    for name, some in (("no cap", read), ("share 0.2", capped(read, 0.2))):
        fields, jobs = sum(each.fields for each in some), sum(each.escalated for each in some)
        low, high = wilson(jobs, len(some))
        before, after = (sum(getattr(each, key) for each in some) for key in _RIGHT)
        usd = sum(each.usd for each in some)
        print(
            f"{name}: {jobs} of {len(some)} jobs escalated, {jobs / len(some):.1%} "
            f"[{low:.1%}, {high:.1%}]; fields right {before / fields:.1%} before, "
            f"{after / fields:.1%} after; USD {usd:.4f}, {_usd_per_right(some):.5f} for each field "
            "made right"
        )
    print(f"all of it asked at the frontier: USD {sum(each.whole_usd for each in read):.4f}")


_RIGHT = ("right_before", "right_after")


def main() -> None:
    """The figures for a file of such rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=PUBLIC)
    show(list(read_all(load(parser.parse_args().file))))


if __name__ == "__main__":
    main()
