"""The learned step: a linear model over an ask's features, small enough to travel with the package.

A file of it is a line of JSON (what it was made for and how) and then one signed byte for each task
and bucket.
"""

import hashlib
import json
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from math import exp, sqrt
from typing import Any

from models.errors import DocmillError
from models.words import TaskType
from worker.classify.features import BUCKETS, REVISION, features

TASKS = tuple(TaskType)

Probabilities = Mapping[TaskType, float]


@dataclass(frozen=True, slots=True)
class Learned:
    """Weights of each task's buckets, and what a step of them is worth."""

    weights: tuple[Sequence[float], ...]
    """One row for each of TASKS."""
    scale: float
    """Of the weights, over the temperature: how far scores may be trusted as probabilities."""
    version: str
    trained: Mapping[str, Any]
    """What it was trained on, for people."""

    def probabilities(self, ask: str, schema: Mapping[str, Any] | None) -> dict[TaskType, float]:
        """How likely an ask is of each task; they sum up to 1."""
        return dict(
            zip(
                TASKS, softmax(scores(self.weights, features(ask, schema), self.scale)), strict=True
            )
        )


def scores(weights: Iterable[Sequence[float]], found: Sequence[int], scale: float) -> list[float]:
    """What speaks for each task. A long ask has more features, not more to say."""
    length = scale / sqrt(len(found) or 1)
    return [length * sum(map(row.__getitem__, found)) for row in weights]


def softmax(values: Sequence[float]) -> list[float]:
    """Shares of 1."""
    most = max(values)
    powers = [exp(value - most) for value in values]
    total = sum(powers)
    return [power / total for power in powers]


def pack(weights: Sequence[Sequence[float]], scale: float, trained: Mapping[str, Any]) -> bytes:
    """A model as a file. Weights keep a 127th of the largest."""
    most = max(abs(weight) for row in weights for weight in row) or 1.0
    head = {
        "features": REVISION,
        "tasks": list(TASKS),
        "buckets": BUCKETS,
        "scale": scale * most / 127,
        "trained": trained,
    }
    body = array("b", [round(weight / most * 127) for row in weights for weight in row])
    return json.dumps(head, sort_keys=True).encode() + b"\n" + body.tobytes()


def unpack(packed: bytes) -> Learned:
    """A model from its file. Raises DocmillError where this version cannot read it."""
    line, _, body = packed.partition(b"\n")
    try:
        head = json.loads(line)
        fits = (head["features"], head["tasks"], head["buckets"]) == (REVISION, [*TASKS], BUCKETS)
    except (ValueError, KeyError, TypeError) as exc:
        raise DocmillError("not a classifier's file") from exc
    if not fits or len(body) != BUCKETS * len(TASKS):
        raise DocmillError("this classifier was made for another version; train it anew")
    flat = array("b", body)
    rows = tuple(flat[n * BUCKETS : (n + 1) * BUCKETS] for n in range(len(TASKS)))
    return Learned(rows, head["scale"], hashlib.sha256(packed).hexdigest()[:8], head["trained"])


@cache
def shipped() -> Learned:
    """The model that comes with the product."""
    return unpack(resources.files(__package__).joinpath("learned.bin").read_bytes())
