import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.failure import Failure
from worker.calls.retry import (
    ANOTHER_ENGINE_MAY,
    LONGEST_BACKOFF_S,
    GiveUp,
    Retry,
    Setback,
    Wait,
    after_engine_error,
    after_fault,
    backoff_s,
    internal,
)
from worker.llm.engine import CONCERN, Concern, EngineError, Trouble


def after(trouble: Trouble, **more) -> Setback:
    circumstances = {
        "phase": "run",
        "attempts": 1,
        "max_attempts": 5,
        "own": True,
        "pause_s": 2.0,
    }
    error = EngineError(trouble, "the message")
    return after_engine_error(error, **{**circumstances, **more})


@pytest.mark.parametrize("trouble", Trouble)
@given(attempts=st.integers(1, 1000))
def test_what_is_not_the_prompts_own_fault_is_waited_out_for_ever(trouble, attempts):
    verdict = after(trouble, own=False, attempts=attempts)
    assert verdict == Wait(verdict.failure, 2.0)


@pytest.mark.parametrize("trouble", Trouble)
def test_a_fault_of_its_own_is_tried_again_only_where_that_may_help(trouble):
    passes = CONCERN[trouble] is Concern.PASSING
    assert type(after(trouble)) is (Retry if passes else GiveUp)
    assert type(after(trouble, attempts=5)) is GiveUp
    assert after(trouble).failure.retryable is passes


@pytest.mark.parametrize("trouble", Trouble)
def test_the_failure_names_the_trouble_the_phase_and_the_message(trouble):
    failure = after(trouble, phase="classify").failure
    assert (failure.category, failure.phase) == (trouble, "classify")
    assert "the message" in failure.message


def test_another_engine_is_asked_for_nothing_that_is_about_a_key_a_model_or_a_busy_server():
    assert {CONCERN[trouble] for trouble in ANOTHER_ENGINE_MAY} == {Concern.PROMPT, Concern.PASSING}
    assert not {Trouble.UNAVAILABLE, Trouble.RATE_LIMITED} & ANOTHER_ENGINE_MAY


@given(st.integers(1, 50), st.integers(1, 50), st.booleans())
def test_a_fault_is_retried_only_while_attempts_are_left_and_it_can_help(attempts, most, retryable):
    failure = Failure("invalid_json", "run", retryable, "not JSON")
    verdict = after_fault(failure, attempts=attempts, max_attempts=most)
    assert isinstance(verdict, Retry if retryable and attempts < most else GiveUp)
    assert verdict.failure is failure


@given(st.integers(1, 10), st.text(max_size=2_000))
def test_a_fault_of_our_own_is_an_attempt_and_says_what_it_was(attempts, words):
    verdict = internal(ValueError(words), phase="run", attempts=attempts, max_attempts=5)
    assert isinstance(verdict, Retry if attempts < 5 else GiveUp)
    assert verdict.failure.category == "internal_error"
    assert verdict.failure.message.startswith("ValueError")
    assert len(verdict.failure.message) <= 500


@given(st.integers(1, 1000))
def test_the_backoff_doubles_up_to_a_minute_and_jitters_over_its_upper_half(attempts):
    longest = min(2.0 ** (attempts - 1), LONGEST_BACKOFF_S)
    assert longest / 2 <= backoff_s(attempts) <= longest


def test_jobs_that_failed_together_do_not_come_back_together():
    assert len({backoff_s(3) for _ in range(20)}) > 10


def test_the_backoff_of_a_job_with_very_many_attempts_is_a_minute():
    assert backoff_s(1100) <= LONGEST_BACKOFF_S
