"""Schemas of many fields: asked in groups, each field in one, and joined to a valid whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.schema import validator
from tests.stubs.fake import made_up
from worker.run.merge import Seen, merge
from worker.run.wide import MOST_FIELDS, groups, lists, only, pieced, units

TEXT = {"type": ["string", "null"]}


def an_object(fields: dict, **more: object) -> dict:
    closed = {"required": list(fields), "additionalProperties": False}
    return {"type": "object", "properties": fields, **closed, **more}


def wide(sections: int, fields: int) -> dict:
    """A form of sections, by reference as pydantic writes it."""
    section = an_object({f"field_{n}": TEXT for n in range(fields)})
    names = {f"section_{n}": {"$ref": "#/$defs/Section"} for n in range(sections)}
    return an_object(names, **{"$defs": {"Section": section}})


FLAT = an_object({f"field_{n}": TEXT for n in range(369)})
NESTED = wide(9, 41)
MIXED = an_object(
    {
        "about": an_object({f"a_{n}": TEXT for n in range(60)}),
        "rows": {"type": "array", "items": an_object({"n": TEXT, "m": TEXT})},
        "one": TEXT,
        "maybe": {"anyOf": [an_object({f"b_{n}": TEXT for n in range(50)}), {"type": "null"}]},
        **{f"c_{n}": {"type": "integer", "minimum": n} for n in range(257)},
    }
)


@pytest.mark.parametrize("schema", [FLAT, NESTED, MIXED], ids=["flat", "nested", "mixed"])
@pytest.mark.parametrize("max_tokens", [128, 512, 4096])
def test_a_wide_schema_is_asked_in_groups_that_make_a_valid_whole(schema, max_tokens):
    asked = groups(schema, max_tokens)
    assert len(asked) > 369 // MOST_FIELDS - 1
    for group in asked:
        inside = units(group, max_tokens)
        alone = len(inside) == 1
        assert alone or sum(unit.fields for unit in inside) <= MOST_FIELDS
        assert alone or sum(unit.tokens for unit in inside) <= max_tokens
        validator(dict(group))
    values = [made_up(group, "The text. Text:\nwords of it") for group in asked]
    whole = merge([Seen(0, 9, value) for value in values], schema).value
    assert validator(schema).is_valid(whole)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"total": TEXT}},
        an_object({f"f{n}": TEXT for n in range(20)}),
        an_object({"a": TEXT, "rows": {"type": "array", "items": an_object({"b": TEXT})}}),
        {"type": "object"},
        {},
    ],
)
def test_a_schema_that_one_answer_holds_is_left_as_it_is(schema):
    assert groups(schema, 512) == (schema,)


def test_a_schema_whose_fields_refer_to_each_other_stays_whole():
    fields = {f"f{n}": {"$ref": "#/properties/f0"} if n else TEXT for n in range(100)}
    schema = {"type": "object", "properties": fields}
    assert groups(schema, 512) == (schema,)


def test_a_schema_within_itself_comes_to_an_end():
    node = {
        "type": "object",
        "properties": {"l": {"$ref": "#/$defs/N"}, "r": {"$ref": "#/$defs/N"}},
    }
    schema = {"$ref": "#/$defs/N", "$defs": {"N": node}}
    assert len(groups(schema, 512)) >= 1
    bomb = {f"N{n}": an_object({k: {"$ref": f"#/$defs/N{n + 1}"} for k in "ab"}) for n in range(40)}
    schema = {"$ref": "#/$defs/N0", "$defs": {**bomb, "N40": TEXT}}
    assert len(groups(schema, 512)) >= 1


def test_a_schema_of_true_or_of_a_reference_into_nowhere_is_a_field_like_any():
    loop = {"$ref": "#/$defs/L"}
    schema = {**an_object({"t": True, "x": {"$ref": "#/$defs/X"}, "l": loop}), "$defs": {"L": loop}}
    assert [unit.path for unit in units(schema, 512)] == [("t",), ("x",), ("l",)]


def test_what_a_schema_says_of_its_fields_together_is_left_to_the_whole():
    schema = {**FLAT, "minProperties": 369, "dependentRequired": {"field_0": ["field_368"]}}
    for group in groups(schema, 512):
        assert not {"minProperties", "dependentRequired"} & group.keys()


def test_only_some_fields_are_required_where_only_they_are_asked_for():
    schema = an_object({"a": TEXT, "o": an_object({"b": TEXT, "c": TEXT})})
    assert only(schema, [("o", "c")]) == an_object({"o": an_object({"c": TEXT})})


@given(st.integers(1, 80), st.integers(1, 12), st.sampled_from([64, 512, 2000]))
def test_every_field_is_in_one_group_in_its_order(sections, fields, max_tokens):
    schema = wide(sections, fields)
    paths = [unit.path for group in groups(schema, max_tokens) for unit in units(group, max_tokens)]
    assert paths == [unit.path for unit in units(schema, max_tokens)]


# --- lists ----------------------------------------------------------------------------------------


ITEMS = {"type": "array", "minItems": 2, "maxItems": 30, "uniqueItems": True, "items": TEXT}


def test_lists_are_found_through_objects_and_references():
    holder = {"$ref": "#/$defs/H"}
    schema = {
        **an_object({"h": holder, "rows": {"type": "array", "items": an_object({"n": TEXT})}}),
        "$defs": {"H": an_object({"tags": ITEMS})},
    }
    tags, rows = lists(schema, 512)
    assert (tags.name, tags.most, tags.bound, tags.is_unique) == ("h.tags", None, 30, True)
    assert (rows.name, rows.bound, rows.is_unique) == ("rows", None, False)
    assert 8 <= (rows.most or 0) < 512


def test_a_piece_of_a_text_may_hold_nothing_of_a_list():
    schema = {**an_object({"h": {"$ref": "#/$defs/H"}}), "$defs": {"H": an_object({"t": ITEMS})}}
    loose = validator(dict(pieced(schema)))
    assert loose.is_valid({"h": {"t": []}})
    assert loose.is_valid({"h": {"t": [str(n) for n in range(99)]}})
    assert not loose.is_valid({"h": {"t": [1]}})
    assert pieced(FLAT) == FLAT
