from dataclasses import replace

import pytest

from worker.llm import refusals
from worker.llm.engine import Message, Request, Trouble
from worker.llm.openai.dialect import Dialect
from worker.llm.turns import turns as joined

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
MESSAGES = (
    Message("system", "Be brief."),
    Message("user", "one?"),
    Message("assistant", "1"),
    Message("user", "two?"),
)
REQUEST = Request("m", MESSAGES, 100, 4096, schema=SCHEMA)


def refuse(made: Dialect, said: object, request: Request = REQUEST, trouble=Trouble.BAD_REQUEST):
    return made.learn(request, made.body(request), trouble, {"error": said})


def turns(body):
    return [(message["role"], message["content"]) for message in body["messages"]]


def test_an_image_is_a_part_behind_the_words():
    shown = Request("m", (Message("user", "What is it?", images=(b"\xff\xd8",)),), 100, 4096)
    [(role, content)] = turns(Dialect().body(shown))
    assert role == "user"
    assert content == [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,/9g="}},
    ]


def test_images_of_turns_that_are_joined_stay():
    said = (Message("system", "Be brief.", images=(b"a",)), Message("user", "?", images=(b"b",)))
    [only] = joined(said, system=False)
    assert (only.content, only.images) == ("Be brief.\n\n?", (b"a", b"b"))


SCHEMA_REFUSALS = [
    "The provided JSON schema contains features not supported by xgrammar.",
    'Invalid JSON payload received. Unknown name "additionalProperties" at '
    "'generation_config.response_schema': Cannot find field.",
    "The specified schema produces a constraint that has too many states for serving.",
    "Invalid schema for response_format 'answer': 'required' is required to be supplied",
    "Grammar error: Unknown format: uri",
    "output_config.format.schema: For 'object' type, 'additionalProperties' must be false",
    "JSON schema conversion failed: Unrecognized schema",
]
FIELD_REFUSALS = [
    ("Unknown parameter: response_format", "response_format"),
    ("This model does not support response format `json_schema`.", "response_format"),
    ("This response_format type is unavailable now", "response_format"),
    ("'max_tokens' is not supported with this model. Use 'max_completion_tokens'.", "max_tokens"),
    ("Unsupported value: 'temperature' does not support 0", "temperature"),
]
ROLE_REFUSALS = [
    "System role not supported",
    "Conversation roles must alternate user/assistant/user/assistant/...",
    "Only user and assistant roles are supported!",
    "Developer instruction is not enabled for models/gemma-3-27b-it",
    "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
]


def test_at_first_everything_is_sent():
    body = Dialect().body(REQUEST)
    assert turns(body) == [(message.role, message.content) for message in MESSAGES]
    assert body["response_format"]["json_schema"]["schema"] == SCHEMA
    assert (body["max_tokens"], body["temperature"]) == (100, 0.0)


@pytest.mark.parametrize("said", SCHEMA_REFUSALS)
def test_a_schema_that_cannot_be_compiled_is_left_out_for_that_model_and_schema(said):
    made = Dialect()
    assert refuse(made, {"message": said})
    assert "response_format" not in made.body(REQUEST)
    assert "response_format" in made.body(replace(REQUEST, model_name="other"))
    assert "response_format" in made.body(replace(REQUEST, schema={**SCHEMA, "required": ["a"]}))
    assert not refuse(made, {"message": said})  # it has been left out already


@pytest.mark.parametrize(("said", "field"), FIELD_REFUSALS)
def test_a_field_that_a_model_does_not_know_is_left_out_for_that_model(said, field):
    made = Dialect()
    assert refuse(made, {"message": said})
    assert field not in made.body(replace(REQUEST, schema={**SCHEMA, "required": ["a"]}))
    assert field in made.body(replace(REQUEST, model_name="other"))


@pytest.mark.parametrize("said", ROLE_REFUSALS)
def test_a_model_without_a_system_role_is_told_by_the_first_user(said):
    made = Dialect()
    assert refuse(made, {"message": said})
    assert turns(made.body(REQUEST)) == [
        ("user", "Be brief.\n\none?"),
        ("assistant", "1"),
        ("user", "two?"),
    ]
    assert turns(made.body(replace(REQUEST, model_name="other")))[0][0] == "system"
    assert not refuse(made, {"message": said})


@pytest.mark.parametrize("empty", ["", " \n\t"])
def test_nothing_empty_is_sent_and_nobody_speaks_twice_in_a_row(empty):
    messages = (*MESSAGES, Message("assistant", empty), Message("user", "Answer again."))
    found = turns(Dialect().body(replace(REQUEST, messages=messages)))
    assert found[-1] == ("user", "two?\n\nAnswer again.")
    assert len(found) == len(MESSAGES)


@pytest.mark.parametrize("trouble", [each for each in Trouble if each is not Trouble.BAD_REQUEST])
def test_only_a_bad_request_teaches_anything(trouble):
    assert not refuse(Dialect(), {"message": "temperature, response_format"}, trouble=trouble)


@pytest.mark.parametrize("said", [{"message": "odd"}, "", None, [], {"param": "seed"}])
def test_a_refusal_of_something_else_teaches_nothing(said):
    made = Dialect()
    assert not refuse(made, said)
    assert made.body(REQUEST) == Dialect().body(REQUEST)


def test_what_is_remembered_is_bounded(monkeypatch):
    monkeypatch.setattr(refusals, "MOST", 3)
    made = Dialect()
    for number in range(10):
        request = replace(REQUEST, schema={**SCHEMA, "title": str(number)})
        assert refuse(made, {"message": "Grammar error"}, request)
        assert "response_format" not in made.body(request)
    assert len(made.refusals) <= 3
