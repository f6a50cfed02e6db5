import pytest

from models.errors import InputError
from models.words import Ruling
from producer.corrections import (
    Answer,
    Correction,
    Edit,
    Text,
    differences,
    find,
    is_settled,
    leaves,
    open_fields,
    rule,
    same,
)

SCHEMA = {
    "type": "object",
    "properties": {
        "vendor": {"type": ["string", "null"]},
        "total": {"type": "number"},
        "paid": {"type": "boolean"},
        "note": {"type": "string"},
        "items": {
            "type": "array",
            "items": {"type": "object", "properties": {"price": {"type": ["number", "null"]}}},
        },
    },
    "required": ["vendor", "total"],
    "additionalProperties": False,
}
VALUE = {"vendor": "Acme", "total": 75.5, "paid": True, "items": [{"price": 1}, {"price": 2}]}
CHECKS = {
    "vendor": {"outcome": "sure", "code": "labelled"},
    "total": {"outcome": "check", "code": "unlabelled"},
    "items.1.price": {"outcome": "wrong", "code": "not_in_text"},
}


def answer(value=None, schema=SCHEMA, **more) -> Answer:
    return Answer(12, 3, VALUE if value is None else value, schema, "call", **more)


def typed(field: str, words: str, of: Answer | None = None) -> Correction:
    of = of or answer()
    (made,) = rule(of, [Edit(find(of, field), Text(words))])
    return made


@pytest.mark.parametrize(
    ("field", "words", "new", "ruling"),
    [
        ("vendor", "Beta", "Beta", Ruling.CORRECTED),
        ("vendor", "Acme", "Acme", Ruling.CONFIRMED),
        ("vendor", "75", "75", Ruling.CORRECTED),  # a text stays one
        ("vendor", "null", None, Ruling.ABSENT),
        ("vendor", "", "", Ruling.CORRECTED),
        ("vendor", "a=b, 'c'", "a=b, 'c'", Ruling.CORRECTED),
        ("total", "80", 80, Ruling.CORRECTED),
        ("total", "75.50", 75.5, Ruling.CONFIRMED),
        ("paid", "FALSE", False, Ruling.CORRECTED),
        ("items.1.price", "3.25", 3.25, Ruling.CORRECTED),
        ("items.0.price", "null", None, Ruling.ABSENT),
        ("items", '[{"price": 9}]', [{"price": 9}], Ruling.CORRECTED),
        ("note", "late", "late", Ruling.CORRECTED),  # left out, and the schema names it
    ],
)
def test_what_somebody_types_becomes_a_value_of_the_kind_that_the_schema_allows(
    field, words, new, ruling
):
    made = typed(field, words)
    assert (made.field, made.new, made.ruling) == (field, new, ruling)
    assert type(made.new) is type(new)


@pytest.mark.parametrize(
    ("field", "words", "said"),
    [
        ("total", "much", "total: .*is not of type"),
        ("total", "null", "total: null is not of type"),
        ("paid", "1", "paid: "),
        ("items", "[1]", "items/0: "),
        ("items.1.price", "true", "items/1/price: "),
        ("colour", "red", "job 12 has no field 'colour'; it has vendor, total, paid"),
        ("items.7.price", "1", "no field"),
        ("vendor", "\0", "cannot be stored"),
        ("vendor", "x" * 100_001, "longer than 100,000"),
    ],
)
def test_what_the_schema_does_not_allow_is_said_with_its_place(field, words, said):
    with pytest.raises(InputError, match=said):
        typed(field, words)


def test_without_a_schema_every_value_keeps_its_kind_or_is_absent():
    plain = answer({"label": "angry", "sure": True, "facts": [{"n": 1}]}, schema=None)
    assert typed("label", "42", plain).new == "42"
    assert typed("label", "null", plain).ruling is Ruling.ABSENT
    assert typed("sure", "false", plain).new is False
    assert typed("facts", '[{"n": 1}, {"n": 2}]', plain).new == [{"n": 1}, {"n": 2}]
    for field, words in (("sure", "perhaps"), ("facts.0.n", "x"), ("facts", '["x"]')):
        with pytest.raises(InputError):
            typed(field, words, plain)


def test_an_answer_that_never_matched_its_schema_can_still_be_corrected():
    broken = answer({"vendor": 5, "total": 1})
    assert typed("total", "2", broken).new == 2
    assert typed("vendor", "Acme", broken).new == "Acme"


def test_confirming_rules_on_every_value_that_is_not_corrected():
    made = rule(answer(), [Edit(("items",), [])], confirm=True)
    assert [(each.field, each.ruling) for each in made] == [
        ("items", Ruling.CORRECTED),
        ("vendor", Ruling.CONFIRMED),
        ("total", Ruling.CONFIRMED),
        ("paid", Ruling.CONFIRMED),
    ]


def test_a_key_may_hold_a_dot():
    dotted = answer({"a.b": {"c": 1}, "a": {"b": 2}}, schema=None)
    assert find(dotted, "a.b.c") == ("a.b", "c")
    assert find(dotted, "a.b") == ("a.b",)
    assert find(answer({"a": {"b": 2}}, schema=None), "a.b") == ("a", "b")


@pytest.mark.parametrize(
    ("new", "edits"),
    [
        (VALUE, []),
        ({**VALUE, "total": 75.50}, []),
        ({**VALUE, "total": 76}, [Edit(("total",), 76)]),
        ({**VALUE, "paid": 1}, [Edit(("paid",), 1)]),
        ({**VALUE, "vendor": None}, [Edit(("vendor",), None)]),
        ({**VALUE, "items": [{"price": 1}, {"price": 3}]}, [Edit(("items", "1", "price"), 3)]),
        ({**VALUE, "items": []}, [Edit(("items",), [])]),
        ({**VALUE, "note": "x"}, [Edit(("note",), "x")]),
    ],
)
def test_the_differences_of_two_answers_are_the_smallest_edits(new, edits):
    assert list(differences(VALUE, new)) == edits


def test_a_field_that_is_missing_in_the_new_answer_is_asked_for():
    with pytest.raises(InputError, match=r"items\.0\.price is missing; write null"):
        list(differences(VALUE, {**VALUE, "items": [{}, {"price": 2}]}))


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [(1, 1.0, True), (1, True, False), (0, False, False), (None, None, True), ("1", 1, False),
     ({"a": 1, "b": [1]}, {"b": [1], "a": 1}, True), ([1], [True], False), ([], {}, False)],
)  # fmt: skip
def test_two_values_are_the_same_where_json_says_so(one, other, equal):
    assert same(one, other) is equal


def test_every_value_without_further_ones_is_a_leaf():
    nested = {"a": [], "b": {"c": None, "d": [1, {"e": 2}]}}
    assert [".".join(path) for path, _ in leaves(nested)] == ["a", "b.c", "b.d.0", "b.d.1.e"]
    assert list(leaves({})) == []


def ruled(*fields: str, ruling: str = "confirmed") -> dict:
    return {field: {"ruling": ruling, "by": "Asha", "at": "-"} for field in fields}


@pytest.mark.parametrize(
    ("rulings", "left"),
    [
        ({}, ["items.1.price", "total"]),
        (ruled("total"), ["items.1.price"]),
        (ruled("items", ruling="corrected"), ["total"]),
        (ruled("items", ruling="absent"), ["total"]),
        (ruled("items"), ["items.1.price", "total"]),  # it has all its items: nothing of them
        (ruled("items.1.price", "total"), []),
    ],
)
def test_what_is_wrong_is_looked_at_before_what_cannot_be_told_and_what_was_ruled_on_no_more(
    rulings, left
):
    assert open_fields(answer(rulings=rulings, fields=CHECKS)) == left


def test_what_was_accepted_is_not_for_review_and_what_was_not_is_whatever_its_outcome():
    checks = {
        "kept": {"outcome": "check", "confidence": 0.99, "accepted": True},
        "likely": {"outcome": "sure", "confidence": 0.9, "accepted": False},
        "unlikely": {"outcome": "check", "confidence": 0.1, "accepted": False},
        "before": {"outcome": "check"},  # of a time without scores
    }
    found = answer(dict.fromkeys(checks, "x"), rulings={}, fields=checks)
    assert open_fields(found) == ["unlikely", "likely", "before"]


@pytest.mark.parametrize(
    ("value", "fields", "rulings", "settled"),
    [
        ({"a": "x"}, {"a": {"outcome": "sure"}}, {}, False),  # nobody looked at it
        ({"a": "x", "b": "y"}, {"a": {"outcome": "sure"}}, ruled("b"), True),
        ({"a": "x", "b": "y"}, {"a": {"outcome": "check"}}, ruled("b"), False),
        ({"a": "x", "b": True}, {"a": {"outcome": "sure"}}, ruled("a"), False),
        ({"a": "x", "b": None}, {"a": {"outcome": "sure"}}, ruled("a"), True),
        ({"a": "x", "b": None}, {"b": {"outcome": "check"}}, ruled("a"), False),
        ({"a": "x", "b": None}, None, ruled("a"), False),
        ({"label": "x"}, None, ruled("label"), True),
        ({"a": [{"b": 1}, {"b": 2}]}, {}, ruled("a", ruling="corrected"), True),
        ({"a": [{"b": 1}, {"b": 2}]}, {}, ruled("a"), False),
        ({"a": [1], "b": "y"}, {"a": {"outcome": "check"}}, ruled("a.0", "b"), False),
        ({"a": [1], "b": "y"}, {"a": {"outcome": "check"}}, ruled("a", "a.0", "b"), True),
        ({"a": "x"}, {"b": {"outcome": "wrong"}}, ruled("a"), False),  # left out, and missed
    ],
)
def test_an_answer_is_settled_when_people_or_checks_vouch_for_every_value(
    value, fields, rulings, settled
):
    assert is_settled(answer(value, rulings=rulings, fields=fields)) is settled


LISTED = {"items": {"outcome": "check", "code": "gaps"}, "vendor": {"outcome": "sure"}}
NAMED = {"type": "object", "properties": {"net": {"type": "string"}, "total": {"type": "string"}}}


def after(of: Answer, made: list[Correction]) -> Answer:
    """The answer once these are stored."""
    rulings = {**(of.rulings or {}), **{each.field: each.as_json() for each in made}}
    return answer(of.value, of.schema, fields=of.fields, rulings=rulings)


def test_confirming_leaves_nothing_open_that_the_checks_speak_of():
    missed = {"total": {"outcome": "wrong", "code": "own_check"}}
    inner = {"vendor.name": {"outcome": "wrong", "code": "own_check"}}
    for found in (
        answer({"items": [{"price": 1}], "vendor": "Acme", "total": 1}, fields=LISTED),
        answer({"net": "1.00"}, NAMED, fields=missed),
        answer({"vendor": None}, None, fields=inner),
    ):
        done = after(found, rule(found, [], confirm=True))
        assert (open_fields(done), is_settled(done)) == ([], True), found
        assert rule(done, [], confirm=True) == []


def test_a_field_that_is_left_out_can_be_accepted_or_called_absent_as_it_is():
    missed = {"total": {"outcome": "wrong", "code": "own_check"}}
    found = answer({"net": "1.00"}, NAMED, fields=missed)
    path = find(found, "total")
    for new in (None, Text("null")):
        [made] = rule(found, [Edit(path, new)])
        assert (made.field, made.old, made.new) == ("total", None, None)
        assert open_fields(after(found, [made])) == []


def test_a_check_of_what_null_leaves_out_names_a_field_all_the_same():
    checks = {"vendor.name": {"outcome": "wrong"}, "items.7.price": {"outcome": "wrong"}}
    found = answer({"vendor": None, "items": []}, None, fields=checks)
    assert find(found, "vendor.name") == ("vendor", "name")
    with pytest.raises(InputError, match=r"no field 'items\.7\.price'"):
        find(found, "items.7.price")
    with pytest.raises(InputError, match=r"vendor\.name: vendor is null; correct that, as JSON"):
        rule(found, [Edit(("vendor", "name"), "Acme")])


def test_a_list_that_was_made_another_stays_so_when_it_is_accepted():
    found = answer(rulings=ruled("items", ruling="corrected"), fields=CHECKS)
    [made] = rule(found, [Edit(("items",), VALUE["items"])])
    assert made.ruling is Ruling.CORRECTED
    assert open_fields(after(found, [made])) == ["total"]
