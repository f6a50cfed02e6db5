"""Classifier: how right the cascade is on this installation's asks, and a model of its own.

`ship` makes the model that travels with the product, from asks of our own.
"""

import hashlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from models.config import ClassifierConfig
from models.configuration import proposed
from models.words import Finder, TaskType
from worker.classify.asks import Example, own_asks
from worker.classify.cascade import likeliest, verdict
from worker.classify.figures import Figures, Said, figures
from worker.classify.learned import pack, shipped, unpack
from worker.classify.rules import sure_rule
from worker.classify.train import Judged, cross_validated, fit, seen, shares_of, trust
from worker.db import Row, fetch, one_connection
from worker.jsonb import dumps

SEED = 1
LIKELY = 0.8
"""A language model's word counts as settled from here on."""
FEWEST = 50
"""Fewer asks than these say nothing about a model that has learned from them."""
WEIGHT = 3
"""How much more an installation's ask counts than one of ours."""
BLOCK = 1_000
SHIPPED = Path(str(resources.files("worker.classify").joinpath("learned.bin")))


@dataclass(frozen=True, slots=True)
class Trained:
    """A model that was trained, and what it says of asks that it had not seen."""

    packed: bytes
    said: list[Said]


def report() -> int:
    """Print how right the product's model is on the asks that are settled here, and how right this
    installation's own was when it was trained."""
    sure = proposed().classifier.sure
    with one_connection() as connection:
        asks, own = list(settled(connection)), fetch(connection, "classify/newest_learned_model")
    if asks:
        _print(
            f"the product's model {shipped().version} on your {len(asks)} settled asks",
            _measured(asks, sure),
        )
    else:
        sys.stdout.write("no ask of this installation is settled yet: nothing to measure on\n")
    for row in own:
        figure = "".join(
            f"  {key.replace('_', ' ')}: {value:.3g}\n" for key, value in row["report"].items()
        )
        sys.stdout.write(
            f"your own model {row['version']}, which counts: when it was trained, on asks that it "
            f"had not seen\n{figure}"
        )
    return 0


def train() -> int:
    """Make this installation's own model and keep it, where it is no worse than the product's."""
    sure = proposed().classifier.sure
    with one_connection() as connection:
        asks = list(settled(connection))
        if len(asks) < FEWEST:
            sys.stdout.write(
                f"{len(asks)} asks are settled here, {FEWEST} are needed to learn from: nothing "
                f"is changed. Asks with a --task count once they are answered.\n"
            )
            return 1
        before, made = _measured(asks, sure), trained(asks)
        after, new = figures(made.said, sure), unpack(made.packed)
        _print(f"the product's model {shipped().version}", before)
        _print(f"a new model {new.version}, each ask judged without having seen it", after)
        if after.right.hits < before.right.hits:
            sys.stdout.write("it is right less often: nothing is changed\n")
            return 1
        params = {"version": new.version, "weights": made.packed, "report": Jsonb(_row(after))}
        fetch(connection, "classify/keep_learned_model", **params)
    sys.stdout.write("it counts from now on, for what is read next\n")
    return 0


def ship() -> int:
    """Train the product's model, and print how it does on templates that it has not seen."""
    examples = seen(own_asks(SEED))
    judged = list(cross_validated(examples, SEED))
    scale = trust(judged)
    about = {"asks": len(examples), "seed": SEED, "templates": templates_digest()}
    SHIPPED.write_bytes(pack(fit(examples, SEED), scale, about))
    sure = ClassifierConfig.model_fields["sure"].default
    found = figures([said_of(one, scale) for one in judged], sure)
    _print("asks of our own, templates left out in turn", found)
    sys.stdout.write(f"{SHIPPED.name}: {SHIPPED.stat().st_size:,} bytes, scale {scale}\n")
    return 0


def templates_digest() -> str:
    """Of what the shipped model was trained on: where that changes it is to be trained anew."""
    source = resources.files("worker.classify").joinpath("asks.yaml").read_bytes()
    return hashlib.sha256(source).hexdigest()[:12]


def trained(asks: Sequence[Example]) -> Trained:
    """A model of our asks and these, with what was said of each of these by one that had not seen
    it."""
    ours, theirs = seen(own_asks(SEED)), seen(asks, WEIGHT)
    judged = list(cross_validated(theirs, SEED, always=ours))
    scale = trust(judged)
    about = {"asks": len(ours), "settled": len(theirs), "seed": SEED}
    return Trained(
        pack(fit([*ours, *theirs], SEED), scale, about), [said_of(one, scale) for one in judged]
    )


def said_of(one: Judged, scale: float) -> Said:
    """The cascade's verdict: rules come before what was learned."""
    ask = one.example
    if (rule := sure_rule(ask.ask, ask.schema)) is not None:
        return Said(rule.task, rule.right, ask.task)
    found = likeliest(shares_of(one, scale), "")
    return Said(found.task, found.confidence or 0.0, ask.task)


def _measured(asks: Sequence[Example], sure: float) -> Figures:
    """Of the product's model: it has seen none of them."""
    found = [(verdict(one.ask, one.schema, shipped()), one.task) for one in asks]
    return figures([Said(v.task, v.confidence or 0.0, task) for v, task in found], sure)


def settled(connection: "psycopg.Connection[Row]") -> Iterator[Example]:
    """The asks of this installation whose task is settled, each once: by its user's last word, else
    by the language model's."""
    found: dict[tuple[str, bytes], Example] = {}
    after = 0
    while rows := fetch(connection, "classify/settled", after=after, most=BLOCK, likely=LIKELY):
        after = rows[-1]["id"]
        for row in rows:
            key = (row["text"], dumps(row["json_schema"]))
            if row["task"] is not None and (row["found_by"] == Finder.USER or key not in found):
                task = TaskType(row["task"])
                found[key] = Example(row["text"], row["json_schema"], task, row["text"].lower())
    yield from found.values()


def _print(title: str, found: Figures) -> None:
    sys.stdout.write(
        f"{title}\n"
        f"  right                         {found.right}\n"
        f"  sure, without a language model {found.sure}\n"
        f"  right where it is sure        {found.sure_right}\n"
        f"  calibration error             {found.calibration_error:.3f}\n"
    )


def _row(found: Figures) -> dict[str, Any]:
    return {
        "asks": found.right.n,
        "right": found.right.value,
        "sure": found.sure.value,
        "sure_right": found.sure_right.value,
        "calibration_error": found.calibration_error,
    }
