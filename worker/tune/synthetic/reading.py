"""Papers to be read: which fields are asked for, under which names and in which words."""

import re
from collections.abc import Sequence
from typing import Any

from models.spec import fields_schema
from models.words import TaskType
from worker.tune.synthetic.lot import Lot, listed, table
from worker.tune.synthetic.papers import PAPERS, Paper
from worker.tune.synthetic.task import Task

ABSENT = 0.28
"""Share of asked fields that the text does not have: a model that never meets one makes one up."""

ASKS = (
    "Find {fields}.",
    "Extract {fields}.",
    "Get {fields} from the text.",
    "Read out {fields}.",
    "What are {fields}?",
    "Give me {fields}.",
    "Copy {fields} from this document.",
    "I need {fields}.",
    "Pull out {fields}, exactly as written.",
    "Look for {fields}. Leave out what is not there.",
    "List {fields}",
    "{fields}",
    "Note down {fields} for our books.",
    "इस दस्तावेज़ से {fields} निकालिए।",
)
VAGUE = (
    "Read the fields.",
    "Extract the data.",
    "Fill in the form from this document.",
    "What does the paper say?",
    "Capture the details.",
    "Key facts, please.",
    "जानकारी निकालिए।",
)


def reading(lot: Lot) -> Task:
    """A paper, some of its facts, and fields that it does not have."""
    make = lot.choices(list(PAPERS), list(PAPERS.values()))[0]
    paper = make(lot)
    named = _names(lot, _asked(lot, paper))
    answer = {key: paper.facts.get(fact) for fact, key in named.items()}
    if lot.odds(0.04):
        return _open(lot, paper)
    keys = tuple(named.values())
    return Task(TaskType.EXTRACTION, _ask(lot, named), _schema(lot, keys), paper.text, answer)


def _asked(lot: Lot, paper: Paper) -> list[str]:
    """Facts, and so many absent ones that ABSENT of all fields are so on average."""
    there = lot.some(sorted(paper.facts), 1, lot.choice((2, 3, 4, 4, 6)))
    near = {fact for group in ALIKE if group & paper.facts.keys() for fact in group}
    others = sorted(set(table("fields")) - set(paper.facts) - near - VAGUE_FIELDS)
    gone = sum(lot.odds(ABSENT / (1 - ABSENT)) for _ in there) if there else 1
    asked = there + lot.sample(others, gone)
    lot.shuffle(asked)
    return asked


VAGUE_FIELDS = frozenset({"value", "item", "measure", "event", "party", "reason"})
"""What nearly any paper could be said to have."""
ALIKE = (
    {"vendor", "authority", "lessor", "sender", "doctor"},
    {"buyer", "lessee", "patient"},
    {"due", "deadline", "end"},
    {"date", "start"},
    {"total", "refund", "clause_money", "fee", "value", "salary"},
    {"clause_period", "hours", "experience"},
    {"number", "order", "meter", "clause", "account"},
    {"address", "place"},
    {"units", "value"},
)
"""Fields of which one could be taken for another: none is called absent where the other stands."""


def _names(lot: Lot, facts: Sequence[str]) -> dict[str, str]:
    """A key for each fact, none twice, all in one style."""
    named: dict[str, str] = {}
    for fact in facts:
        free = [key for key in table("fields")[fact]["keys"] if key not in named.values()]
        if free:
            named[fact] = lot.choice(free)
    return {fact: key for fact, key in named.items() if re.fullmatch(r"\w+", key)}


def _ask(lot: Lot, named: dict[str, str]) -> str:
    if lot.odds(0.2):
        return lot.choice(VAGUE)
    as_keys = lot.odds(0.3)
    words = [
        key.replace("_", " ") if as_keys else lot.choice(table("fields")[fact]["words"])
        for fact, key in named.items()
    ]
    if lot.odds(0.15):
        lot.shuffle(words)
    ask = lot.choice(ASKS).format(fields=lot.choice((listed(words), ", ".join(words))))
    return ask if lot.odds(0.15) else ask[0].upper() + ask[1:]


def _schema(lot: Lot, keys: tuple[str, ...]) -> dict[str, Any]:
    """As `fields` of an ask are made into one; now and then with descriptions."""
    schema = fields_schema(keys)
    if lot.odds(0.1):
        for key, value in schema["properties"].items():
            value["description"] = f"{key.replace('_', ' ')}, as written"
    return schema


def _open(lot: Lot, paper: Paper) -> Task:
    """The form of asks that name no fields: names and values, in the order of the text."""
    facts = sorted(paper.facts.items(), key=lambda fact: paper.text.find(fact[1][:12]))[:5]
    named = _names(lot, [fact for fact, _ in facts])
    rows = [
        {"name": key.replace("_", " "), "value": paper.facts[fact]} for fact, key in named.items()
    ]
    ask = lot.choice(("Find the facts.", "List the important values.", "What is stated here?"))
    return Task(TaskType.EXTRACTION, ask, _FACTS, paper.text, {"facts": rows})


_FACTS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "facts": {
            "type": "array",
            "maxItems": 20,
            "items": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "value": {"type": "string"}},
                "required": ["name", "value"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["facts"],
    "additionalProperties": False,
}
