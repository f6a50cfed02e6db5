"""Texts to be sorted: the label sets are drawn anew for each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.words import TaskType
from worker.tune.synthetic.lot import Lot, listed, table
from worker.tune.synthetic.task import Task

ASKS = (
    "Which {name} is this: {labels}?",
    "Which {name} fits: {labels}?",
    "Is this {labels}?",
    "Is the {name} {labels}?",
    "What is the {name}: {labels}?",
    "Classify by {name}: {labels}.",
    "Classify the text as {labels}.",
    "Choose the {name} from {labels}.",
    "Sort this into one of: {labels}.",
    "Assign one {name} ({labels}).",
    "Label the {name} as {labels}.",
    "Tag it with one of the following: {labels}",
    "Say whether this is {labels}.",
    "Decide between {labels}.",
    "Pick the best match. Options: {labels}",
    "Put this text into a category. Categories: {labels}.",
    "{labels} - which one?",
    "Under which heading does this belong: {labels}?",
    "Read it and give the {name}; allowed: {labels}.",
    "Judge the {name}. Possible values are {labels}.",
    "इनमें से कौन सा ठीक है: {labels}?",
    "यह पाठ किस श्रेणी का है: {labels}?",
)
SHORT_ASKS = (
    "What is the {name}?",
    "Classify this by {name}.",
    "Choose the right label.",
    "Which {name}?",
    "Determine the {name} of the text.",
    "Categorise it.",
    "Give the {name}.",
    "Which of these fits best?",
    "इसकी श्रेणी बताइए।",
)
KEYS = ("label", "label", "label", "category", "class", "type", "kind", "result", "answer", "tag")
NOUN_FRAMES = (
    "{name} [saw|drew|spoke of] a [big|small|old|fine] {noun} [yesterday|in {city}|for {money}].",
    "There was [a|one] {noun} [in the picture|at the market in {city}|on page {n}].",
    "The word of the day: {noun}.",
    "{noun}",
    "[They|We] [talked about|asked for] the {noun} and nothing else.",
    "On the list of {name}: {noun}, {m} times.",
)
FOREIGN = (
    "bird",
    "reptile",
    "spice",
    "fabric",
    "planet",
    "board game",
    "footwear",
    "jewel",
    "metal",
)
"""Labels that are right for no text that is sorted by something else."""
OPENINGS = (
    "Dear Sir or Madam,\n",
    "Hello,\n",
    "Hi,\n",
    "Good morning,\n",
    "To whom it may concern,\n",
)
CLOSINGS = (
    "\nRegards,\n{name}",
    "\nThanks\n{name}",
    "\nYours sincerely\n{name}",
    "\n{name}, {city}",
)
HEADS = ("From: {name}\nSubject: {code}\n\n", "Ticket {code}\n", "Date: {date}\n", "No. {n}: ")
LETTERS = frozenset({"kind of mail", "urgency", "department", "banking intent", "travel request"})


@dataclass(frozen=True, slots=True)
class _Choice:
    """A label of one question: its words, what it says, and texts that it is right for."""

    word: str
    says: str
    texts: Sequence[str]


def sorting(lot: Lot) -> Task:
    """A text and the label that it belongs to."""
    name, key, choices = _nouns(lot) if lot.odds(0.2) else _sorts(lot)
    right = lot.choice([one for one in choices if one.texts])
    text = _text(lot, right, name)
    choices = _other_words(lot, choices)
    right = next(one for one in choices if one.texts is right.texts)
    lot.shuffle(choices)
    ask, schema = _asked(lot, name, key, choices)
    (field,) = schema["properties"]
    return Task(TaskType.CLASSIFICATION, ask, schema, text, {field: right.word})


def _sorts(lot: Lot) -> tuple[str, str, list[_Choice]]:
    """Some of the labels of a sort, and now and then labels that no text of it has."""
    sort = lot.choices(table("sorts"), [len(one["labels"]) + 4 for one in table("sorts")])[0]
    labels = lot.some(sort["labels"], 2, lot.choice((3, 3, 4, 5, 6, 8)))
    made = [
        _Choice(str(lot.choice(one["words"])), lot.choice(one["says"]), one["texts"])
        for one in labels
    ]
    if lot.odds(0.15) and sort["names"][0] != "yes or no":
        made += [_Choice(word, f"a {word} is named", ()) for word in lot.some(FOREIGN, 1, 2)]
    return lot.choice(sort["names"]), lot.choice(sort["key"]), made


def _nouns(lot: Lot) -> tuple[str, str, list[_Choice]]:
    kinds = lot.some(sorted(table("nouns").items()), 2, lot.choice((3, 4, 6, 8)))
    made = []
    for kind, members in kinds:
        texts = [lot.choice(NOUN_FRAMES).replace("{noun}", str(lot.choice(members)))]
        made.append(_Choice(str(kind), f"a {kind} is named", texts))
    name = lot.choice(("kind of thing", "what is mentioned", "class of the noun", "category"))
    return name, lot.choice(("category", "mentions", "kind", "thing")), made


def _text(lot: Lot, right: _Choice, name: str) -> str:
    """One to three of its texts, sometimes as a letter."""
    lines = [lot.text(one) for one in lot.some(right.texts, 1, lot.choice((1, 2, 2, 3)))]
    text = lot.choice((" ", " ", "\n")).join(lines)
    if any(name in sort["names"] and sort["names"][0] in LETTERS for sort in table("sorts")):
        head = lot.choice(HEADS) if lot.odds(0.25) else ""
        opening = lot.choice(OPENINGS) if lot.odds(0.3) else ""
        closing = lot.choice(CLOSINGS) if lot.odds(0.3) else ""
        return lot.text(head) + opening + text + lot.text(closing)
    return text


def _other_words(lot: Lot, choices: Sequence[_Choice]) -> list[_Choice]:
    """Their words in another dress: capitals, dashes, letters with what they stand for."""
    match lot.randint(0, 11):
        case 0:
            dressed = [one.word.upper() for one in choices]
        case 1:
            dressed = [one.word.title() for one in choices]
        case 2 | 3:
            dressed = [one.word.replace(" ", "_") for one in choices]
        case 4:
            dressed = [one.word.capitalize() for one in choices]
        case 5:
            dressed = [f"{chr(97 + at)}) {one.word}" for at, one in enumerate(choices)]
        case 6:
            dressed = [one.says for one in choices]
        case _:
            dressed = [one.word for one in choices]
    if len(set(dressed)) < len(dressed):
        dressed = [f"{one.word} ({one.says})" for one in choices]
    return [_Choice(word, one.says, one.texts) for word, one in zip(dressed, choices, strict=True)]


def _asked(
    lot: Lot, name: str, key: str, choices: Sequence[_Choice]
) -> tuple[str, Mapping[str, Any]]:
    """The words of the question, and the schema of its answer."""
    words = [one.word for one in choices]
    listed_in_schema = lot.odds(0.8)
    key = key if lot.odds(0.4) else lot.choice(KEYS)
    if listed_in_schema and lot.odds(0.3):
        ask = lot.choice(SHORT_ASKS).format(name=name)
    else:
        shown = lot.sample(words, len(words)) if lot.odds(0.3) else words
        said = {one.word: one.says for one in choices}
        if lot.odds(0.2):
            shown = [f"{word} ({said[word]})" if said[word] != word else word for word in shown]
        joined = lot.choice((listed(shown, "or"), ", ".join(shown), " / ".join(shown)))
        ask = lot.choice(ASKS).format(name=name, labels=joined)
    if lot.odds(0.15):
        ask = lot.choice((ask.lower(), f"{ask} {lot.choice(TAILS)}"))
    value: dict[str, Any] = {"enum": words} if listed_in_schema else {"type": "string"}
    if lot.odds(0.07):
        value = {**value, "description": f"the {name}"}
    return ask, {
        "type": "object",
        "properties": {key: value},
        "required": [key],
        "additionalProperties": False,
    }


TAILS = ("One only.", "Answer with one word.", "Use exactly these labels.", "Think of the writer.")
