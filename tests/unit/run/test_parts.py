import json
from dataclasses import asdict
from itertools import chain, pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.reasons import FieldCode, FieldOutcome
from worker.run.claims import found_of
from worker.run.ground import Source
from worker.run.job import Found
from worker.run.outcome import Part
from worker.run.parts import (
    SEPARATOR,
    first_level,
    most_said,
    next_level,
    partial_answers,
    seen_in,
    text_of,
)
from worker.run.verify.check import FieldCheck
from worker.tokens import estimate

PIECES = st.lists(st.text(max_size=60), min_size=1, max_size=20).map(
    lambda texts: [Source(0, text, number) for number, text in enumerate(texts, start=1)]
)
ROOM = st.integers(1, 60)


def said(*texts: str, first: int = 1, step: int = 1) -> list[Found]:
    """What parts said, the parts by their first chunks."""
    return [
        Found(first + number * step, {"summary": text}, UUID(int=number))
        for number, text in enumerate(texts)
    ]


FOUND = st.lists(st.text(max_size=60), min_size=1, max_size=20).map(lambda texts: said(*texts))


def size(found: Found) -> int:
    return estimate(partial_answers([found]))


# --- the first level: runs of chunks --------------------------------------------------------------


@given(PIECES, ROOM)
def test_every_piece_is_in_one_part_in_order(pieces, room):
    parts = first_level(pieces, room)
    covered = chain.from_iterable(range(part.first, part.last + 1) for part in parts)
    assert list(covered) == [piece.ordinal for piece in pieces]
    assert {part.level for part in parts} == {1}


@given(PIECES, ROOM)
def test_a_part_is_within_its_room_unless_one_piece_alone_is_not(pieces, room):
    for part in first_level(pieces, room):
        sizes = [estimate(piece.text) for piece in pieces[part.first - 1 : part.last]]
        assert part.tokens == sum(sizes)
        assert len(sizes) == 1 or sum(sizes) <= room


@given(PIECES, ROOM)
def test_two_neighbouring_parts_would_not_fit_into_one(pieces, room):
    for left, right in pairwise(first_level(pieces, room)):
        assert left.tokens + estimate(pieces[right.first - 1].text) > room


def test_a_document_that_fits_is_one_part():
    pieces = [Source(0, "one", 1), Source(5, "two", 2)]
    assert first_level(pieces, 1000) == (Part(1, 1, 2, estimate("one") + estimate("two")),)
    assert text_of(pieces) == f"one{SEPARATOR}two"


def test_a_part_names_chunks_as_they_are_numbered_and_blank_ones_are_none_of_its_own():
    pieces = [Source(0, "one " * 40, 2), Source(5, "two " * 40, 5), Source(9, "three " * 40, 6)]
    assert [(part.first, part.last) for part in first_level(pieces, 1)] == [(2, 2), (5, 5), (6, 6)]
    assert [(part.first, part.last) for part in first_level(pieces, 10**6)] == [(2, 6)]


# --- the levels above: parts that sum up parts ----------------------------------------------------


@given(FOUND, ROOM)
def test_every_answer_is_summed_up_in_one_part_of_the_next_level(found, room):
    parts = next_level(found, 1, room)
    inside = [[one for one in found if part.first <= one.part <= part.last] for part in parts]
    assert list(chain.from_iterable(inside)) == found
    assert {part.level for part in parts} == {2}
    assert [part.tokens for part in parts] == [sum(map(size, run)) for run in inside]


@given(FOUND, ROOM)
def test_a_part_of_a_higher_level_sums_up_two_at_least_so_that_levels_end(found, room):
    parts = next_level(found, 1, room)
    assert len(parts) <= max(1, len(found) // 2)


@given(FOUND, ROOM)
def test_a_part_of_a_higher_level_is_within_its_room_unless_two_are_not(found, room):
    for part in next_level(found, 1, room)[:-1]:
        run = [one for one in found if part.first <= one.part <= part.last]
        assert len(run) == 2 or part.tokens <= room


@pytest.mark.parametrize(
    ("parts", "runs"), [(3, [3]), (4, [2, 2]), (5, [3, 2]), (6, [3, 3]), (7, [3, 2, 2])]
)
def test_no_part_is_left_over_and_none_gets_more_than_fits_for_it(parts, runs):
    found = said(*["word " * 30] * parts)
    room = 3 * size(found[0])
    made = next_level(found, 1, room)
    counts = [sum(one.first <= f.part <= one.last for f in found) for one in made]
    assert counts == runs
    assert all(one.tokens <= room for one in made)


@given(st.integers(2, 600), st.integers(20, 400))
def test_however_long_a_document_is_a_few_levels_come_to_one_answer(parts, room):
    found, level = said(*["It went on and on."] * parts), 1
    while len(made := next_level(found, level, room)) > 1:
        level += 1
        assert {part.level for part in made} == {level}
        found = [Found(part.first, {"summary": "It went on."}, UUID(int=0)) for part in made]
    assert level <= 10  # 2 ** 10 parts


def test_a_level_names_the_parts_of_the_level_below_by_their_first_chunks():
    found = said("word " * 30, "word " * 30, "word " * 30, "word " * 30, first=3, step=5)
    parts = next_level(found, 2, 80)
    assert [(part.level, part.first, part.last) for part in parts] == [(3, 3, 8), (3, 13, 18)]


# --- putting together -----------------------------------------------------------------------------


def test_each_part_has_its_stretch_of_the_text():
    pieces = [Source(0, "one", 1), Source(5, "two", 2), Source(9, "blank is 3", 4)]
    found = [Found(first, {"a": first}, UUID(int=0)) for first in (1, 4)]
    assert [(one.start, one.end, one.value) for one in seen_in(pieces, found)] == [
        (0, 9, {"a": 1}),
        (9, 19, {"a": 4}),
    ]


@pytest.mark.parametrize(
    ("labels", "chosen"), [("aab", "a"), ("abb", "b"), ("ab", "a"), ("a", "a"), ("cbbc", "c")]
)
def test_the_label_that_most_parts_chose_wins_and_the_first_of_equals(labels, chosen):
    found = [Found(n, {"label": label}, UUID(int=0)) for n, label in enumerate(labels)]
    assert most_said(found) == {"label": chosen}


def test_partial_answers_become_a_text_of_numbered_parts():
    found = [
        Found(1, {"summary": "It began."}, UUID(int=0)),
        Found(4, {"reasoning": "So", "conclusion": "it ended."}, UUID(int=0)),
    ]
    assert partial_answers(found) == "Part 1: It began.\nPart 2: So; it ended."


def test_what_is_known_of_a_part_is_the_same_after_it_was_a_row():
    known = FieldCheck(FieldOutcome.CHECK, FieldCode.MISSED, "Due", [3, 9], 2, "local/m")
    row = {"part": 1, "value": {"a": None}, "call_id": str(UUID(int=1)), "spans": None}
    stored = json.loads(json.dumps({"a": asdict(known)}))
    assert found_of({**row, "fields": stored}).fields == {"a": known}
    assert found_of({**row, "fields": stored}).fields["a"].outcome is FieldOutcome.CHECK
    assert found_of({**row, "fields": None}).fields == {}
