"""A list that one answer does not hold: where it goes on, and what is said where it cannot."""

from dataclasses import replace
from typing import Any

import pytest

from models.reasons import FieldCode, FieldOutcome
from worker.run.ground import Source
from worker.run.lists import Question, clipped, further, halves, list_room, sizes
from worker.run.merge import Seen, merge
from worker.run.verify.check import FieldCheck
from worker.run.wide import lists
from worker.run.windows import whole

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "account": {"type": "string"},
        "o": {
            "type": "object",
            "properties": {
                "rows": {
                    "type": "array",
                    "minItems": 1,
                    "items": {"type": "object", "properties": {"n": {"type": "string"}}},
                }
            },
            "required": ["rows"],
        },
    },
    "required": ["account", "o"],
}
PLAIN = {"type": "object", "properties": {"account": {"type": "string"}}}
MOST = lists(SCHEMA, 100)[0].most or 0
"""Items that an answer of 100 tokens may hold."""

LINES = [f"row number {n}\n" for n in range(40)]
WINDOW = whole([Source(0, "".join(LINES))])
STARTS = [sum(map(len, LINES[:n])) for n in range(41)]


def answer(size: int, *, placed: int | None = None) -> Seen:
    """An answer with so many rows, of which the first ones stand in the text."""
    rows = [{"n": str(n)} for n in range(size)]
    spans = {f"o.rows.{n}": [STARTS[n], STARTS[n + 1] - 1] for n in range(size)[:placed]}
    return Seen(0, WINDOW.end, {"account": "4711", "o": {"rows": rows}}, {}, spans)


def test_a_list_with_room_left_is_complete():
    for size in (0, 1, MOST - 1, MOST + 1):  # more than the bound: the engine knows none
        assert further(Question(SCHEMA, WINDOW), answer(size), 100) == (answer(size), ())


def test_a_full_list_goes_on_behind_its_last_rows_and_asks_for_nothing_else():
    seen, questions = further(Question(SCHEMA, WINDOW), answer(MOST), 100)
    assert seen.ends == {"o.rows": STARTS[MOST - 3]}
    assert questions[0].window.start == STARTS[MOST - 3]
    assert questions[-1].window.end == WINDOW.end
    assert seen.value == answer(MOST).value
    for question in questions:
        assert question.schema["properties"].keys() == {"o"}
        assert "minItems" not in question.schema["properties"]["o"]["properties"]["rows"]
        own = question.window.end - question.window.start
        assert own < STARTS[MOST]


def test_a_full_list_takes_no_row_of_another_one_with_it():
    found = answer(MOST)
    payments = [{"n": "last"}]
    whole_answer = replace(
        found,
        value={**found.value, "payments": payments},
        spans={**found.spans, "payments.0": [STARTS[39], STARTS[40] - 1]},
    )
    seen, questions = further(Question(SCHEMA, WINDOW), whole_answer, 100)
    rest = [Seen(q.window.start, q.window.end, {"o": {"rows": []}}) for q in questions]
    assert rest
    assert merge([seen, *rest], SCHEMA).value["payments"] == payments


def test_a_list_that_ends_in_the_margin_is_complete():
    window = whole([Source(0, "".join(LINES[: MOST - 4]))])
    _, questions = further(Question(SCHEMA, window), answer(MOST), 100)
    assert questions == ()


@pytest.mark.parametrize("placed", [0, MOST // 2])
def test_a_full_list_that_stands_nowhere_may_end_too_early_and_says_so(placed):
    seen, questions = further(Question(SCHEMA, WINDOW), answer(MOST, placed=placed), 100)
    assert questions == ()
    assert seen.fields["o.rows"] == FieldCheck("check", "cut_off", f"after {MOST} items")


def test_one_line_that_fills_a_list_is_not_cut():
    window = whole([Source(0, "a b c d e f g h")])
    spans = {f"o.rows.{n}": [n, n + 1] for n in range(MOST)}
    seen = Seen(0, 15, answer(MOST).value, {}, spans)
    found, questions = further(Question(SCHEMA, window), seen, 100)
    assert questions == ()
    assert found.fields["o.rows"].code == "cut_off"


def test_rows_that_all_stand_on_the_first_of_several_lines_are_asked_for_in_halves():
    window = whole([Source(0, "a b c d e f g h " * 9 + "\n" + "".join(LINES))])
    spans = {f"o.rows.{n}": [n, n + 1] for n in range(MOST)}
    seen = Seen(0, window.end, answer(MOST).value, {}, spans)
    found, questions = further(Question(SCHEMA, window), seen, 100)
    assert (found.ends, questions[0].window.start) == ({"o.rows": 0}, 0)
    assert 2 <= len(questions) <= 3


def test_a_list_without_a_bound_of_ours_ends_where_it_ends():
    bound = {"type": "array", "maxItems": MOST, "items": {"type": "string"}}
    schema = {"type": "object", "properties": {"l": bound}}
    seen = Seen(0, 9, {"l": ["x"] * MOST})
    assert further(Question(schema, WINDOW), seen, 100) == (seen, ())


def test_an_answer_that_was_cut_off_is_asked_for_in_halves_where_it_has_a_list():
    left, *_, right = halves(Question(SCHEMA, WINDOW), 100)
    assert (left.window.start, right.window.end) == (0, WINDOW.end)
    assert left.window.end < WINDOW.end
    assert left.schema["properties"].keys() == SCHEMA["properties"].keys()
    assert halves(Question(PLAIN, WINDOW), 100) == ()
    assert halves(Question(SCHEMA, whole([Source(0, "a\nb\n")])), 100) == ()


# --- the whole ------------------------------------------------------------------------------------


def test_more_items_than_the_schema_allows_are_left_out_and_it_is_said():
    rows = {"type": "array", "maxItems": 2, "items": {"type": "object"}}
    schema = {"type": "object", "properties": {"o": {"type": "object", "properties": {"r": rows}}}}
    sure = FieldCheck("sure", "row")
    value = {"o": {"r": [{"n": n} for n in range(4)], "x": 1}}
    known = {f"o.r.{n}.n": sure for n in range(4)} | {"o.x": sure}
    spans = {path: [1, 2] for path in known} | {"o.r.3": [1, 2]}
    one = clipped(Seen(0, 9, value, known, spans), schema)
    assert one.value == {"o": {"r": [{"n": 0}, {"n": 1}], "x": 1}}
    assert one.fields.keys() == {"o.r", "o.r.0.n", "o.r.1.n", "o.x"}
    assert one.spans.keys() == {"o.r.0.n", "o.r.1.n", "o.x"}
    assert (one.fields["o.r"].code, one.fields["o.r"].about) == (
        "cut_off",
        "2 of 4 that were found",
    )
    few = Seen(0, 9, {"o": {"r": []}})
    assert clipped(few, schema) == few


def test_lists_are_counted_by_their_paths():
    assert sizes(answer(3).value, SCHEMA) == {"o.rows": 3}
    assert sizes({"account": "x"}, SCHEMA) == {}
    assert sizes({"o": {"rows": None}}, SCHEMA) == {}


@pytest.mark.parametrize(
    ("room", "max_tokens", "text"), [(7_000, 512, 1_728), (1_000, 512, 680), (300, 512, 150)]
)
def test_parts_of_a_list_hold_a_few_answers_of_text_and_leave_room_for_their_margins(
    room, max_tokens, text
):
    assert list_room(room, max_tokens) == text


def test_a_field_whose_name_begins_as_a_list_does_is_not_clipped():
    schema = {
        "type": "object",
        "properties": {"r": {"type": "array", "maxItems": 1, "items": {"type": "string"}}},
    }
    known = FieldCheck(FieldOutcome.SURE, FieldCode.LABELLED)
    seen = Seen(0, 9, {"r": ["a", "b"], "r.note": "c"}, {"r.1": known, "r.note": known})
    assert clipped(seen, schema).fields.keys() == {"r", "r.note"}
