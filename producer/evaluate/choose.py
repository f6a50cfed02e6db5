"""Which model is small and good enough for a task, the [tasks] table that says so, and what it
saves. Pure.

Which of two models is smaller is decided by what is known of them: one in the building is smaller
than one at the frontier. In the building the number of parameters counts that the model's name
says (or that it has where no tag is said); at the frontier what an answer cost. Where neither is
known, the one that was named first is smaller.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from math import inf
from typing import Any

from models.config import Config
from models.words import TaskType, Zone
from producer.evaluate import QUALITY
from producer.evaluate.candidates import Candidate, candidate
from producer.evaluate.figures import THEN, Figures

DAYS_OF_A_YEAR = 365

NOBODY: Mapping[str, Sequence[str]] = {}
"""No place of any task."""

_PARAMETERS = re.compile(r"(?<![a-z0-9.])(?:(\d+)x)?(\d+(?:\.\d+)?)([bm])(?![a-z0-9])")

_BILLIONS_OF = {
    "gemma3": 4.0,
    "llama3.1": 8.0,
    "llama3.2": 3.0,
    "llama3.3": 70.0,
    "mistral": 7.0,
    "mistral-small": 24.0,
    "phi4": 14.0,
    "phi4-mini": 3.8,
    "qwen2.5": 7.0,
    "qwen3": 8.0,
}
"""What Ollama's library loads under a name without a tag, in billions of parameters."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The model that a task is given, and why."""

    task: str
    chosen: Figures | None
    """None: what was answered then is better than all that may be chosen, or some answered
    nothing."""
    best: Figures
    bar: float
    """The accuracy that the chosen one's lower bound has to reach."""
    unanswered: Sequence[str] = ()
    """Places that answered nothing: as long as there are such, none is chosen."""

    @property
    def is_enough(self) -> bool:
        """Whether it reaches the bar; else it is simply the best."""
        return self.chosen is not None and self.chosen.right.low >= self.bar


@dataclass(frozen=True, slots=True)
class Volume:
    """What a task takes at present, by the ledger."""

    jobs: int
    days: float
    """In which those were answered: 30, or as many as there are since the first batch."""
    cost_usd: Decimal | None
    """Of all of them; None: not known of one."""

    @property
    def jobs_per_year(self) -> float:
        """If it goes on so."""
        return self.jobs * DAYS_OF_A_YEAR / self.days


def billions(model: str) -> float | None:
    """How many billions of parameters a model has, by its name; None: it does not say."""
    name = model.lower()
    if match := _PARAMETERS.search(name):
        experts, number, scale = int(match[1] or 1), float(match[2]), match[3]
        return experts * number / (1000 if scale == "m" else 1)
    return _BILLIONS_OF.get(name.rpartition("/")[2].partition(":")[0])


def smallest_first(found: Iterable[Figures], config: Config) -> list[Figures]:
    """Models in the order of their size; of what is unknown the order stays as it is."""

    def size(one: Figures) -> tuple[bool, float]:
        engine, _, model = candidate(one.place).place.partition("/")
        known = config.engines.get(engine)
        if known is not None and known.zone is Zone.LOCAL:
            parameters = billions(model)
            return False, inf if parameters is None else parameters
        return True, inf if one.usd_per_answer is None else float(one.usd_per_answer)

    return sorted(found, key=size)


def choose(
    found: Sequence[Figures],
    config: Config,
    quality: float = QUALITY,
    unanswered: Mapping[str, Sequence[str]] = NOBODY,
) -> list[Choice]:
    """For each task the smallest model whose lower bound is `quality` of the best accuracy, else
    the best; none where places answered nothing."""
    choices = [
        _choice(task, [one for one in found if one.task == task], config, quality)
        for task in dict.fromkeys(one.task for one in found)
    ]
    return [
        replace(each, chosen=None, unanswered=unanswered[each.task])
        if each.task in unanswered
        else each
        for each in choices
    ]


def _choice(task: str, found: Sequence[Figures], config: Config, quality: float) -> Choice:
    candidates = smallest_first((one for one in found if one.place != THEN), config)
    then = [one for one in found if one.place == THEN]
    best = max([*candidates, *then], key=lambda one: one.right.value)  # of equals the smallest
    bar = quality * best.right.value
    enough = (one for one in candidates if one.right.low >= bar)
    return Choice(task, next(enough, None if best in then else best), best, bar)


def saving(
    choice: Choice, found: Sequence[Figures], config: Config, volume: Volume | None
) -> Decimal | None:
    """USD a year that a choice saves, at the volume of today; None: not known.

    Against what answers the task now: as measured here where it is among the models, on the same
    texts, else by the ledger.
    """
    if choice.chosen is None or volume is None or not volume.jobs:
        return None
    today = config.task(TaskType(choice.task))
    now = [one for one in found if (one.task, one.place) == (choice.task, _place(today))]
    by_ledger = None if volume.cost_usd is None else volume.cost_usd / volume.jobs
    costs = now[0].usd_per_answer if now else by_ledger
    if costs is None or choice.chosen.usd_per_answer is None:
        return None
    return (costs - choice.chosen.usd_per_answer) * Decimal(volume.jobs_per_year)


def _place(task: Any) -> str:
    return f"{task.engine}/{task.model}"


def tasks_table(choices: Iterable[Choice], file: Mapping[str, Any]) -> str:
    """The [tasks] tables of docmill.toml with the models that were chosen; `file` is what it says
    now: what it says of a task besides stays."""
    return "\n".join(
        _table(choice, file.get("tasks", {}).get(choice.task, {})) for choice in choices
    )


def _asked_so(task: str, how: Candidate) -> Iterator[str]:
    """What else it takes, which no table of docmill.toml says."""
    if how.prompt is not None:
        yield f"# asked with `docmill prompts promote {task} {how.prompt}`"
    if how.examples:
        yield f"# asked with `examples: {{gold: NAME, most: {how.examples}}}` in the spec"


def _table(choice: Choice, said: Mapping[str, Any]) -> str:
    best = f"the best: {choice.best.place} {choice.best.right.value:.3f}"
    if choice.unanswered:
        silent = ", ".join(choice.unanswered)
        return f"# {choice.task}: no choice, for these answered nothing: {silent}\n"
    if choice.chosen is None:
        return f"# {choice.task}: no model is as good as what was answered ({best}); it stays\n"
    right, how = choice.chosen.right, candidate(choice.chosen.place)
    engine, _, model = how.place.partition("/")
    onward = said.get("escalate", [])
    steps = [onward] if isinstance(onward, str) else onward
    kept = [step for step in steps if step not in (engine, how.place)]
    rest = {key: value for key, value in said.items() if key not in ("engine", "model", "escalate")}
    lines = {"engine": engine, "model": model, **rest, **({"escalate": kept} if kept else {})}
    why = "good enough" if choice.is_enough else "none is good enough for sure: the best"
    return "\n".join(
        [
            f"# {right.value:.3f} [{right.low:.3f}, {right.high:.3f}] of {right.n}; {best}; {why}",
            *_asked_so(choice.task, how),
            f"[tasks.{choice.task}]",
            *(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in lines.items()),
            "",
        ]
    )
