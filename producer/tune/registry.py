"""The registry: models that were tuned, from what, on what, how good they are, who serves them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from psycopg.types.json import Jsonb

from models.adapter import digest_of
from models.configuration import applied
from models.engines import EmbeddedConfig
from models.errors import InputError, NotFound
from models.shares import share
from producer.evaluate.figures import Score
from producer.evaluate.stats import Difference, difference
from producer.query import Row, engines, every, moment, one
from producer.tune.export import MANIFEST

ADAPTER, TRAINING = "adapter.gguf", "training.json"
"""Files of a folder that `docmill tune train` wrote."""

CHANCE = 0.05
"""A difference that is less likely by chance is one."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a tuned model comes from, as far as its folders tell."""

    base_digest: str | None = None
    data_hash: str | None = None
    adapter_hash: str | None = None
    prompts: Mapping[str, str] | None = None
    """Version by task of the prompts that it was trained on."""


def origin(training: Path | None, pairs: Path | None) -> Origin:
    """What the folders of a training and of its pairs say. Raises InputError where one is neither,
    or where the training was on other pairs."""
    told = {} if training is None else read_told(training / TRAINING)
    manifest = {} if pairs is None else read_told(pairs / MANIFEST)
    data, trained_on = manifest.get("data_hash"), told.get("pairs_sha256")
    if data and trained_on and data != trained_on:
        raise InputError(f"{training} was trained on other pairs than those of {pairs}")
    adapter = training / ADAPTER if training is not None else None
    return Origin(
        told.get("base_sha256"),
        trained_on or data,
        digest_of(adapter) if adapter and adapter.exists() else None,
        manifest.get("versions"),
    )


def read_told(path: Path) -> dict[str, Any]:
    """What a file of a training or of its pairs says. Raises InputError."""
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as exc:
        raise InputError(f"{path} cannot be read: {exc}") from exc
    return found


def refuse_other_file(place: str, found: Origin) -> None:
    """Raises InputError where the embedded engine serves another adapter than the one that is to be
    measured: the served file counts, not the one that lies in a folder."""
    engine = applied().config.engines.get(place.partition("/")[0])
    if not isinstance(engine, EmbeddedConfig) or found.adapter_hash is None:
        return
    if engine.adapter_digest != found.adapter_hash:
        raise InputError(
            f"{place}: the engine serves another adapter ({engine.adapter_digest[:8] or 'none'}) "
            f"than that of the training ({found.adapter_hash[:8]}); set `adapter` in docmill.toml "
            "and `docmill config apply`"
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """A tuned model beside its base, task by task, on the same texts."""

    tasks: Mapping[str, Difference]

    @property
    def better(self) -> bool:
        """Whether it is right more often at some task beyond chance, and less often at none."""
        apart = [one.value for one in self.tasks.values() if one.p < CHANCE]
        return bool(apart) and min(apart) > 0


def verdict(scores: Sequence[Score], base: str, tuned: str) -> Verdict:
    """Compare two of the models of an eval. Raises InputError where it did not ask both."""
    rights: dict[tuple[str, str], dict[bytes, bool]] = {}
    for score in scores:
        rights.setdefault((score.task, score.place), {})[score.key] = score.is_right
    found = {}
    for task in sorted({score.task for score in scores}):
        old, new = rights.get((task, base), {}), rights.get((task, tuned), {})
        if both := [(new[key], old[key]) for key in old if key in new]:
            found[task] = difference(both)
    if not found:
        raise InputError(f"no text was answered by both {base} and {tuned}")
    return Verdict(found)


def shares(scores: Sequence[Score]) -> dict[str, dict[str, Any]]:
    """How right each model was at each task, with 95 % intervals."""
    found: dict[str, dict[str, Any]] = {}
    for task, place in dict.fromkeys((score.task, score.place) for score in scores):
        right = share(s.is_right for s in scores if (s.task, s.place) == (task, place))
        said = {"right": right.hits, "n": right.n, "low": right.low, "high": right.high}
        found.setdefault(task, {})[place] = said
    return found


def register(
    number: int, base: str, tuned: str, scores: Sequence[Score], found: Origin
) -> tuple[int, Verdict]:
    """Keep what an eval said of a tuned model; its number in the registry, and the verdict."""
    judged = verdict(scores, base, tuned)
    versions = {"docmill": version("docmill"), "prompts": dict(found.prompts or {})}
    row = one(
        "tuned_add",
        place=tuned,
        base=base,
        base_digest=found.base_digest,
        data_hash=found.data_hash,
        adapter_hash=found.adapter_hash or _served_digest(tuned),
        versions=Jsonb(versions),
        eval=number,
        scores=Jsonb(shares(scores)),
        better=judged.better,
    )
    assert row is not None
    return int(row["id"]), judged


def _served_digest(place: str) -> str | None:
    """Of the adapter behind an embedded engine's place."""
    name, _, model = place.partition("/")
    engine = applied().config.engines.get(name)
    if not isinstance(engine, EmbeddedConfig) or model != engine.served:
        return None
    return engine.adapter_digest or None


def models(most: int = 1_000) -> list[dict[str, Any]]:
    """Every tuned model, newest first, and the addresses of the engines that serve it now."""
    served = {f"{row['engine']}/{row['model']}": row["addresses"] for row in engines()}
    return [
        {
            **row,
            "served_at": moment(row["served_at"]),
            "created_at": moment(row["created_at"]),
            "served_by": served.get(row["place"], []),
        }
        for row in every("tuned_models", adapter=None, most=most)
    ]


def of_adapter(digest: str) -> Row | None:
    """What is known of the adapter of this file, newest first; None: it was not measured yet."""
    return next(iter(every("tuned_models", adapter=digest, most=1)), None)


def serve(number: int, *, anyway: bool) -> None:
    """Note that a model is served; `anyway`: although it is not better. Raises NotFound."""
    if one("tuned_serve", model=number, anyway=anyway) is None:
        raise NotFound(f"there is no tuned model {number}; `docmill models` shows those that are")
