"""Fitting of scores, and their figures."""

import random
from hashlib import sha256

import pytest

from models.scores import auroc, binned
from worker.run.figures import auroc_interval, figures
from worker.run.fit import Measured, Ruled, calibrated, fit, measured
from worker.run.score import score


def some_values(documents: int = 60, seed: int = 1) -> list[Ruled]:
    """Sure values are right nine times in ten, doubtful ones one time in ten."""
    draw = random.Random(seed)
    return [
        Ruled(
            sha256(str(document).encode()).hexdigest(),
            ("", outcome),
            draw.random() < (0.9 if outcome == "sure" else 0.1),
        )
        for document in range(documents)
        for outcome in ("sure", "check", "sure", "check")
    ]


def test_weights_come_to_the_share_that_was_right():
    values = [Ruled("d", ("", "sure"), number % 10 > 0) for number in range(1_000)]
    values += [Ruled("d", ("", "check"), number % 10 == 0) for number in range(1_000)]
    weights = fit(values, {})
    assert score(weights, ("", "sure")) == pytest.approx(0.9, abs=0.01)
    assert score(weights, ("", "check")) == pytest.approx(0.1, abs=0.01)


def test_what_was_seen_once_stays_near_what_was_thought_before():
    weights = fit([Ruled("d", ("rare",), False)], {"rare": 2.0, "other": 1.0})
    assert 1.0 < weights["rare"] < 2.0
    assert weights["other"] == 1.0
    assert fit([], {"other": 1.0}) == {"other": 1.0}


def test_a_calibration_counts_right_and_wrong_by_score():
    values = [Ruled("d", ("sure",), True)] * 3 + [Ruled("d", ("sure",), False)]
    [found] = calibrated({"sure": 1.0}, values)
    assert (found.right, found.wrong) == (3, 1)


def test_no_value_is_scored_by_what_has_seen_its_document():
    """Each document has a feature of its own: neither whoever measures it, nor whoever finds a
    threshold with it, may know its weight."""
    values = [Ruled(each.document, (each.document,), each.right) for each in some_values()]
    found = list(measured(values, {}))
    assert len(found) == len(values)
    assert {each.score for each in found} == {0.5}
    assert {one.score for each in found for one in each.scores.bins} == {0.5}


def test_the_same_values_come_to_the_same_scores():
    first, again = (list(measured(some_values(), {})) for _ in range(2))
    assert [one.score for one in first] == [one.score for one in again]


def test_figures_say_how_well_scores_rank_and_what_they_accept_with_intervals():
    found = figures(list(measured(some_values(400), {})))
    assert found.auroc == pytest.approx(0.9, abs=0.03)
    assert found.auroc_interval[0] < found.auroc < found.auroc_interval[1]
    assert found.sure_right.value == pytest.approx(0.9, abs=0.03)
    assert found.at(0.02).coverage.hits == 0  # nothing is right more often than nine times in ten
    assert [name for name, _ in found.told()][:2] == ["right", "AUROC of the score"]
    assert found.as_row()["values"] == 1_600


def test_of_no_values_nothing_is_said():
    assert list(measured([], {})) == []
    assert figures([]).auroc_interval == (0.0, 1.0)


def test_an_interval_of_the_area_narrows_with_more_values_and_ends_at_one():
    narrow, wide = auroc_interval(0.9, 1_000, 1_000), auroc_interval(0.9, 20, 20)
    assert narrow[1] - narrow[0] < wide[1] - wide[0]
    assert auroc_interval(1.0, 5, 5) == (1.0, 1.0)


def test_scores_that_were_measured_are_the_ones_that_accept():
    for each in measured(some_values(400), {}):
        assert isinstance(each, Measured)
        assert auroc(each.scores.bins) > 0.8
        assert binned([(each.score, True)])[0].score == each.score
        break
