"""What an engine gets of a schema: what every engine compiles, and nothing that ends one."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator

from models.schema import validator
from worker.llm.grammar import (
    ANYTHING,
    CHARS_PER_TOKEN,
    MOST_NODES,
    MOST_REPEATS,
    VALUE_CHARS,
    bounded,
    grammar,
    limited,
)
from worker.llm.patterns import plain_pattern

TOTAL = {
    "type": "object",
    "properties": {"total": {"type": ["string", "null"]}},
    "required": ["total"],
    "additionalProperties": False,
}


def an_object(**fields: Any) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": list(fields)}


def of_field(schema: Any, **more: Any) -> tuple[Any, tuple[str, ...]]:
    """What an engine gets of one field, and what is left out."""
    found = grammar({**an_object(a=schema), **more})
    return found.schema["properties"]["a"], found.left_out


ANY = {"type": list(ANYTHING)}


@pytest.mark.parametrize(
    ("schema", "kept", "left_out"),
    [
        ({"type": "string"}, {"type": "string"}, ()),
        ({"enum": ["a", 1, None]}, {"enum": ["a", 1, None]}, ()),
        ({"const": "a"}, {"enum": ["a"]}, ()),
        ({"type": "string", "maxLength": 1_000}, {"type": "string", "maxLength": 1_000}, ()),
        ({"type": "string", "maxLength": 2_000}, {"type": "string"}, ("a: maxLength",)),
        ({"type": "array", "minItems": 5_000}, {"type": "array"}, ("a: minItems",)),
        ({"pattern": "^[0-9]{4}$"}, {"pattern": "^[0-9]{4}$", "type": "string"}, ()),
        ({"pattern": "^(?!a)b+$"}, ANY, ("a: pattern",)),
        ({"format": "date"}, {"format": "date", "type": "string"}, ()),
        ({"format": "iri-reference"}, ANY, ("a: format",)),
        ({"type": "integer", "minimum": 1}, {"type": "integer", "minimum": 1}, ()),
        ({"type": "number", "minimum": 1}, {"type": "number"}, ("a: minimum",)),
        ({"multipleOf": 5}, ANY, ("a: multipleOf",)),
        ({"not": {"type": "null"}}, ANY, ("a: not",)),
        ({}, ANY, ()),
        (True, ANY, ()),
        (False, ANY, ("a: false",)),
        ({"oneOf": [{"type": "null"}, True]}, {"anyOf": [{"type": "null"}, ANY]}, ()),
        ({"title": "A", "default": 1, "description": "b"}, {"description": "b", **ANY}, ()),
        ({"items": {"format": "email"}}, {"items": ANY, "type": "array"}, ("a/*: format",)),
        (
            {"prefixItems": [{"type": "null"}], "items": False},
            {"prefixItems": [{"type": "null"}], "type": "array"},
            ("a: items",),
        ),
        (
            {"type": "object", "anyOf": [{"required": ["b"]}, {"required": ["c"]}]},
            {"type": "object"},
            ("a: anyOf",),
        ),
        (
            {"description": "d", **an_object(b=ANY), "anyOf": [an_object(c=ANY), an_object(e=ANY)]},
            {"description": "d", "anyOf": [an_object(b=ANY, c=ANY), an_object(b=ANY, e=ANY)]},
            (),
        ),
        (
            {"allOf": [an_object(b={"type": "null"}), an_object(c={})], "required": ["d"]},
            {**an_object(b={"type": "null"}, c=ANY), "required": ["d", "b", "c"]},
            (),
        ),
        (
            {**an_object(b={"const": "x"}), "allOf": [an_object(b={"type": "string"}, c={})]},
            an_object(b={"enum": ["x"], "type": "string"}, c=ANY),
            (),
        ),
        (
            {"type": "string", "allOf": [{"type": "null"}]},
            {"type": "string"},
            ("a: allOf (type)",),
        ),
    ],
)
def test_what_stays_of_a_field_and_what_is_left_to_the_check(schema, kept, left_out):
    assert of_field(schema) == (kept, left_out)


def test_fields_keep_the_users_order_for_what_is_written_first_is_thought_of_first():
    schema = an_object(reasoning={"type": "string"}, conclusion={"type": "string"})
    assert list(grammar(schema).schema["properties"]) == ["reasoning", "conclusion"]


def test_references_within_references_end_at_a_depth_that_a_grammar_may_have():
    deep = {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(400)}
    found = grammar({"$ref": "#/$defs/d0", "$defs": {**deep, "d400": {"type": "null"}}})
    assert any("more than fits" in said for said in found.left_out)


def test_references_are_put_in_place_with_what_stands_beside_them():
    money = {"type": "object", "properties": {"usd": {"type": "number"}}}
    found, left_out = of_field(
        {"$ref": "#/$defs/Money", "description": "in all"}, **{"$defs": {"Money": money}}
    )
    assert (found, left_out) == ({**money, "description": "in all"}, ())


def test_a_schema_within_itself_is_unrolled_twice():
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}
    found, left_out = of_field({"$ref": "#/$defs/Node"}, **{"$defs": {"Node": node}})
    assert "$ref" not in json.dumps(found)
    assert json.dumps(found).count("next") == 2
    assert left_out == ("a/next/next: recursion",)


def test_references_that_double_each_other_end_at_a_size_that_a_grammar_may_have():
    twice = {
        f"d{n}": an_object(a={"$ref": f"#/$defs/d{n + 1}"}, b={"$ref": f"#/$defs/d{n + 1}"})
        for n in range(30)
    }
    found = grammar({"$ref": "#/$defs/d0", "$defs": {**twice, "d30": {"type": "null"}}})
    assert json.dumps(found.schema).count("properties") <= MOST_NODES
    assert any("more than fits" in said for said in found.left_out)


@pytest.mark.parametrize(
    ("pattern", "plain"),
    [
        ("^[0-9]{4}-[0-9]{2}$", "^[0-9]{4}-[0-9]{2}$"),
        (r"^\d{4}-\d\d$", "^[0-9]{4}-[0-9][0-9]$"),
        (r"^(?:INV|PO)-\d{1,6}$", "^(INV|PO)-[0-9]{1,6}$"),
        (r"^[A-Z\d._-]+@[\w.]+$", "^[A-Z0-9._-]+@[A-Za-z0-9_.]+$"),
        (r"^\d{2}\/\d{2}$", "^[0-9]{2}/[0-9]{2}$"),
        (r"^[\w\.\-]+$", "^[A-Za-z0-9_.-]+$"),
        (r"^[\]\[]$", r"^[\]\[]$"),
        ("^.{1,20}$", None),  # it may stand for a quote, and so for the end of the string
        ("^[^@]+$", None),
        (r"^a\\b$", None),
        ('^"$', None),
        (r"^\$5\.00$", r"^\$5\.00$"),
        ("^$", "^$"),
        ("abc", None),  # not the whole text
        ("^a|b$", None),  # its anchors hold one half each
        ("^(?!a)b+$", None),
        ("^(?=a)b+$", None),
        (r"^\bfoo$", None),
        (r"^(a)\1$", None),
        (r"^\p{L}+$", None),
        (r"^\u0041$", None),
        ("^a*?$", None),
        ("^a{2000}$", None),
        ("^(a{100}){100}$", None),
        ("^(a$", None),
        ("^a)b(c$", None),
        ("^{2}$", None),
        ("^a\\$", None),
        ("^" + "(" * 50 + "a" + ")" * 50 + "$", None),
    ],
)
def test_a_pattern_is_sent_in_words_that_every_engine_knows_or_not_at_all(pattern, plain):
    assert plain_pattern(pattern, MOST_REPEATS) == plain


STRINGS = st.one_of(
    st.just({"type": "string"}),
    st.just({"type": ["string", "null"]}),
    st.integers(0, 50).map(lambda most: {"type": "string", "maxLength": most}),
    st.just({"type": "string", "enum": ["a", "b"]}),
    st.just({"enum": ["a", 1]}),
    st.just({"type": "integer"}),
)
SCHEMAS = st.recursive(
    STRINGS,
    lambda inner: st.one_of(
        st.dictionaries(st.sampled_from(["a", "type", "enum", "items"]), inner, max_size=3).map(
            lambda properties: {"type": "object", "properties": properties}
        ),
        inner.map(lambda items: {"type": "array", "items": items}),
        st.lists(inner, min_size=1, max_size=2).map(lambda choices: {"anyOf": choices}),
    ),
    max_leaves=6,
)


def free_strings(node: object) -> list[dict]:
    if isinstance(node, list):
        return [found for item in node for found in free_strings(item)]
    if not isinstance(node, dict):
        return []
    deeper = [found for value in node.values() for found in free_strings(value)]
    kinds = node.get("type")
    is_free = kinds in ("string", ["string", "null"]) and not {"enum", "maxLength"} & node.keys()
    return [*deeper, node] if is_free else deeper


@given(SCHEMAS, st.integers(16, 4096), st.booleans())
def test_a_bounded_schema_has_no_free_string_left_and_is_still_a_schema(schema, max_tokens, even):
    made = bounded(schema, max_tokens, even=even)
    assert free_strings(made) == []
    validator(made)


@given(SCHEMAS, st.integers(16, 4096), st.booleans())
def test_bounding_changes_nothing_but_lengths_and_not_the_users_schema(schema, max_tokens, even):
    before = json.dumps(schema)
    made = bounded(schema, max_tokens, even=even)
    assert json.dumps(schema) == before

    def same(old: object, new: object) -> bool:
        if isinstance(old, dict):
            extra = new.keys() - old.keys()
            return extra <= {"maxLength"} and all(same(old[key], new[key]) for key in old)
        if isinstance(old, list):
            return all(same(*pair) for pair in zip(old, new, strict=True))
        return old == new

    assert same(schema, made)


def strings(count: int) -> dict:
    return {"type": "object", "properties": {f"f{n}": {"type": "string"} for n in range(count)}}


def bound_of(schema: dict, max_tokens: int, *, even: bool = False) -> int:
    made = bounded(schema, max_tokens, even=even)["properties"]
    [length] = {field["maxLength"] for field in made.values()}
    return length


def test_no_value_is_cut_short_however_many_fields_share_the_limit():
    address = (
        "No 7, Jalan Anggerik Vanilla 31/99B, Kota Kemuning, 40460 Shah Alam, Selangor D.E., 3F"
    )
    for fields in (1, 2, 4, 5, 8, 20):
        assert bound_of(strings(fields), 192) >= max(len(address), VALUE_CHARS)
    assert bound_of(strings(1), 512) > VALUE_CHARS, "one string alone has all the room there is"


def test_an_evenly_bounded_answer_ends_within_the_limit_whatever_it_is_made_of():
    for fields, max_tokens in ((1, 64), (4, 192), (4, 384), (8, 384), (20, 1024)):
        answer = {f"f{n}": "7" * bound_of(strings(fields), max_tokens, even=True)
                  for n in range(fields)}  # fmt: skip
        written = len(json.dumps(answer, separators=(",", ":")))
        assert written <= CHARS_PER_TOKEN * max_tokens


def test_a_string_is_never_bound_to_next_to_nothing():
    assert bound_of(strings(200), 96, even=True) == 24


VALUES = st.recursive(
    st.one_of(st.none(), st.integers(-5, 5), st.sampled_from(["a", "b", "", "2026-05-30"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["a", "type", "enum", "items"]), inner, max_size=3),
    ),
    max_leaves=6,
)


@given(SCHEMAS, VALUES)
def test_no_answer_that_the_users_schema_takes_is_beyond_the_grammar(schema, value):
    if validator(schema).is_valid(value):
        assert Draft202012Validator(grammar(schema).schema).is_valid(value)


def free_lists(node: object) -> list[dict]:
    if isinstance(node, list):
        return [found for item in node for found in free_lists(item)]
    if not isinstance(node, dict):
        return []
    deeper = [found for value in node.values() for found in free_lists(value)]
    is_free = node.get("type") == "array" and isinstance(node.get("items"), dict)
    return [*deeper, node] if is_free and "maxItems" not in node else deeper


@given(SCHEMAS, st.integers(16, 4096))
def test_no_list_is_without_a_bound_where_an_engine_writes_it(schema, max_tokens):
    before = json.dumps(schema)
    made = limited(schema, max_tokens)
    assert free_lists(made) == []
    validator(made)
    assert json.dumps(schema) == before


ROWS = {"type": "array", "items": {"type": "object", "properties": {"n": {}, "amount": {}}}}


@pytest.mark.parametrize(
    ("schema", "most"),
    [
        (ROWS, range(15, 60)),
        ({**ROWS, "maxItems": 900}, range(900, 901)),
        ({**ROWS, "minItems": 70}, range(70, 71)),
        ({**ROWS, "items": {"anyOf": [ROWS["items"], {"type": "null"}]}}, range(15, 60)),
        ({**ROWS, "items": {"type": "array", "items": ROWS["items"]}}, range(15, 60)),
        ({"type": ["array", "null"], "items": {"type": "string"}}, range(40, 200)),
    ],
)
def test_a_list_holds_as_much_as_an_answer_does_and_what_the_user_says_stays(schema, most):
    assert limited(schema, 512)["maxItems"] in most


def test_the_words_of_an_enum_are_no_schema():
    schema = {"enum": [{"type": "array", "items": {}}]}
    assert limited(schema, 512) == schema
