"""Intervals and tests of significance, against values that are known from elsewhere."""

from random import Random

import pytest

from models.shares import Share, share, wilson
from producer.evaluate.stats import Difference, difference, percentile


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [
        # Newcombe, Statistics in Medicine 17 (1998), table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (20, 20, 0.8389, 1.0),
        (0, 0, 0.0, 1.0),
    ],
)
def test_the_interval_of_a_share_is_wilsons(hits, n, low, high):
    assert wilson(hits, n) == pytest.approx((low, high), abs=5e-5)
    assert (Share(hits, n).low, Share(hits, n).high) == wilson(hits, n)


@pytest.mark.parametrize(
    ("gained", "lost", "p"),
    [
        (0, 0, 1.0),
        (5, 5, 1.0),  # the two tails overlap: no more than certain
        (1, 9, 22 / 1024),
        (9, 1, 22 / 1024),
        (0, 6, 2 / 64),
        (6, 16, 0.052479),
        (59, 6, 4.9647e-12),
    ],
)
def test_mcnemars_test_is_the_exact_binomial_one(gained, lost, p):
    assert Difference(gained, lost, 100).p == pytest.approx(p, rel=1e-3)


@pytest.mark.parametrize(
    ("gained", "lost", "n", "value", "low", "high"),
    [
        # by hand: (net +- 1.96 sqrt(apart + 1 - net^2 / (n + 2))) / (n + 2)
        (0, 0, 98, 0.0, -0.0196, 0.0196),
        (20, 10, 198, 0.050505, -0.0041, 0.1041),
        (0, 0, 0, 0.0, -0.98, 0.98),
        (3, 0, 3, 1.0, 0.0186, 1.0),
    ],
)
def test_the_interval_of_a_paired_difference(gained, lost, n, value, low, high):
    found = Difference(gained, lost, n)
    assert found.value == pytest.approx(value, abs=1e-6)
    assert found.interval == pytest.approx((low, high), abs=1e-4)


def test_pairs_are_counted_by_who_alone_is_right():
    pairs = [(True, True), (True, False), (True, False), (False, True), (False, False)]
    assert difference(pairs) == Difference(gained=2, lost=1, n=5)
    assert share(one for one, _ in pairs) == Share(3, 5)
    assert share([]).value == 0.0


def test_a_percentile_is_a_value_that_was_measured():
    values = [40.0, 15, 35, 20, 50]
    for part, found in [(0.05, 15), (0.3, 20), (0.4, 20), (0.5, 35), (1.0, 50), (0.0, 15)]:
        assert percentile(values, part) == found, part
    assert percentile([], 0.5) is None


def test_intervals_cover_the_truth_in_93_of_100_runs_at_least():
    """Of shares, and of paired differences of two models that err on the same texts."""
    for truth, n in [(0.97, 300), (0.9, 100), (0.6, 60)]:
        runs = [Random(f"{truth} {seed}") for seed in range(100)]
        found = [share(run.random() < truth for _ in range(n)) for run in runs]
        assert sum(one.low <= truth <= one.high for one in found) >= 93, (truth, n)
    covered = 0
    for seed in range(100):
        run = Random(f"pairs {seed}")
        draws = [run.random() for _ in range(200)]
        low, high = difference((draw < 0.9, 0.06 <= draw < 0.92) for draw in draws).interval
        covered += low <= 0.04 <= high
    assert covered >= 93
