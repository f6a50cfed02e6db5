"""Texts to be sorted: the label sets are drawn anew for each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from models.words import TaskType
from worker.tune.synthetic.lot import Lot, listed, table
from worker.tune.synthetic.mails import mail
from worker.tune.synthetic.question import Label, Question
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
    """A label, and texts that it is right for."""

    label: Label
    texts: Sequence[str]


def sorting(lot: Lot) -> Task:
    """A text and the label that it belongs to."""
    makers: dict[Callable[[Lot], Question], int] = {mail: 65, _sorts: 28, _nouns: 7}
    (make,) = lot.choices(list(makers), list(makers.values()))
    question = make(lot)
    labels = _other_words(lot, question.labels)
    right = labels[0]
    lot.shuffle(labels)
    ask, schema = _asked(lot, replace(question, labels=labels))
    (field,) = schema["properties"]
    return Task(TaskType.CLASSIFICATION, ask, schema, question.text, {field: right.word})


def _sorts(lot: Lot) -> Question:
    """Some of the labels of a sort, and now and then labels that no text of it has."""
    sort = lot.choices(table("sorts"), [len(one["labels"]) + 4 for one in table("sorts")])[0]
    labels = lot.some(sort["labels"], 2, lot.choice((2, 3, 3, 4, 5, 6)))
    made = [
        _Choice(Label(str(lot.choice(one["words"])), lot.choice(one["says"])), one["texts"])
        for one in labels
    ]
    if lot.odds(0.1) and sort["names"][0] != "yes or no":
        foreign = lot.some(FOREIGN, 1, 2)
        made += [_Choice(Label(word, f"a {word} is named"), ()) for word in foreign]
    return _question(lot, sort["names"], sort["key"], made)


def _nouns(lot: Lot) -> Question:
    made = []
    for kind, members in lot.some(sorted(table("nouns").items()), 2, lot.choice((3, 4, 5))):
        texts = [lot.choice(NOUN_FRAMES).replace("{noun}", str(lot.choice(members)))]
        made.append(_Choice(Label(str(kind), f"a {kind} is named"), texts))
    names = ("kind of thing", "what is mentioned", "class of the noun", "category")
    return _question(lot, names, ("category", "mentions", "kind", "thing"), made)


def _question(
    lot: Lot, names: Sequence[str], keys: Sequence[str], choices: Sequence[_Choice]
) -> Question:
    """One of the choices with a text of its own, the right one first."""
    name, key = lot.choice(names), lot.choice(keys)
    right = lot.choice([one for one in choices if one.texts])
    others = [one.label for one in choices if one is not right]
    return Question(name, key, [right.label, *others], _text(lot, right, name))


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


def _other_words(lot: Lot, labels: Sequence[Label]) -> list[Label]:
    """Their words in another dress: capitals, dashes, letters with what they stand for."""
    match lot.randint(0, 11):
        case 0:
            dressed = [one.word.upper() for one in labels]
        case 1:
            dressed = [one.word.title() for one in labels]
        case 2 | 3:
            dressed = [one.word.replace(" ", "_") for one in labels]
        case 4:
            dressed = [one.word.capitalize() for one in labels]
        case 5 if lot.odds(0.4):
            dressed = [f"{chr(97 + at)}) {one.word}" for at, one in enumerate(labels)]
        case 6:
            dressed = [one.says for one in labels]
        case _:
            dressed = [one.word for one in labels]
    if len(set(dressed)) < len(dressed):
        dressed = [f"{one.word} ({one.says})" for one in labels]
    return [Label(word, one.says) for word, one in zip(dressed, labels, strict=True)]


def _asked(lot: Lot, question: Question) -> tuple[str, Mapping[str, Any]]:
    """The words of the question, and the schema of its answer."""
    name, choices = question.name, question.labels
    words = [one.word for one in choices]
    listed_in_schema = lot.odds(0.8)
    key = question.key if lot.odds(0.4) else lot.choice(KEYS)
    if listed_in_schema and lot.odds(0.3):
        ask = lot.choice((*SHORT_ASKS, *question.asks)).format(name=name)
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
