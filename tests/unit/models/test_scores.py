"""Scores and the threshold from which on values are accepted."""

import json
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from models.errors import DocmillError
from models.scores import (
    Bin,
    Scores,
    acceptance,
    auroc,
    binned,
    fewest,
    made,
    opened,
    shipped,
    threshold,
)


def some_scores(*bins: Bin) -> Scores:
    return made({"": 0.5}, bins, {"licence": "own"})


@pytest.mark.parametrize(
    ("bins", "error", "least"),
    [
        ([], 0.5, None),
        ([Bin(0.9, 113, 0)], 0.02, None),  # of so many none is wrong more than one time in ten
        ([Bin(0.9, 114, 0)], 0.02, 0.9),
        ([Bin(0.9, 119, 1)], 0.02, 0.9),  # (1 + 1) / (120 + 1) is less than 2 %
        ([Bin(0.9, 139, 2)], 0.02, None),  # and (2 + 1) / (141 + 1) is more
        ([Bin(0.9, 229, 0)], 0.01, None),
        ([Bin(0.9, 230, 0)], 0.01, 0.9),
        ([Bin(0.9, 114, 0), Bin(0.5, 40, 10)], 0.02, 0.9),
        ([Bin(0.9, 60, 0), Bin(0.8, 54, 0)], 0.02, 0.8),  # too few above it are none too few below
        ([Bin(0.9, 10, 1), Bin(0.8, 200, 0)], 0.02, 0.8),
        ([Bin(0.9, 9, 0), Bin(0.2, 0, 90)], 0.5, 0.9),
        ([Bin(0.9, 0, 9)], 0.999, None),
    ],
)
def test_values_are_accepted_from_the_lowest_score_on_whose_bound_is_below_the_error(
    bins, error, least
):
    assert threshold(bins, error) == least


WORLDS = {
    "most are wrong": lambda draw: _drawn(draw, 0.2),
    "half are wrong": lambda draw: _drawn(draw, 0.5),
    "few are wrong": lambda draw: _drawn(draw, 0.8),
    "scores say nothing": lambda draw: (round(draw.random(), 1), draw.random() < 0.9),
    "two scores": lambda draw: (float(draw.random() < 0.5), draw.random() < 0.96),
}


def _drawn(draw: random.Random, base: float) -> tuple[float, bool]:
    """A value and its score: right ones mostly have a high one."""
    right = draw.random() < base
    return round(draw.betavariate(4, 1) if right else draw.betavariate(1, 4), 2), right


@pytest.mark.parametrize("world", WORLDS)
def test_over_many_calibrations_what_is_accepted_is_wrong_no_more_often_than_stated(world):
    """The error of each calibration is counted over values that it has not seen, and is 0 where it
    accepts nothing."""
    draw = WORLDS[world]
    fresh = binned(draw(random.Random(f"{world} {n}")) for n in range(4_000))
    for values in (40, 200, 600):
        seeds = (random.Random(f"{world} {values} {seed}") for seed in range(200))
        calibrations = [binned(draw(seed) for _ in range(values)) for seed in seeds]
        for error in (0.01, 0.02, 0.05, 0.1):
            found = [_error(fresh, threshold(bins, error)) for bins in calibrations]
            assert sum(found) / len(found) <= 1.1 * error, (error, values)


def test_few_values_support_no_small_error():
    """Whoever accepts at 1 % after 99 right values in a row does so by luck."""
    assert [fewest(error) for error in (0.5, 0.1, 0.05, 0.02, 0.01)] == [4, 22, 45, 114, 230]
    draws = (random.Random(seed) for seed in range(300))
    found = [threshold(binned((0.9, draw.random() < 0.97) for _ in range(230)), 0.01)
             for draw in draws]  # fmt: skip
    assert sum(least is not None for least in found) <= 6


def _error(fresh: Sequence[Bin], least: float | None) -> float:
    taken = [each for each in fresh if least is not None and each.score >= least]
    wrong = sum(each.wrong for each in taken)
    return wrong / max(wrong + sum(each.right for each in taken), 1)


def test_where_enough_is_right_most_of_it_is_accepted_however_it_is_drawn():
    draw = WORLDS["few are wrong"]
    fresh = binned(draw(random.Random(n)) for n in range(4_000))
    least = threshold(binned(draw(random.Random(-n)) for n in range(1, 1_000)), 0.05)
    assert sum(e.right + e.wrong for e in fresh if e.score >= (least or 2)) > 2_400


def test_an_area_under_the_curve_counts_pairs_in_order_and_ties_half():
    assert auroc([Bin(0.9, 5, 0), Bin(0.1, 0, 5)]) == 1.0
    assert auroc([Bin(0.9, 0, 5), Bin(0.1, 5, 0)]) == 0.0
    assert auroc([Bin(0.5, 5, 5)]) == 0.5
    assert auroc([Bin(0.9, 3, 1), Bin(0.1, 1, 3)]) == (3 * 3 + 3 * 0.5 + 1 * 1.5) / 16
    assert auroc([Bin(0.9, 5, 0)]) == 0.5


@pytest.mark.parametrize(
    ("bins", "ranks"),
    [
        ((Bin(0.9, 9, 1), Bin(0.5, 5, 5), Bin(0.1, 1, 9)), True),
        ((Bin(0.9, 9, 1), Bin(0.1, 1, 9)), False),  # two bins
        ((Bin(0.9, 5, 5), Bin(0.5, 5, 5), Bin(0.1, 5, 5)), False),  # no rank
        ((), False),
    ],
)
def test_a_score_says_something_where_it_has_three_bins_and_ranks_errors(bins, ranks):
    assert some_scores(*bins).ranks is ranks


def test_an_acceptance_says_which_scores_it_takes_and_how_many_values_are_for_review():
    scores = some_scores(Bin(0.9, 199, 0), Bin(0.5, 100, 101))
    found = acceptance(scores, 0.02)
    assert (found.least, found.review_share, found.scores) == (0.9, 0.502, scores.version)
    assert found.accepts(0.9)
    assert not found.accepts(0.899)
    assert found.sentence() == (
        "at most 2.0% of the accepted values wrong; about 50% of the values for review "
        f"(scores {scores.version})"
    )


def test_where_nothing_can_be_accepted_all_is_for_review_and_it_says_so():
    found = acceptance(some_scores(Bin(0.9, 9, 0)), 0.02)
    assert (found.least, found.review_share, found.accepts(1.0)) == (None, 1.0, False)
    assert found.sentence().startswith("no value is sure enough for an error of 2.0%")
    assert "114 values that were said right support it at the least" in found.sentence()
    assert acceptance(some_scores(), 0.5).review_share == 1.0


def test_a_model_is_opened_as_it_was_stored_and_another_versions_is_refused():
    scores = some_scores(Bin(0.9, 9, 1))
    stored = json.loads(json.dumps(scores.as_json()))
    again = opened(stored)
    assert (again.version, again.weights, again.bins) == (
        scores.version,
        scores.weights,
        scores.bins,
    )
    with pytest.raises(DocmillError, match="another version"):
        opened({**stored, "revision": 0})
    for broken in ({}, {**stored, "bins": [{"x": 1}]}, {**stored, "bins": None}):
        with pytest.raises(DocmillError, match="not a model of scores"):
            opened(broken)


def test_a_version_follows_from_what_a_model_is():
    scores = some_scores(Bin(0.9, 9, 1))
    assert some_scores(Bin(0.9, 9, 1)).version == scores.version
    assert some_scores(Bin(0.9, 9, 2)).version != scores.version
    assert replace(scores).version == scores.version


def test_the_scores_that_ship_rank_errors_accept_most_values_at_2_percent_and_name_a_licence():
    scores = shipped()
    assert scores.ranks
    assert acceptance(scores, 0.02).review_share < 0.8
    assert "licence" in scores.about
    assert not any(feature.startswith("field ") for feature in scores.weights)
