from dataclasses import replace

import pytest

from worker.llm.anthropic.dialect import Dialect
from worker.llm.engine import Message, Request, Trouble

SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}
MESSAGES = (
    Message("system", "Be brief."),
    Message("user", "one?"),
    Message("assistant", "1"),
    Message("user", "two?"),
)
REQUEST = Request("m", MESSAGES, 100, 200_000, schema=SCHEMA, fixed=3)
OTHER_SCHEMA = {**SCHEMA, "required": []}


def refuse(made: Dialect, said: str, request: Request = REQUEST, trouble=Trouble.BAD_REQUEST):
    return made.learn(request, made.body(request), trouble, said)


def said(body):
    """Who says what, and whether the cache is to hold all up to there."""
    spoken = [("system", block) for block in body.get("system", [])]
    for turn in body["messages"]:
        spoken += [(turn["role"], block) for block in turn["content"]]
    return [(role, block["text"], "cache_control" in block) for role, block in spoken]


def test_at_first_everything_is_sent():
    body = Dialect().body(REQUEST)
    assert body["output_config"] == {"format": {"type": "json_schema", "schema": SCHEMA}}
    assert body["thinking"] == {"type": "disabled"}
    assert (body["model"], body["max_tokens"]) == ("m", 100)
    assert body.keys() == {
        "model", "max_tokens", "messages", "system", "thinking", "output_config"
    }  # fmt: skip


def test_a_request_that_leaves_thinking_to_the_model_says_nothing_of_it():
    assert "thinking" not in Dialect().body(replace(REQUEST, think=None))


@pytest.mark.parametrize(
    ("fixed", "marked"), [(0, None), (1, 0), (2, 1), (3, 2), (4, 3)]
)  # fmt: skip
def test_the_last_of_the_fixed_messages_ends_what_the_cache_holds(fixed, marked):
    found = said(Dialect().body(replace(REQUEST, fixed=fixed)))
    assert [place for place, one in enumerate(found) if one[2]] == ([marked] * (marked is not None))


def test_a_fixed_turn_that_others_go_on_with_is_not_what_the_cache_holds():
    messages = (*MESSAGES[:2], Message("user", "and this?"))
    found = said(Dialect().body(replace(REQUEST, messages=messages, fixed=2)))
    assert found == [("system", "Be brief.", True), ("user", "one?\n\nand this?", False)]


def test_the_system_message_stands_apart_and_nobody_speaks_twice_in_a_row():
    messages = (*MESSAGES, Message("assistant", " "), Message("system", "x"), Message("user", "!"))
    assert said(Dialect().body(replace(REQUEST, messages=messages, fixed=0))) == [
        ("system", "Be brief.\n\nx", False),
        ("user", "one?", False),
        ("assistant", "1", False),
        ("user", "two?\n\n!", False),
    ]
    assert "system" not in Dialect().body(replace(REQUEST, messages=MESSAGES[1:], fixed=0))


def test_a_schema_that_cannot_be_compiled_is_not_sent():
    request = replace(REQUEST, schema={"type": "object", "additionalProperties": True})
    assert "output_config" not in Dialect().body(request)
    assert "output_config" not in Dialect().body(replace(REQUEST, schema=None))


@pytest.mark.parametrize(
    "text",
    [
        "output_config.format.schema: For 'array' type, property 'maxItems' is not supported",
        "output_config.format.schema: Invalid schema: The compiled grammar is too large, which "
        "would cause performance issues. Simplify your tool schemas",
        "Schema is too complex.",
        "Schemas contains too many parameters with union types (17 parameters with type arrays or "
        "anyOf). This causes exponential compilation cost.",
        "Schemas contains too many optional parameters (87), which would make grammar compilation "
        "inefficient.",
    ],
)
def test_a_schema_that_is_refused_is_left_out_for_that_model_and_schema(text):
    made = Dialect()
    assert refuse(made, text)
    assert "output_config" not in made.body(REQUEST)
    assert "output_config" in made.body(replace(REQUEST, model_name="other"))
    assert "output_config" in made.body(replace(REQUEST, schema=OTHER_SCHEMA))
    assert not refuse(made, text)  # it has been left out already


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("output_config.format: Extra inputs are not permitted", "output_config"),
        ("output_config: Extra inputs are not permitted", "output_config"),
        ("'claude-3-haiku' does not support output format.", "output_config"),
        (
            '"thinking.type.disabled" is not supported for this model. Thinking defaults to '
            'adaptive mode when not specified; use "thinking.type.enabled" with "budget_tokens"',
            "thinking",
        ),
    ],
)
def test_a_part_that_a_model_does_not_take_is_left_out_for_that_model(text, field):
    made = Dialect()
    assert refuse(made, text)
    assert field not in made.body(replace(REQUEST, schema=OTHER_SCHEMA))
    assert field in made.body(replace(REQUEST, model_name="other"))
    assert not refuse(made, text)


@pytest.mark.parametrize("trouble", [each for each in Trouble if each is not Trouble.BAD_REQUEST])
def test_only_a_bad_request_teaches_anything(trouble):
    assert not refuse(Dialect(), "thinking, output_config", trouble=trouble)


@pytest.mark.parametrize("text", ["", "messages.0: odd"])
def test_a_refusal_of_something_else_teaches_nothing(text):
    made = Dialect()
    assert not refuse(made, text)
    assert made.body(REQUEST) == Dialect().body(REQUEST)
