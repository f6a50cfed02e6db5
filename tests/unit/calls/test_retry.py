import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.failure import Failure
from worker.calls.retry import (
    HELD,
    LONGEST_BACKOFF_S,
    MAX_WAITS,
    GiveUp,
    Hold,
    Retry,
    Verdict,
    Wait,
    after_engine_error,
    after_fault,
    backoff_s,
)
from worker.llm.engine import EngineError, Trouble

NEVER_WORKS = (Trouble.CONTEXT_EXCEEDED, Trouble.BAD_REQUEST, Trouble.CONTENT_FILTER)


def after(trouble: Trouble, *, retry_after_s: float | None = None, **more) -> Verdict:
    circumstances = {
        "phase": "run",
        "attempts": 1,
        "waits": 0,
        "max_attempts": 5,
        "engine_healthy": True,
        "pause_s": 2.0,
    }
    error = EngineError(trouble, "the message", retry_after_s=retry_after_s)
    return after_engine_error(error, **{**circumstances, **more})


@pytest.mark.parametrize(
    ("trouble", "healthy", "sick"),
    [
        (Trouble.UNAVAILABLE, Wait, Wait),
        (Trouble.RATE_LIMITED, Wait, Wait),
        (Trouble.SERVER_ERROR, Retry, Wait),
        (Trouble.TIMEOUT, Retry, Wait),
        (Trouble.QUOTA, Hold, Hold),
        (Trouble.AUTH, Hold, Hold),
        (Trouble.MODEL_NOT_FOUND, Hold, Hold),
        (Trouble.CONTEXT_EXCEEDED, GiveUp, GiveUp),
        (Trouble.BAD_REQUEST, GiveUp, GiveUp),
        (Trouble.CONTENT_FILTER, GiveUp, GiveUp),
    ],
)
def test_what_follows_from_each_trouble(trouble, healthy, sick):
    assert type(after(trouble, engine_healthy=True)) is healthy
    assert type(after(trouble, engine_healthy=False)) is sick


@pytest.mark.parametrize("trouble", Trouble)
def test_the_failure_names_the_trouble_the_phase_and_the_message(trouble):
    failure = after(trouble, phase="classify").failure
    assert failure.category == trouble
    assert failure.phase == "classify"
    assert "the message" in failure.message


@pytest.mark.parametrize("trouble", NEVER_WORKS)
def test_a_prompt_that_will_never_work_is_given_up_at_the_first_try(trouble):
    verdict = after(trouble, attempts=1, max_attempts=100)
    assert isinstance(verdict, GiveUp)
    assert verdict.failure.retryable is False


@pytest.mark.parametrize("trouble", [Trouble.UNAVAILABLE, Trouble.RATE_LIMITED])
@given(attempts=st.integers(1, 1000), waits=st.integers(0, 10**6), healthy=st.booleans())
def test_an_engine_that_is_down_or_busy_is_waited_out_for_ever(trouble, attempts, waits, healthy):
    verdict = after(trouble, attempts=attempts, waits=waits, engine_healthy=healthy)
    assert isinstance(verdict, Wait)


@pytest.mark.parametrize(
    ("asked", "pause_s", "expected"), [(None, 2.0, 2.0), (30.0, 2.0, 30.0), (0.5, 2.0, 2.0)]
)
def test_a_wait_is_as_long_as_the_server_asked_and_no_shorter_than_the_pause(
    asked, pause_s, expected
):
    verdict = after(Trouble.RATE_LIMITED, retry_after_s=asked, pause_s=pause_s)
    assert verdict == Wait(verdict.failure, expected)


@pytest.mark.parametrize("trouble", [Trouble.SERVER_ERROR, Trouble.TIMEOUT])
class TestAFailingCall:
    def test_costs_an_attempt_where_the_engine_serves_others(self, trouble):
        assert isinstance(after(trouble, attempts=4, max_attempts=5), Retry)
        assert isinstance(after(trouble, attempts=5, max_attempts=5), GiveUp)

    def test_costs_none_where_the_engine_is_in_trouble(self, trouble):
        verdict = after(trouble, attempts=5, max_attempts=5, engine_healthy=False)
        assert verdict == Wait(verdict.failure, 2.0)

    def test_is_the_jobs_own_fault_after_too_many_waits(self, trouble):
        last = after(trouble, waits=MAX_WAITS - 1, engine_healthy=False)
        assert isinstance(last, Wait)
        assert isinstance(after(trouble, waits=MAX_WAITS, engine_healthy=False), Retry)


@pytest.mark.parametrize("trouble", HELD)
def test_what_is_held_says_how_to_go_on(trouble):
    verdict = after(trouble)
    assert isinstance(verdict, Hold)
    assert "the message" in verdict.reason
    assert "docmill resume" in verdict.reason


@given(st.integers(1, 50), st.integers(1, 50), st.booleans())
def test_a_fault_is_retried_only_while_attempts_are_left_and_it_can_help(attempts, most, retryable):
    failure = Failure("invalid_json", "run", retryable, "not JSON")
    verdict = after_fault(failure, attempts=attempts, max_attempts=most)
    assert isinstance(verdict, Retry if retryable and attempts < most else GiveUp)
    assert verdict.failure is failure


@given(st.integers(1, 1000))
def test_the_backoff_doubles_up_to_a_minute_and_jitters_over_its_upper_half(attempts):
    longest = min(2.0 ** (attempts - 1), LONGEST_BACKOFF_S)
    assert longest / 2 <= backoff_s(attempts) <= longest


def test_jobs_that_failed_together_do_not_come_back_together():
    assert len({backoff_s(3) for _ in range(20)}) > 10


def test_the_backoff_of_a_job_with_very_many_attempts_is_a_minute():
    assert backoff_s(1100) <= LONGEST_BACKOFF_S
