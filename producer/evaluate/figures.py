"""From scores of single answers to what is said of a model. Pure."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from models.shares import Share, share
from producer.evaluate.stats import Difference, difference, percentile
from producer.query import money

THEN = "answered then"
"""In place of a model: what a replayed batch was answered at its time."""

UNKNOWN_LANGUAGE = "unknown"


@dataclass(frozen=True, slots=True)
class Score:
    """How right one answer to one text is, and what it took."""

    place: str
    """ENGINE/MODEL, or THEN."""
    key: bytes
    """Equal for the same question about the same text."""
    task: str
    is_right: bool
    """Every field of it."""
    fields: Mapping[str, bool]
    language: str | None = None
    sure: int = 0
    """Values that the checks call sure; `unsure` are those to check."""
    unsure: int = 0
    wrong: int = 0
    cost_usd: Decimal | None = None
    """None: not known."""
    latency_ms: int | None = None
    output_tokens: int | None = None
    engine_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """What is known of a model at a task."""

    place: str
    task: str
    right: Share
    """Of answers of which every field is right."""
    sure: int
    unsure: int
    wrong: int
    cost_usd: Decimal | None
    """Of all its answers; None: not known of one of them."""
    p50_ms: float | None
    p95_ms: float | None
    tokens_per_s: float | None
    fields: Mapping[str, Share]
    languages: Mapping[str, Share]
    against_best: Difference | None
    """To the model that is right most often; None: it is that one."""

    @property
    def usd_per_answer(self) -> Decimal | None:
        """What an answer costs on average."""
        return None if self.cost_usd is None else self.cost_usd / self.right.n

    @property
    def usd_per_right(self) -> Decimal | None:
        """What a right answer costs; None: that is not known, or there is none."""
        if self.cost_usd is None or not self.right.hits:
            return None
        return self.cost_usd / self.right.hits

    def as_json(self) -> dict[str, Any]:
        """The object that `eval --json` prints."""
        against, per_answer = self.against_best, self.usd_per_answer
        return {
            "model": self.place,
            "task": self.task,
            "n": self.right.n,
            "right": self.right.hits,
            "accuracy": self.right.value,
            "low": self.right.low,
            "high": self.right.high,
            "sure": self.sure,
            "check": self.unsure,
            "wrong": self.wrong,
            "cost_usd": money(self.cost_usd),
            "usd_per_1000": money(rounded(None if per_answer is None else 1000 * per_answer)),
            "usd_per_right": money(rounded(self.usd_per_right)),
            "p50_ms": self.p50_ms,
            "p95_ms": self.p95_ms,
            "tokens_per_s": self.tokens_per_s,
            "fields": {name: _share_json(each) for name, each in self.fields.items()},
            "languages": {name: _share_json(each) for name, each in self.languages.items()},
            "against_best": None if against is None else {
                "difference": against.value,
                "low": against.interval[0],
                "high": against.interval[1],
                "p": against.p,
            },
        }  # fmt: skip


def rounded(usd: Decimal | None) -> Decimal | None:
    """An amount as it is printed."""
    return None if usd is None else usd.quantize(Decimal("1E-10"))


def _share_json(found: Share) -> dict[str, Any]:
    more = {"accuracy": found.value, "low": found.low, "high": found.high}
    return {"n": found.n, "right": found.hits, **more}


def compared(scores: Iterable[Score]) -> tuple[list[Figures], int]:
    """The figures of each model at each task, in the order of tasks and then of scores, over the
    texts that all of them were asked; and how many texts were left out for that."""
    every = list(scores)
    by_task: dict[str, dict[str, dict[bytes, Score]]] = defaultdict(lambda: defaultdict(dict))
    for score in every:
        by_task[score.task][score.place][score.key] = score
    found: list[Figures] = []
    left_out = 0
    for task in sorted(by_task):
        asked = by_task[task]
        known = set.union(*(set(each) for each in asked.values()))
        common = sorted(set.intersection(*(set(each) for each in asked.values())))
        left_out += len(known) - len(common)
        if common:
            found += _of_task(task, {
                place: [each[key] for key in common] for place, each in asked.items()
            })  # fmt: skip
    return found, left_out


def unanswered(scores: Iterable[Score], places: Sequence[str]) -> dict[str, list[str]]:
    """By task the places that were asked and have answered nothing: nobody can say of them what the
    figures of the others say."""
    said: dict[str, set[str]] = defaultdict(set)
    for score in scores:
        said[score.task].add(score.place)
    missing = {task: [one for one in places if one not in said[task]] for task in sorted(said)}
    return {task: found for task, found in missing.items() if found}


def _of_task(task: str, asked: Mapping[str, Sequence[Score]]) -> list[Figures]:
    rights = {place: [score.is_right for score in found] for place, found in asked.items()}
    best = max(rights, key=lambda place: sum(rights[place]))
    return [
        _figures(task, place, found, None if place == best else difference(
            zip(rights[place], rights[best], strict=True)
        ))
        for place, found in asked.items()
    ]  # fmt: skip


def _figures(task: str, place: str, found: Sequence[Score], against: Difference | None) -> Figures:
    latencies = [float(score.latency_ms) for score in found if score.latency_ms is not None]
    costs = [score.cost_usd for score in found if score.cost_usd is not None]
    return Figures(
        place,
        task,
        share(score.is_right for score in found),
        sum(score.sure for score in found),
        sum(score.unsure for score in found),
        sum(score.wrong for score in found),
        sum(costs, Decimal(0)) if len(costs) == len(found) else None,
        percentile(latencies, 0.5),
        percentile(latencies, 0.95),
        _speed(found),
        _fields(found),
        _by(found, lambda score: score.language or UNKNOWN_LANGUAGE),
        against,
    )


def _fields(found: Sequence[Score]) -> dict[str, Share]:
    names = dict.fromkeys(name for score in found for name in score.fields)
    return {
        name: share(score.fields[name] for score in found if name in score.fields) for name in names
    }


def _by(found: Sequence[Score], of: Callable[[Score], str]) -> dict[str, Share]:
    groups: dict[str, list[bool]] = defaultdict(list)
    for score in found:
        groups[of(score)].append(score.is_right)
    return {name: share(groups[name]) for name in sorted(groups)}


def _speed(found: Sequence[Score]) -> float | None:
    """Tokens of answers a second: by the engine's own clock where it has one, else by the wait."""
    tokens = seconds = 0.0
    for score in found:
        took = score.engine_seconds
        if took is None and score.latency_ms is not None:
            took = score.latency_ms / 1000
        if took is not None and score.output_tokens is not None:
            tokens += score.output_tokens
            seconds += took
    return round(tokens / seconds, 1) if seconds else None
