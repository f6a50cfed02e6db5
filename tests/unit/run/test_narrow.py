"""Which fields of a schema can be asked for alone, and what is kept of it then."""

from typing import Any

import pytest

from models.schema import validator
from worker.run.narrow import narrowed

TEXT, KIND = {"type": ["string", "null"]}, {"enum": ["invoice", "receipt"]}
MONEY = {"$ref": "#/$defs/money"}
DEFS = {"money": {"type": "object", "properties": {"amount": {"type": "number"}}}}


def a_schema(**more: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"total": MONEY, "kind": KIND, "note": TEXT},
        "required": ["kind", "total"],
        "additionalProperties": False,
        "$defs": DEFS,
        **more,
    }


def test_types_enums_and_what_is_required_of_the_fields_are_kept():
    found = narrowed(a_schema(title="An invoice"), ["total", "note"])
    assert found == {
        "type": "object",
        "properties": {"total": MONEY, "note": TEXT},
        "required": ["total"],
        "additionalProperties": False,
        "$defs": DEFS,
        "title": "An invoice",
    }
    validator(found)


@pytest.mark.parametrize(
    "more",
    [
        {"minProperties": 2},
        {"anyOf": [{"required": ["total"]}, {"required": ["note"]}]},
        {"dependentRequired": {"total": ["note"]}},
        {"patternProperties": {"^x": TEXT}},
        {"properties": {"total": {"$ref": "#/properties/note"}, "note": TEXT}},
        {"properties": {"total": {"items": {"$ref": "#"}}, "note": TEXT}},
        {"$defs": {"money": {"anyOf": [{"$ref": "#/properties/note"}]}}},
        {"properties": {"note": TEXT}},
    ],
    ids=str,
)
def test_what_is_said_of_several_fields_at_once_keeps_them_together(more):
    assert narrowed(a_schema(**more), ["total"]) is None


def test_a_schema_without_fields_has_none_that_can_be_asked_alone():
    assert narrowed({"type": "object"}, ["total"]) is None
