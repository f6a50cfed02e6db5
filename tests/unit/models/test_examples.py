"""Examples in a spec: what is understood, and what is refused in which words."""

import json
from typing import Any

import pytest

from models.errors import ConfigError
from models.examples import MOST_CHARS, MOST_TEXT_CHARS, Example, Nearest, Own, as_json, from_json
from models.spec import Ask, make_spec

FIELDS = {"fields": ["total", "date"]}
LABEL = {"task": "classification"}


def an_ask(examples: Any, **more: Any) -> Ask:
    spec = {"asks": [{"ask": "Find it.", "examples": examples, **more}]}
    made = make_spec(spec, "spec")
    assert make_spec(json.loads(made.model_dump_json(by_alias=True)), "again") == made
    return made.asks[0]


def example(text: str, **answer: Any) -> Example:
    return Example(text, answer)


@pytest.mark.parametrize(
    ("given", "ask", "understood"),
    [
        ("gold:bills", {}, Nearest("bills", 3)),
        ("gold: bills", {}, Nearest("bills", 3)),
        ({"gold": "bills", "most": 5}, {}, Nearest("bills", 5)),
        ([], {}, Own(())),
        (
            [{"text": "Sum 12", "fields": {"total": "12"}}],
            FIELDS,
            Own((example("Sum 12", total="12", date=None),)),
        ),
        (
            [{"text": "Sum 12", "answer": {"date": None, "total": "12"}}],
            FIELDS,
            Own((example("Sum 12", total="12", date=None),)),
        ),
        ([{"text": "No!", "label": "angry"}], LABEL, Own((example("No!", label="angry"),))),
    ],
)
def test_what_a_spec_may_say(given, ask, understood):
    found = an_ask(given, **ask).examples
    assert found == understood
    assert from_json(json.loads(json.dumps(as_json(found)))) == understood


def test_an_ask_without_examples_is_shown_the_prompts_own():
    assert an_ask(None).examples is None
    assert from_json(None) is None


LONG = "x" * (MOST_TEXT_CHARS + 1)
MANY = [{"text": "x" * MOST_TEXT_CHARS, "label": "a"}] * (MOST_CHARS // MOST_TEXT_CHARS + 1)


@pytest.mark.parametrize(
    ("given", "ask", "said"),
    [
        ("bills", {}, "asks.0.examples: a list of examples, or gold:NAME, found 'bills'"),
        (7, {}, "a list of examples, or gold:NAME"),
        ({"gold": "bills", "k": 5}, {}, "unknown key 'asks.0.examples.k'; allowed here: gold, m"),
        ({"gold": "bills", "most": 9}, {}, "asks.0.examples.most: .* less than or equal to 8"),
        ([{"text": "a", "label": "b"}] * 9, LABEL, "at most 8 items"),
        (
            [{"text": "a", "lable": "b"}],
            LABEL,
            "unknown key 'asks.0.examples.0.lable'; allowed here: text, answer, fields, label",
        ),
        ([{"text": "a"}], LABEL, "one of answer, fields and label"),
        ([{"text": "a", "label": "b", "fields": {}}], LABEL, "one of answer, fields and label"),
        ([{"text": " ", "label": "b"}], LABEL, "example 1: text: an example needs words"),
        ([{"text": LONG, "label": "b"}], LABEL, "has 8,001 characters, at most 8,000"),
        (MANY, LABEL, "examples: have 24,0.. characters together, at most 20,000"),
        ([{"text": "a\0", "label": "b"}], LABEL, "cannot be stored"),
        (
            [{"text": "a", "label": "b"}, {"text": "a", "fields": {"sum": "1"}}],
            {"schema": {"type": "object", "properties": {"label": {"enum": ["b"]}}}}
            | {"schema": {"type": "object", "required": ["label"], "additionalProperties": False,
                          "properties": {"label": {"enum": ["b"]}}}},
            "example 2: no answer to this ask",
        ),
        ([{"text": "a", "label": "b"}], {}, "nothing says what an answer looks like"),
        ([{"text": "a", "fields": {"x": "b"}}], {"task": "extraction"}, "give the ask fields or a"),
    ],
)  # fmt: skip
def test_what_a_spec_may_not_say(given, ask, said):
    with pytest.raises(ConfigError, match=said):
        an_ask(given, **ask)


def test_a_version_of_a_prompt_needs_a_task():
    assert an_ask(None, prompt=1, **LABEL).prompt == 1
    with pytest.raises(ConfigError, match="give the ask its task, too"):
        an_ask(None, prompt=1)
