from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.config import Config
from models.config_file import checked_config, read_config
from models.engines import FRONTIER, ModelLimits, OpenAIConfig
from models.errors import ConfigError
from models.words import Zone
from worker.calls.grant import LEAST_SPREAD_S, MINUTE_S, EngineLimits, Limits, Timing


def configured(path: Path) -> Config:
    return checked_config(read_config(path) or {}, "docmill.toml")


STATED = ModelLimits(rpm=500, tpm=200_000, max_in_flight=32)


def test_a_minutes_limits_over_a_minute_are_as_they_are():
    assert Limits.per_minute(STATED, 60) == Limits(500, 200_000, 32)
    assert Timing.over(60) == Timing()


@pytest.mark.parametrize(
    ("window_s", "rpm", "tpm"), [(6, 50, 20_000), (10, 83, 33_333), (1, 8, 3_333)]
)
def test_a_shorter_window_holds_its_share_of_a_minute(window_s, rpm, tpm):
    assert Limits.per_minute(STATED, window_s) == Limits(rpm, tpm, 32)


@given(st.integers(1, 10_000), st.integers(1, 600))
def test_windows_never_add_up_to_more_than_the_minute_allows(rpm, window_s):
    if rpm * window_s < MINUTE_S:
        return  # refused, below
    held = Limits.per_minute(ModelLimits(rpm=rpm), window_s).rpm
    assert held is not None
    assert 0 < held * MINUTE_S <= rpm * window_s < (held + 1) * MINUTE_S


def test_what_is_not_limited_is_not_limited_in_a_window_either():
    assert Limits.per_minute(ModelLimits(), 10) == Limits()


@pytest.mark.parametrize(("window_s", "spread_s"), [(120, 1.0), (60, 0.5), (12, 0.1), (1, 0.1)])
def test_the_spread_shrinks_with_the_window_but_not_below_what_machines_need(window_s, spread_s):
    timing = Timing.over(window_s)
    assert timing.window_s == window_s
    assert timing.spread_s == pytest.approx(spread_s)
    assert timing.spread_s >= LEAST_SPREAD_S


def test_the_window_is_read_from_the_config_and_a_minute_by_default(tmp_path):
    path = tmp_path / "docmill.toml"
    path.write_text("[engines.frontier]\nwindow_s = 10\n")
    assert configured(path).engines[FRONTIER].window_s == 10
    path.write_text("")
    assert configured(path).engines[FRONTIER].window_s == 60


def test_an_engine_and_each_of_its_models_have_limits_of_their_own(tmp_path):
    path = tmp_path / "docmill.toml"
    path.write_text(
        "[engines.frontier]\nrpm = 600\nwindow_s = 10\nmax_in_flight = 8\n"
        '[engines.frontier.models."anthropic/claude-sonnet-4-6"]\ntpm = 60000\n'
        '[engines.frontier.models."openai/gpt-5"]\nrpm = 60\nmax_in_flight = 2\n'
    )
    engine = configured(path).engines[FRONTIER]
    assert EngineLimits.of(engine) == EngineLimits(
        Limits(rpm=100, max_in_flight=8),
        {
            "anthropic/claude-sonnet-4-6": Limits(tpm=10_000),
            "openai/gpt-5": Limits(rpm=10, max_in_flight=2),
        },
    )
    assert EngineLimits.of(OpenAIConfig(zone=Zone.FRONTIER)) == EngineLimits()


def test_a_window_that_does_not_hold_one_request_is_refused_and_the_shortest_is_named(tmp_path):
    path = tmp_path / "docmill.toml"
    path.write_text("[engines.frontier]\nrpm = 7\nwindow_s = 8\n")
    with pytest.raises(ConfigError, match="make window_s 9 or more"):
        configured(path)
    path.write_text("[engines.frontier]\nrpm = 7\nwindow_s = 9\n")
    configured(path)
    path.write_text("[engines.frontier]\nrpm = 9\nwindow_s = 8\nmodels.big.rpm = 5\n")
    with pytest.raises(ConfigError, match=r"rpm = 5 .* make window_s 12 or more"):
        configured(path)
