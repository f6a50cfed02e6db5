import json

import pytest
from jsonschema_rs import Draft202012Validator

from tests.stubs.fake import made_up

PROMPT = "Invoice 4711 of Acme Traders, Pune, dated 31 January 2024, over 18,500 rupees."
SCHEMAS = [
    {"type": "string"},
    {"type": "string", "minLength": 40},
    {"type": "string", "maxLength": 3},
    {"type": "string", "format": "date"},
    {"type": ["string", "null"]},
    {"type": "integer", "minimum": 5, "maximum": 7},
    {"type": "number", "minimum": 0},
    {"type": "boolean"},
    {"type": "null"},
    {"const": 3},
    {"enum": ["summary", "reasoning"]},
    {"anyOf": [{"type": "null"}, {"type": "string"}]},
    {"type": "array", "items": {"type": "string"}, "minItems": 3},
    {"allOf": [{"type": "object"}, {"properties": {"a": {"type": "boolean"}}, "required": ["a"]}]},
    {
        "type": "object",
        "properties": {"n": {"$ref": "#/$defs/n"}, "deep": {"$ref": "#/$defs/deep"}},
        "required": ["n", "deep"],
        "additionalProperties": False,
        "$defs": {
            "n": {"type": "integer"},
            "deep": {"type": "object", "properties": {"x": {"$ref": "#/$defs/n"}}},
        },
    },
    {},
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=json.dumps)
@pytest.mark.parametrize("number", range(8))
def test_a_made_up_answer_fits_its_schema(schema, number):
    Draft202012Validator(schema).validate(made_up(schema, f"{PROMPT} {number}"))


def test_the_same_prompt_is_answered_the_same_and_with_its_own_words():
    schema = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}
    first = made_up(schema, PROMPT)
    assert made_up(schema, PROMPT) == first
    words = " ".join(first.values()).split()
    assert all(word in PROMPT for word in words)


def test_a_prompt_without_words_is_answered_too():
    assert made_up({"type": "string"}, "") == "nothing"
