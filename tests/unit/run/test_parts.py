import json
from itertools import chain, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.words import TaskType
from worker.run.ground import Source
from worker.run.parts import SEPARATOR, merge, partial_answers, text_of, windows
from worker.tokens import estimate

PIECES = st.lists(st.text(max_size=60).map(lambda text: Source(0, text)), max_size=20)


@given(PIECES, st.integers(1, 60))
def test_every_piece_is_in_one_window_in_order(pieces, budget):
    assert list(chain.from_iterable(windows(pieces, budget))) == pieces


@given(PIECES, st.integers(1, 60))
def test_a_window_is_within_the_budget_unless_one_piece_alone_is_not(pieces, budget):
    for group in windows(pieces, budget):
        assert group
        assert len(group) == 1 or sum(estimate(piece.text) for piece in group) <= budget


@given(PIECES, st.integers(1, 60))
def test_two_neighbouring_windows_would_not_fit_into_one(pieces, budget):
    made = windows(pieces, budget)
    for left, right in pairwise(made):
        assert sum(estimate(piece.text) for piece in [*left, right[0]]) > budget


def test_a_document_that_fits_is_one_window():
    pieces = [Source(0, "one"), Source(5, "two")]
    assert windows(pieces, 1000) == [pieces]
    assert text_of(pieces) == f"one{SEPARATOR}two"


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
        ([], {}),
    ],
)
def test_extraction_keeps_the_first_value_found_and_joins_lists(parts, merged):
    before = json.dumps(parts)
    assert merge(TaskType.EXTRACTION, parts) == merged
    assert json.dumps(parts) == before


@pytest.mark.parametrize(
    ("labels", "chosen"), [("aab", "a"), ("abb", "b"), ("ab", "a"), ("a", "a"), ("cbbc", "c")]
)
def test_the_label_that_most_parts_chose_wins_and_the_first_of_equals(labels, chosen):
    parts = [{"label": label} for label in labels]
    assert merge(TaskType.CLASSIFICATION, parts) == {"label": chosen}


@pytest.mark.parametrize("task", [TaskType.SUMMARY, TaskType.REASONING, TaskType.SIMPLE_CODE])
def test_the_other_tasks_need_the_engine_once_more(task):
    assert merge(task, [{"summary": "a"}, {"summary": "b"}]) is None


def test_partial_answers_become_a_text_of_numbered_parts():
    parts = [{"summary": "It began."}, {"reasoning": "So", "conclusion": "it ended."}]
    assert partial_answers(parts) == "Part 1: It began.\nPart 2: So; it ended."
