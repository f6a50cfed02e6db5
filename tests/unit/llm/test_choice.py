"""Labels that are weighed: which requests leave a choice, what is asked, and which label wins."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from models.engines import EMBEDDED_MODEL, tuned_name
from tests.factories import TEXT, a_request
from worker.llm.embedded.choice import (
    BARE,
    MOST_CHARACTERS,
    MOST_LABELS,
    ORDINARY,
    TUNED,
    Choice,
    choice,
    heaviest,
    in_common,
)
from worker.llm.engine import Message

ROOT = Path(__file__).parents[3]
MODEL = tuned_name("ab" * 32)
RULES = Message("system", "Choose.")
ASKED = Message("user", f"Task: Which?\nText:\n{TEXT}")


def schema(*labels: object, key: str = "mail_type", **more: object) -> dict[str, object]:
    return {"type": "object", "properties": {key: {"enum": list(labels)}, **more}}


TWO = schema("fresh_start", "moan")
REQUEST = a_request(model_name=MODEL, messages=(RULES, ASKED), schema=TWO, text=TEXT)
CHOICE = Choice(
    "mail_type", ("fresh_start", "moan"), (RULES, replace(ASKED, content="Task: Which?\nText:\n"))
)


def test_a_request_for_one_label_of_a_text_is_a_choice() -> None:
    assert choice(REQUEST) == CHOICE
    assert choice(replace(REQUEST, schema=schema(*map(str, range(MOST_LABELS))))) is not None
    assert choice(replace(REQUEST, temperature=0.4)) == CHOICE  # after an engine that was away


@pytest.mark.parametrize(
    "change",
    [
        {"text": ""},  # not told apart
        {"text": "another text"},
        {"model_name": EMBEDDED_MODEL},
        {"chosen": 2},  # examples for this text alone: usual weights would be found for it alone
        {"schema": None},
        {"schema": {"type": "array"}},
        {"schema": {"type": "object", "properties": {"total": {"type": "string"}}}},
        {"schema": schema("a", "b", reason={"type": "string"})},
        {"schema": schema("a")},
        {"schema": schema("a", None)},
        {"schema": schema("a", "")},
        {"schema": schema("a", "b" * MOST_CHARACTERS)},
        {"schema": schema(1, 2)},
        {"schema": schema(*map(str, range(MOST_LABELS + 1)))},
        {"messages": (RULES, replace(ASKED, content=f"{ASKED.content}\nBriefly."))},
    ],
)
def test_nothing_else_is_one(change: dict[str, object]) -> None:
    assert choice(replace(REQUEST, **change)) is None  # type: ignore[arg-type]


def test_a_label_is_weighed_as_the_answer_and_as_what_the_bare_model_calls_the_text() -> None:
    asked, named, about = CHOICE.views("It rains.")
    assert asked.read == "Choose.\n\nTask: Which?\nText:\nIt rains.\nAnswer:\n"
    assert asked.endings == ('{"mail_type": "fresh_start"}', '{"mail_type": "moan"}')
    assert named.read == '"It rains."\n\nIn other words, the mail type:'
    assert about.read == '"It rains."\n\nThis text is about'
    assert named.endings == about.endings == (" fresh start", " moan")
    assert [view.strength for view in (asked, named, about)] == [TUNED, BARE, BARE]
    assert asked.weight > named.weight + about.weight


def test_an_answer_is_json_with_its_letters_as_they_are() -> None:
    assert json.loads(CHOICE.answer('"a"\n')) == {"mail_type": '"a"\n'}
    assert CHOICE.answer("शिकायत") == '{"mail_type": "शिकायत"}'


@pytest.mark.parametrize(
    ("weights", "usual", "best"),
    [
        ([-1.0, -2.0], [0.0, 0.0], 0),
        ([-1.0, -2.0], [-0.5, -4.0], 1),  # less likely, but seldom so likely
        ([-1.0, -2.0, -2.0], [-1.0, -2.0, -2.0], 0),
        ([-9.0, -3.0, -1.0], [-9.0, -4.0, -1.0], 1),
    ],
)
def test_the_label_wins_that_weighs_most_above_its_usual(
    weights: list[float], usual: list[float], best: int
) -> None:
    assert heaviest(weights, usual) == best


@pytest.mark.parametrize(
    ("endings", "shared"),
    [
        ([[1, 2, 3], [1, 2, 4]], [1, 2]),
        ([[1, 2], [1, 2, 3]], [1]),  # each keeps one to be weighed by
        ([[1, 2], [1, 2]], [1]),
        ([[1], [2]], []),
        ([[5, 1], [6, 1]], []),
    ],
)
def test_what_all_endings_begin_with_is_read_once(
    endings: list[list[int]], shared: list[int]
) -> None:
    assert in_common(endings) == shared


def test_ordinary_texts_are_none_that_the_choice_is_measured_on() -> None:
    mails = yaml.safe_load((ROOT / "benchmarks/strangers/mails.yaml").read_text("utf-8"))
    texts = [
        one["text"] for trade in (*mails["trades"], *mails["unseen"]) for one in trade["mails"]
    ]
    texts += [path.read_text("utf-8") for path in (ROOT / "samples").glob("mail*")]
    measured = {row for text in texts for row in in_a_row(text)}
    assert [text for text in ORDINARY if in_a_row(text) & measured] == []


def in_a_row(text: str) -> set[tuple[str, ...]]:
    words = text.casefold().split()
    return {tuple(words[at : at + 5]) for at in range(len(words) - 4)}
