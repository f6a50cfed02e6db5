"""What is written in place of what Postgres refuses: the less, the more often."""

import psycopg

from tests.factories import CALL
from worker.calls.ledger import CallRow, CallState
from worker.calls.retry import INTERNAL, GiveUp
from worker.run.outcome import Done, Turn, refused

REFUSED = psycopg.errors.UntranslatableCharacter("a text that nobody may see")


def test_a_refused_answer_fails_its_job_and_keeps_its_calls():
    calls = [CallRow(CALL, CallState.SETTLED, answer="an answer")]
    failed = refused(Turn(5, 3, Done({}, None, None, CALL), calls), REFUSED)
    assert isinstance(failed.outcome, GiveUp)
    failure = failed.outcome.failure
    assert (failure.category, failure.retryable) == (INTERNAL, True)
    assert failure.message == "Postgres refuses the outcome: UntranslatableCharacter"
    assert (failed.job_id, failed.calls) == (5, calls)


def test_where_its_calls_are_refused_too_they_are_told_bare_and_at_their_upper_bound():
    calls = [CallRow(CALL, CallState.SETTLED, answer="an answer")]
    once = refused(Turn(5, 3, Done({}, None, None, CALL), calls), REFUSED)
    [call] = refused(once, REFUSED).calls
    assert (call.id, call.state) == (CALL, CallState.LOST)
    assert "an answer" not in repr(call)
