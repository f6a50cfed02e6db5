"""(o) What task type is an ask? The cascade on public asks that somebody else labelled, and what it
costs.

Three times: the model that ships, which has seen none of them; one that has learned from the others
of them as well, as an installation's own would, while their sources are left out in turn; and what
`docmill classifier train` makes of SETTLED of them, beside the one that ships, on the rest. The
rows are not part of the repository; where they are not at hand there is nothing to measure.
"""

import json
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.rig import Measured
from models.config import ClassifierConfig
from models.shares import Share, share
from models.words import TaskType
from producer.evaluate.stats import difference
from worker.classifier import SEED, SHIPPED, said_of, trained
from worker.classify.asks import Example, own_asks
from worker.classify.cascade import verdict
from worker.classify.figures import Said, figures
from worker.classify.learned import Learned, shipped, unpack
from worker.classify.train import cross_validated, seen, trust

PUBLIC = Path(__file__).parent.parent.parent / "shared" / "data" / "routing_open.jsonl"

SURE = ClassifierConfig.model_fields["sure"].default
FOLDS = 10
TIMED = 2_000
SETTLED = 200
"""Asks that an installation may have settled after its first weeks."""


@dataclass(frozen=True)
class Asked:
    """A public ask: `clear` where its label was found to be beyond doubt."""

    example: Example
    clear: bool


def run(limit: int | None = None, folds: int = FOLDS) -> Iterator[Measured]:
    """Right, sure, calibrated, cheap: of the model that ships and of strangers' sources."""
    if not PUBLIC.exists():
        print(f"o: {PUBLIC.name} is not at hand: nothing is measured")
        return
    asked = list(_asked(PUBLIC))[:limit]
    yield from _judged("o: shipped", asked, [_said(one.example, shipped()) for one in asked])
    yield from _judged("o: sources left out", asked, _left_out(asked, folds))
    yield from _own([one.example for one in asked])
    yield Measured("o: CPU of a verdict", _cpu_ms(asked), 0.5, True, "ms")
    yield Measured("o: file of the model", SHIPPED.stat().st_size / 1000, 500, True, "kB")


def _asked(path: Path) -> Iterator[Asked]:
    for line in path.read_text("utf-8").splitlines():
        row = json.loads(line)
        ask = row["instruction"] or row["text"]
        yield Asked(
            Example(ask, None, TaskType(row["label"]), row["source"]), row["audit"] == "clear"
        )


def _said(one: Example, model: Learned) -> Said:
    found = verdict(one.ask, one.schema, model)
    return Said(found.task, found.confidence or 0.0, one.task)


def _left_out(asked: Sequence[Asked], folds: int) -> list[Said]:
    """What is said of each ask by a model that has seen none of its source."""
    examples = seen(one.example for one in asked)
    judged = list(cross_validated(examples, SEED, folds=folds, always=seen(own_asks(SEED))))
    scale = trust(judged)
    said = {id(one.example): said_of(one, scale) for one in judged}
    return [said[id(one.example)] for one in asked]


def _own(asked: Sequence[Example]) -> Iterator[Measured]:
    """A model of one's own, from asks drawn by lot, beside the one that ships, on the rest."""
    drawn = random.Random(SEED).sample(asked, len(asked))
    settled, rest = drawn[:SETTLED], drawn[SETTLED:]
    if not rest:
        return
    own = unpack(trained(settled).packed)
    said = [(_said(one, own).right, _said(one, shipped()).right) for one in rest]
    apart = difference(said)
    low, high = apart.interval
    for name, each in zip(("own", "shipped"), zip(*said, strict=True), strict=True):
        yield _share(
            f"o: {name}, after {len(settled)} settled asks: right of the rest", share(each)
        )
    told = f"{low:.3f} to {high:.3f}, p = {apart.p:.2g}"
    yield Measured(f"o: own less shipped, on the rest ({told})", apart.value)


def _judged(name: str, asked: Sequence[Asked], said: Sequence[Said]) -> Iterator[Measured]:
    clear = figures([s for one, s in zip(asked, said, strict=True) if one.clear], SURE)
    found = figures(said, SURE)
    yield _share(f"{name}: right of the clear", clear.right, 0.88)
    yield _share(f"{name}: sure, of all", found.sure, 0.75)
    yield _share(f"{name}: right where sure, of all", found.sure_right, 0.95)
    yield _share(f"{name}: right where sure, of the clear", clear.sure_right)
    rest = Share(found.sure.n - found.sure.hits, found.sure.n)
    yield _share(f"{name}: asked of a language model", rest, 0.25, at_most=True)
    yield Measured(f"{name}: calibration error", found.calibration_error, 0.05, True)


def _share(name: str, found: Share, bar: float | None = None, *, at_most: bool = False) -> Measured:
    low, high = found.interval
    return Measured(f"{name} ({low:.3f} to {high:.3f})", found.value, bar, at_most)


def _cpu_ms(asked: Sequence[Asked]) -> float:
    """Of one verdict, every ask a new one."""
    model = shipped()
    started = time.process_time()
    for n in range(TIMED):
        one = asked[n % len(asked)].example
        verdict(one.ask, one.schema, model)
    return (time.process_time() - started) / TIMED * 1000
