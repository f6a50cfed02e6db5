"""What Anthropic is sent of a schema: what it compiles, and nothing that forbids good answers."""

import pytest

from worker.llm.anthropic.schema import compilable

TEXT = {"type": "string"}


def an_object(properties, **more):
    return {"type": "object", "properties": properties, **more}


def closed(properties, required=()):
    shape = {"required": list(required), "additionalProperties": False}
    return an_object(properties, **shape)


@pytest.mark.parametrize(
    ("schema", "sent"),
    [
        (TEXT, TEXT),
        ({"type": ["string", "null"]}, {"type": ["string", "null"]}),
        ({"type": "string", "description": "a name"}, {"type": "string", "description": "a name"}),
        # bounds and patterns are left to the check
        ({"type": "string", "minLength": 2, "maxLength": 9, "pattern": "^a"}, TEXT),
        ({"type": "integer", "minimum": 1, "maximum": 9}, {"type": "integer"}),
        ({"type": "string", "format": "date"}, {"type": "string", "format": "date"}),
        ({"type": "string", "format": "iban"}, TEXT),
        ({"type": "integer", "format": "date"}, {"type": "integer"}),
        # a choice of values needs no type
        ({"type": "string", "enum": ["a", None]}, {"enum": ["a", None]}),
        ({"anyOf": [TEXT, {"type": "null"}]}, {"anyOf": [TEXT, {"type": "null"}]}),
        ({"type": "array", "items": TEXT, "maxItems": 3}, {"type": "array", "items": TEXT}),
        (
            {"type": "array", "items": TEXT, "minItems": 4},
            {"type": "array", "items": TEXT, "minItems": 1},
        ),
        # objects are closed, at every level
        (an_object({"a": TEXT}), closed({"a": TEXT})),
        (
            an_object({"a": an_object({"b": TEXT}, additionalProperties=False)}, required=["a"]),
            closed({"a": closed({"b": TEXT})}, ["a"]),
        ),
        (
            an_object({"a": TEXT}, type=["object", "null"]),
            {**closed({"a": TEXT}), "type": ["object", "null"]},
        ),
        (an_object({}, additionalProperties=False), closed({})),
    ],
)
def test_what_is_compiled_is_sent(schema, sent):
    assert compilable(schema) == sent


@pytest.mark.parametrize(
    "schema",
    [
        {},
        True,
        {"description": "anything"},
        {"type": "object"},
        an_object({"a": TEXT}, additionalProperties=True),
        {"type": "object", "additionalProperties": TEXT},
        an_object({"a": TEXT}, required=["b"]),
        an_object({"a": {}}),
        {"type": "array"},
        {"type": "array", "items": {}},
        {"type": "array", "prefixItems": [TEXT], "items": TEXT},
        {"enum": [{"a": 1}]},
        {"enum": []},
        {"anyOf": [TEXT, {}]},
        an_object({"a": TEXT}, anyOf=[{"required": ["a"]}]),
    ],
)
def test_a_schema_whose_grammar_would_forbid_good_answers_is_not_sent(schema):
    assert compilable(schema) is None
    assert compilable(an_object({"inner": schema})) is None
