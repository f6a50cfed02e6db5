import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.config import load_config
from models.errors import ConfigError
from models.words import Tier
from worker.calls.grant import LEAST_SPREAD_S, MINUTE_S, Limits, Timing


def test_a_minutes_limits_over_a_minute_are_as_they_are():
    assert Limits.per_minute(500, 200_000, 32, 60) == Limits(500, 200_000, 32)
    assert Timing.over(60) == Timing()


@pytest.mark.parametrize(
    ("window_s", "rpm", "tpm"), [(6, 50, 20_000), (10, 83, 33_333), (1, 8, 3_333)]
)
def test_a_shorter_window_holds_its_share_of_a_minute(window_s, rpm, tpm):
    assert Limits.per_minute(500, 200_000, 32, window_s) == Limits(rpm, tpm, 32)


@given(st.integers(1, 10_000), st.integers(1, 600))
def test_windows_never_add_up_to_more_than_the_minute_allows(rpm, window_s):
    if rpm * window_s < MINUTE_S:
        return  # refused, below
    held = Limits.per_minute(rpm, None, None, window_s).rpm
    assert held is not None
    assert 0 < held * MINUTE_S <= rpm * window_s < (held + 1) * MINUTE_S


def test_what_is_not_limited_is_not_limited_in_a_window_either():
    assert Limits.per_minute(None, None, None, 10) == Limits()


@pytest.mark.parametrize(("window_s", "spread_s"), [(120, 1.0), (60, 0.5), (12, 0.1), (1, 0.1)])
def test_the_spread_shrinks_with_the_window_but_not_below_what_machines_need(window_s, spread_s):
    timing = Timing.over(window_s)
    assert timing.window_s == window_s
    assert timing.spread_s == pytest.approx(spread_s)
    assert timing.spread_s >= LEAST_SPREAD_S


def test_the_window_is_read_from_the_config_and_a_minute_by_default(tmp_path):
    path = tmp_path / "docmill.toml"
    path.write_text("[engines.frontier]\nwindow_s = 10\n")
    assert load_config(path).engines[Tier.FRONTIER].window_s == 10
    path.write_text("")
    assert load_config(path).engines[Tier.FRONTIER].window_s == 60


def test_a_window_that_does_not_hold_one_request_is_refused_and_the_shortest_is_named(tmp_path):
    path = tmp_path / "docmill.toml"
    path.write_text("[engines.frontier]\nrpm = 7\nwindow_s = 8\n")
    with pytest.raises(ConfigError, match="make window_s 9 or more"):
        load_config(path)
    path.write_text("[engines.frontier]\nrpm = 7\nwindow_s = 9\n")
    load_config(path)
