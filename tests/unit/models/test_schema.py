import pytest

from models.errors import ConfigError
from models.schema import DEEPEST, validator, with_nulls
from models.spec import Ask, make_spec


def fields(**properties):
    return {"type": "object", "properties": properties}


NULL = {"type": "null"}
REF = {"$ref": "#/$defs/x"}


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
        ({"type": "string", "nullable": False}, {"type": "string"}),
        ({"type": ["string", "null"], "nullable": True}, {"type": ["string", "null"]}),
        (
            {"type": "string", "enum": ["a"], "nullable": True},
            {"type": ["string", "null"], "enum": ["a", None]},
        ),
        ({"enum": ["a", None], "nullable": True}, {"enum": ["a", None]}),
        ({"nullable": True}, {}),
        ({**REF, "nullable": True}, {"anyOf": [REF, NULL]}),
        ({"allOf": [REF], "nullable": True}, {"anyOf": [{"allOf": [REF]}, NULL]}),
        ({"const": 1, "nullable": True}, {"anyOf": [{"const": 1}, NULL]}),
        (
            {"type": "array", "items": {"type": "number", "nullable": True}},
            {"type": "array", "items": {"type": ["number", "null"]}},
        ),
        (
            {"anyOf": [{"type": "number", "nullable": True}]},
            {"anyOf": [{"type": ["number", "null"]}]},
        ),
    ],
)
def test_what_openapi_calls_nullable_may_be_null(written, plain):
    assert with_nulls(fields(a=written)) == fields(a=plain)


def test_answers_with_null_are_taken_then_and_others_checked_as_before():
    schema = with_nulls(fields(a={"type": "string", "nullable": True}))
    valid = validator(schema).is_valid
    assert (valid({"a": None}), valid({"a": "x"}), valid({"a": 1})) == (True, True, False)


@pytest.mark.parametrize(
    "schema",
    [
        fields(nullable={"type": "boolean"}),  # a field of that name
        fields(a={"enum": [{"nullable": True}]}),
        fields(a={"const": {"nullable": True}}),
        fields(a={"default": {"nullable": True}, "examples": [{"nullable": True}]}),
        fields(a=True),
    ],
)
def test_what_only_looks_like_it_is_left_alone(schema):
    assert with_nulls(schema) == schema


def test_an_ask_keeps_its_schema_in_words_that_everybody_knows():
    ask = Ask.model_validate({"ask": "x", "schema": fields(a={"type": "string", "nullable": True})})
    assert ask.answer_schema == fields(a={"type": ["string", "null"]})


def test_an_answer_itself_is_never_null():
    with pytest.raises(ConfigError, match="must describe an object"):
        make_spec({"asks": [{"ask": "x", "schema": {**fields(), "nullable": True}}]}, "it")


def test_a_schema_of_very_many_levels_is_refused():
    deep = {"type": "string"}
    for _ in range(DEEPEST + 1):
        deep = {"type": "array", "items": deep}
    with pytest.raises(ConfigError, match=f"more than {DEEPEST} levels"):
        make_spec({"asks": [{"ask": "x", "schema": fields(a=deep)}]}, "it")


@pytest.mark.parametrize("value", [3, None, "x", [], [3], {"b": 1}])
def test_what_is_no_schema_is_said_to_be_none_and_does_not_make_it_stumble(value):
    for word in ("type", "enum", "anyOf", "properties", "items", "$ref", "const"):
        with_nulls(fields(a={word: value, "nullable": True}))
