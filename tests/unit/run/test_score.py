"""What a value's score goes by, and what is accepted by it."""

from models.reasons import FieldCode, FieldOutcome
from models.scores import Bin, Scores, made
from tests.factories import CALL, a_job
from worker.calls.answer import Valid
from worker.calls.prices import PriceBook
from worker.run.judge import judge
from worker.run.outcome import Done
from worker.run.score import features, score, scored
from worker.run.verify.asked import asked_of
from worker.run.verify.check import FieldCheck

SURE = FieldCheck(FieldOutcome.SURE, FieldCode.LABELLED, "total:", [1, 6], 1)
CHECK = FieldCheck(FieldOutcome.CHECK, FieldCode.CONFLICT)
VALUE = {"total": "75.00", "vendor": "Ash"}
BINS = (Bin(0.953, 198, 1), Bin(0.5, 5, 5), Bin(0.119, 1, 90))


def some_scores(*bins: Bin) -> Scores:
    return made({"": 0.0, "sure": 3.0, "check": -2.0}, bins or BINS, {})


def test_features_go_from_the_general_to_the_fields_own_name():
    total, vendor = asked_of(VALUE, {})
    assert features(SURE, total) == ("", "sure", "labelled", "labelled amount", "field total")
    assert features(CHECK, vendor)[3:] == ("conflict name", "field vendor")
    assert features(CHECK, None) == ("", "check", "conflict")


def test_a_score_is_a_probability_and_unknown_features_say_nothing():
    assert score({}, ("", "sure")) == 0.5
    assert score({"sure": 3.0}, ("", "sure", "unheard of")) == 0.953


def test_each_value_gets_its_confidence_and_is_accepted_or_not_at_the_stated_error():
    checks = {"total": SURE, "vendor": CHECK}
    found = scored(checks, asked_of(VALUE, {}), some_scores(), 0.02)
    assert {path: (each.confidence, each.accepted) for path, each in found.items()} == {
        "total": (0.953, True),
        "vendor": (0.119, False),
    }
    assert found["total"].span == SURE.span


def test_where_no_error_is_stated_nothing_is_accepted_or_for_review():
    [found] = scored({"total": SURE}, [], some_scores(), None).values()
    assert (found.confidence, found.accepted) == (0.953, None)


def test_where_scores_do_not_rank_errors_no_confidence_is_shown():
    flat = some_scores(Bin(0.953, 199, 0), Bin(0.119, 99, 0))
    [found] = scored({"total": SURE}, [], flat, 0.02).values()
    assert (found.confidence, found.accepted) == (None, True)


def test_a_judged_answer_says_which_scores_it_was_given():
    job = a_job("Total: 75.00", scores=some_scores(), accept_error=0.02)
    outcome = judge(job, Valid({"total": "75.00"}), CALL, PriceBook(job.config))
    assert isinstance(outcome, Done)
    assert outcome.scored_by == some_scores().version
    assert outcome.fields is not None
    assert outcome.fields["total"].accepted is True
