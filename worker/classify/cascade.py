"""The cascade: who says which task type an ask is, from the cheapest to the dearest.

The user's word, sure rules, the learned model; the local language model only where those are not
sure enough (`classifier.sure`). They look at the ask and at the form of its answer. None of them is
shown a document: what stands in a document can change neither its routing nor its policy.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.words import Finder, TaskType
from worker.classify.learned import TASKS, Learned
from worker.classify.rules import sure_rule

MODEL_RIGHT = 0.45
"""How often a language model is right where it is asked: the embedded one, plainly asked, on public
asks. It is the weakest that there is, so others are trusted too little rather than too much."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which task type an ask is, and who said so."""

    task: TaskType
    found_by: Finder
    confidence: float | None = None
    """How likely it is right, 0 to 1; None: nobody can say."""
    version: str | None = None
    """Of the rules, of the learned model or of the prompt."""


def found_at_once(
    task: TaskType | None,
    ask: str,
    schema: Mapping[str, Any] | None,
    learned: Learned,
    sure: float,
) -> Verdict | None:
    """What needs no language model: the user's word, or a verdict that is likely enough right."""
    if task is not None:
        return Verdict(task, Finder.USER)
    found = verdict(ask, schema, learned)
    return found if (found.confidence or 0.0) >= sure else None


def verdict(ask: str, schema: Mapping[str, Any] | None, learned: Learned) -> Verdict:
    """What is found without a call: by a rule where one is sure, else by the learned model."""
    if (ruled := sure_rule(ask, schema)) is not None:
        return Verdict(ruled.task, Finder.RULE, ruled.right, ruled.name)
    return likeliest(learned.probabilities(ask, schema), learned.version)


def likeliest(shares: Mapping[TaskType, float], version: str) -> Verdict:
    """What the learned model says, in one word."""
    task = max(TASKS, key=shares.__getitem__)
    return Verdict(task, Finder.LEARNED, shares[task], version)


def confidence(said: TaskType, shares: Mapping[TaskType, float]) -> float:
    """How likely a language model's word is right, given what the learned model thinks of it.

    Bayes' rule: a model that is right MODEL_RIGHT of the time errs evenly, and knows nothing of
    what the learned one has found.
    """
    wrong = (1 - MODEL_RIGHT) / (len(TASKS) - 1)
    agreed = shares[said] * MODEL_RIGHT
    return agreed / (agreed + (1 - shares[said]) * wrong)
