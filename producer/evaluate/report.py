"""What both doors show of evals: their figures, what follows from them, what changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from models.configuration import Configuration, current
from models.errors import InputError
from models.shares import Share, share
from producer.evaluate import QUALITY
from producer.evaluate.choose import Choice, Volume, choose, saving, smallest_first, tasks_table
from producer.evaluate.escalation import Escalation, escalations
from producer.evaluate.figures import Figures, Score, compared, unanswered
from producer.evaluate.run import evals, is_ready, scores, volumes
from producer.evaluate.stats import Difference, difference
from producer.query import Row, moment


@dataclass(frozen=True, slots=True)
class Report:
    """An eval with all that is said of it."""

    about: Row
    figures: list[Figures]
    """Task by task, the smallest model first."""
    left_out: int
    """Texts that not every model was asked, or has answered."""
    choices: list[Choice]
    savings: dict[str, Decimal | None]
    """USD a year by task; None: not known."""
    volumes: dict[str, Volume]
    """What each task takes at present."""
    quality: float
    escalations: list[Escalation]
    """What each model comes to with a larger one behind it."""
    table: str
    """The [tasks] tables of docmill.toml that use the chosen models."""

    def as_json(self) -> list[dict[str, Any]]:
        """What `eval --json` prints: an object for each model and task."""
        return [
            {
                **one.as_json(),
                "escalation": [
                    each.as_json()
                    for each in self.escalations
                    if (each.task, each.first) == (one.task, one.place)
                ],
            }
            for one in self.figures
        ]

    @property
    def tasks(self) -> list[str]:
        """The tasks that were measured."""
        return list(dict.fromkeys(one.task for one in self.figures))


def report(number: int, quality: float = QUALITY) -> Report:
    """All that is said of an eval; its answers are compared now where they were not yet. Raises
    NotFound, InputError where it is not over."""
    every = scores(number)
    found, left_out = compared(every)
    known = _configuration()
    ordered = smallest_first(found, known.config)
    figures = sorted(ordered, key=lambda one: one.task)
    places = list(dict.fromkeys(one.place for one in ordered))
    cap = known.config.escalation.share
    [about] = listed(number)
    silent = unanswered(every, about["places"])
    choices, now = choose(figures, known.config, quality, silent), volumes()
    return Report(
        about,
        figures,
        left_out,
        choices,
        {c.task: saving(c, figures, known.config, now.get(c.task)) for c in choices},
        now,
        quality,
        list(escalations(every, places, cap)),
        f"# eval {number} of {about['kind']} {about['source']}, {about['created_at'][:10]}\n"
        + tasks_table(choices, known.file),
    )


def _configuration() -> Configuration:
    known = current()
    assert known is not None  # an eval's batch refers to one
    return known


def listed(number: int | None = None) -> list[dict[str, Any]]:
    """Every eval, newest first, or one of them, as both doors show it. Raises NotFound."""
    return [
        {
            **row,
            "created_at": moment(row["created_at"]),
            "scored_at": moment(row["scored_at"]),
            "ready": is_ready(row),
        }
        for row in evals(number)
    ]


@dataclass(frozen=True, slots=True)
class Change:
    """How right a model was in two evals, and on the texts that both asked."""

    task: str
    place: str
    before: Share
    after: Share
    paired: Difference

    def as_json(self) -> dict[str, Any]:
        """The object that `eval compare --json` prints."""
        low, high = self.paired.interval
        return {
            "task": self.task,
            "model": self.place,
            "before": self.before.value,
            "after": self.after.value,
            "n_before": self.before.n,
            "n_after": self.after.n,
            "n_both": self.paired.n,
            "difference": self.paired.value,
            "low": low,
            "high": high,
            "p": self.paired.p,
        }


def changes(before: int, after: int) -> list[Change]:
    """What changed between two evals, for each model that both measured. Raises NotFound,
    InputError where there is none."""
    old, new = _by_model(scores(before)), _by_model(scores(after))
    shared = [each for each in old if each in new]
    if not shared:
        raise InputError(f"no model was measured at the same task in evals {before} and {after}")
    return [_change(task, place, old[task, place], new[task, place]) for task, place in shared]


def _by_model(found: Sequence[Score]) -> dict[tuple[str, str], dict[bytes, bool]]:
    models: dict[tuple[str, str], dict[bytes, bool]] = {}
    for score in found:
        models.setdefault((score.task, score.place), {})[score.key] = score.is_right
    return models


def _change(task: str, place: str, old: dict[bytes, bool], new: dict[bytes, bool]) -> Change:
    both = [(new[key], old[key]) for key in old if key in new]
    return Change(task, place, share(old.values()), share(new.values()), difference(both))
