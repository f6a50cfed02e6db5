"""Answers about stretches of one text become one answer."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.reasons import FieldCode, FieldOutcome
from models.words import TaskType
from worker.run.ground import Source
from worker.run.merge import Seen, look, merge
from worker.run.verify.check import FieldCheck
from worker.run.windows import whole

SURE = FieldCheck(FieldOutcome.SURE, FieldCode.LABELLED)
CHECK = FieldCheck(FieldOutcome.CHECK, FieldCode.UNLABELLED)
WRONG = FieldCheck(FieldOutcome.WRONG, FieldCode.NOT_IN_TEXT)


def seen(*values: dict[str, Any], **checks: list[FieldCheck | None]) -> list[Seen]:
    """Answers about one stretch after the other, and what the checks say of their values."""
    return [
        Seen(
            100 * n,
            100 * n + 100,
            value,
            {path: check for path, each in checks.items() if (check := each[n]) is not None},
        )
        for n, value in enumerate(values)
    ]


@pytest.mark.parametrize(
    ("parts", "merged"),
    [
        ([{"a": None}, {"a": "x"}, {"a": "y"}], {"a": "x"}),
        ([{"a": ""}, {"a": "x"}], {"a": "x"}),
        ([{"a": "x"}, {"a": None}], {"a": "x"}),
        ([{"a": 0}, {"a": 5}], {"a": 0}),
        ([{"a": False}, {"a": True}], {"a": False}),
        ([{"a": [1, 2]}, {"a": [2, 3]}], {"a": [1, 2, 3]}),
        ([{"a": []}, {"a": [{"n": 1}]}, {"a": [{"n": 1}]}], {"a": [{"n": 1}]}),
        ([{"a": None}, {"a": None}], {"a": None}),
        ([{"a": 1}, {"b": 2}], {"a": 1, "b": 2}),
        ([{"a": {"b": 1, "c": None}}, {"a": {"b": 2, "c": 3}}], {"a": {"b": 1, "c": 3}}),
        ([{"a": None}, {"a": {"b": 2}}], {"a": {"b": 2}}),
        ([{"a": "x"}, {"a": "y"}, {"a": "Y"}], {"a": "y"}),
        ([{"a": "x"}, {"a": {"b": 1}}], {"a": "x"}),
    ],
)
def test_what_one_lacks_another_gives_and_of_those_that_differ_most_count(parts, merged):
    before = json.dumps(parts)
    assert merge(seen(*parts), {}).value == merged
    assert json.dumps(parts) == before


@pytest.mark.parametrize(
    ("values", "checks", "chosen", "code"),
    [
        ("xyy", [SURE, CHECK, CHECK], "x", "labelled"),
        ("xyy", [SURE, SURE, SURE], "y", "conflict"),
        ("xyz", [CHECK, SURE, SURE], "y", "conflict"),
        ("xyy", [CHECK, WRONG, WRONG], "x", "unlabelled"),
        ("xxx", [CHECK, SURE, None], "x", "labelled"),
        ("xy", [None, None], "x", "conflict"),
        ("xy", [WRONG, WRONG], "x", "not_in_text"),
    ],
)
def test_sure_ones_come_first_then_agreement_then_the_first_and_conflicts_are_said(
    values, checks, chosen, code
):
    whole = merge(seen(*({"a": value} for value in values), a=checks), {})
    assert whole.value == {"a": chosen}
    assert whole.fields["a"].code == code


def test_a_conflict_names_the_others_once_and_keeps_where_the_value_stands():
    sure = FieldCheck(FieldOutcome.SURE, FieldCode.LABELLED, "Date", [3, 7], 1)
    parts = seen({"a": "May"}, {"a": "June"}, {"a": "july"}, {"a": "June "}, a=[SURE] * 4)
    assert merge(parts, {}).fields["a"].about == "May; july"
    parts = seen({"a": "May"}, {"a": "June"}, a=[sure, SURE])
    found = merge(parts, {}).fields["a"]
    assert (found.about, found.span, found.page) == ("June", [3, 7], 1)


def test_what_no_part_gave_is_missed_where_one_missed_it():
    missed = FieldCheck(FieldOutcome.CHECK, FieldCode.MISSED)
    absent = FieldCheck(FieldOutcome.SURE, FieldCode.ABSENT)
    whole = merge(seen({"a": None}, {"a": None}, a=[absent, missed]), {})
    assert whole.fields["a"] == missed


def test_the_text_has_no_value_only_where_no_part_has_one():
    absent = FieldCheck(FieldOutcome.SURE, FieldCode.ABSENT)
    assert merge(seen({"a": None}, {"a": None}, a=[absent, absent]), {}).fields == {"a": absent}
    assert merge(seen({"a": None}, {"a": None}, a=[absent, None]), {}).fields == {}


@pytest.mark.parametrize(
    ("other", "check", "code"),
    [
        ("x", CHECK, "only_one"),
        (None, FieldCheck(FieldOutcome.SURE, FieldCode.ABSENT), "only_one"),
        (None, None, "unlabelled"),
        ("y", CHECK, "conflict"),
    ],
)
def test_the_only_value_of_a_part_is_the_only_one_of_the_text_where_no_other_has_another(
    other, check, code
):
    only = FieldCheck(FieldOutcome.SURE, FieldCode.ONLY_ONE, None, [1, 2])
    found = merge(seen({"a": "x"}, {"a": other}, a=[only, check]), {}).fields["a"]
    assert (found.code, found.span) == (code, [1, 2])


def test_what_is_known_of_a_value_goes_with_it():
    parts = [
        Seen(0, 9, {"o": {"a": "x", "l": ["p"]}}, {"o.a": SURE, "o.l.0": CHECK}, {"o.a": [1, 2]}),
        Seen(9, 20, {"o": {"a": "x", "l": ["q"]}}, {"o.l.0": SURE}, {"o.l.0": [3, 4]}),
    ]
    whole = merge(parts, {})
    assert whole.value == {"o": {"a": "x", "l": ["p", "q"]}}
    assert whole.fields == {"o.a": SURE, "o.l.0": CHECK, "o.l.1": SURE}
    assert whole.spans == {"o.a": [1, 2], "o.l.1": [3, 4]}


def test_what_is_said_of_a_list_as_a_whole_stays_with_it():
    cut = FieldCheck(FieldOutcome.CHECK, FieldCode.CUT_OFF, "after 9 items")
    parts = seen({"l": ["a"]}, {"l": ["b"]}, {"l": ["c"]}, l=[None, cut, None])
    whole = merge(parts, {})
    assert (whole.value, whole.fields) == ({"l": ["a", "b", "c"]}, {"l": cut})


# --- rows -----------------------------------------------------------------------------------------


def rows(start: int, end: int, *placed: tuple[str, int | None]) -> Seen:
    spans = {f"r.{n}": [at - 1, at] for n, (_, at) in enumerate(placed) if at is not None}
    return Seen(start, end, {"r": [{"n": said, "m": 1} for said, _ in placed]}, {}, spans)


def merged_rows(*parts: Seen, schema: dict[str, Any] | None = None) -> list[str]:
    return [row["n"] for row in merge(parts, schema or {}).value["r"]]


@pytest.mark.parametrize(
    ("left", "right", "said"),
    [
        ([("a", 5), ("b", 12)], [("a", 5), ("b", 12)], "ab"),  # each saw both, and owns one
        ([("a", 5), ("a", 12)], [("a", 12), ("a", 15)], "aaa"),  # equal, at three places
        ([("a", 10)], [("b", 11)], "ab"),  # an end belongs to what is before it
        ([("a", 5), ("x", None)], [("y", None), ("b", 15)], "axyb"),
        ([("a", 5), ("b", 12), ("x", None)], [("y", None), ("a", 5), ("b", 12)], "ab"),
        ([("a", 5)], [("a", None)], "a"),  # nothing tells where it stands: by what it says
        ([("a", None), ("a", None)], [("a", None), ("b", None)], "aab"),
    ],
)
def test_a_row_is_taken_from_the_stretch_that_it_ends_in(left, right, said):
    assert "".join(merged_rows(rows(0, 10, *left), rows(10, 20, *right))) == said


def test_rows_that_are_to_differ_are_told_by_what_they_say():
    unique = {
        "type": "object",
        "properties": {"r": {"type": "array", "uniqueItems": True, "items": {"type": "object"}}},
    }
    parts = rows(0, 10, ("a", 5), ("a", 7)), rows(10, 20, ("a", 12), ("b", 14))
    assert merged_rows(*parts, schema=unique) == ["a", "b"]


def test_a_name_and_its_value_are_one_fact_however_often_they_stand_there():
    fact = {"name": "Total", "value": "5"}
    parts = [
        Seen(n, n + 10, {"facts": [fact]}, {}, {"facts.0": [n + 1, n + 2]}) for n in (0, 10, 20)
    ]
    assert merge(parts, {}).value == {"facts": [fact]}


SCHEMA = {
    "type": "object",
    "properties": {
        "r": {
            "type": "array",
            "items": {"type": "object", "properties": {"n": {}, "m": {}}},
        }
    },
}


@given(
    st.lists(st.sampled_from(["Tea 3.50", "Coffee 4.50", "Rent 900.00"]), min_size=1, max_size=24),
    st.lists(st.integers(0, 24), max_size=4),
    st.integers(0, 3),
)
def test_however_a_text_is_cut_and_overlaps_its_rows_come_back_each_once(lines, cuts, overlap):
    text = "\n".join(lines)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    borders = sorted({0, len(lines), *(min(cut, len(lines)) for cut in cuts)})
    parts = []
    for first, last in pairwise(borders):
        a, z = max(first - overlap, 0), min(last + overlap, len(lines))
        shown = Source(starts[a], text[starts[a] : starts[z]])
        said = {"r": [dict(zip("nm", line.split(" "), strict=True)) for line in lines[a:z]]}
        found = look(TaskType.EXTRACTION, said, SCHEMA, whole([shown]))
        parts.append(Seen(starts[first], starts[last], said, found.fields, found.spans))
    merged = merge(parts, SCHEMA).value["r"]
    assert [f"{row['n']} {row['m']}" for row in merged] == lines
