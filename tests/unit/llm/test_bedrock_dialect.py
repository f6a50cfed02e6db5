import json
from dataclasses import replace

import pytest

from worker.llm.bedrock.dialect import Dialect
from worker.llm.bedrock.errors import said_in
from worker.llm.engine import Message, Request, Trouble

SCHEMA = {"type": "object", "properties": {"b": {"type": "string"}, "a": {"type": "string"}}}
REQUEST = Request(
    "us.meta.llama3-3-70b-instruct-v1:0",
    (Message("system", "Be brief."), Message("user", "one?"), Message("assistant", "1")),
    77,
    4096,
    schema=SCHEMA,
)


def refuse(dialect, message, request=REQUEST, trouble=Trouble.BAD_REQUEST):
    said = said_in({}, json.dumps({"message": message}).encode())
    return dialect.learn(request, dialect.body(request), trouble, said)


def test_a_request_says_what_is_asked_and_how_much_may_be_written():
    body = Dialect().body(REQUEST)
    assert body["system"] == [{"text": "Be brief."}]
    assert body["messages"] == [
        {"role": "user", "content": [{"text": "one?"}]},
        {"role": "assistant", "content": [{"text": "1"}]},
    ]
    assert body["inferenceConfig"] == {"maxTokens": 77, "temperature": 0.0}
    form = body["outputConfig"]["textFormat"]
    assert form["type"] == "json_schema"
    # In words, with its fields in the order in which they are to be written.
    assert form["structure"]["jsonSchema"] == {"name": "answer", "schema": json.dumps(SCHEMA)}


def test_what_is_not_there_is_not_said():
    bare = replace(REQUEST, schema=None, messages=(Message("system", " "), Message("user", "one?")))
    assert set(Dialect().body(bare)) == {"messages", "inferenceConfig"}


@pytest.mark.parametrize(
    "said",
    [
        "The model returned the following errors: output_config.format: Extra inputs are not "
        "permitted",
        "This model doesn't support the outputConfig.textFormat field. Remove "
        "outputConfig.textFormat and try again.",
        "Structured output is not supported for this model.",
    ],
)
def test_a_model_that_takes_no_schema_gets_none_from_then_on(said):
    dialect = Dialect()
    assert refuse(dialect, said)
    assert "outputConfig" not in dialect.body(REQUEST)
    assert "outputConfig" not in dialect.body(replace(REQUEST, schema={"type": "array"}))
    assert "outputConfig" in dialect.body(replace(REQUEST, model_name="other"))
    assert not refuse(dialect, said)


def test_a_schema_that_a_model_cannot_take_does_not_cost_the_others_theirs():
    dialect = Dialect()
    assert refuse(dialect, "output_config.format.schema: For 'object' type, ... must be false")
    assert "outputConfig" not in dialect.body(REQUEST)
    assert "outputConfig" in dialect.body(replace(REQUEST, schema={"type": "array"}))


def test_a_model_without_temperature_gets_none():
    dialect = Dialect()
    assert refuse(dialect, "`temperature` is deprecated for this model.")
    assert dialect.body(REQUEST)["inferenceConfig"] == {"maxTokens": 77}


def test_a_model_without_system_prompts_is_told_by_the_user():
    dialect = Dialect()
    assert refuse(dialect, "This model doesn't support system messages. Try again without one.")
    body = dialect.body(REQUEST)
    assert "system" not in body
    assert body["messages"][0]["content"] == [{"text": "Be brief.\n\none?"}]


@pytest.mark.parametrize("said", ["A conversation must start with a user message.", ""])
def test_a_refusal_of_something_else_teaches_nothing(said):
    assert not refuse(Dialect(), said)


def test_only_a_bad_request_teaches_anything():
    assert not refuse(Dialect(), "temperature, outputConfig", trouble=Trouble.CONTEXT_EXCEEDED)
