"""The cascade: who decides, how sure that is, and what no document can change."""

import pytest

from models.shares import Share
from models.words import Finder, TaskType
from tests.factories import a_learned
from worker.classify.cascade import MODEL_RIGHT, Verdict, confidence, found_at_once, verdict
from worker.classify.figures import Said, calibration_error, figures
from worker.classify.learned import TASKS, shipped

SURE, UNSURE = a_learned(TaskType.SUMMARY), a_learned()
EXTRACTION, SUMMARY = TaskType.EXTRACTION, TaskType.SUMMARY


@pytest.mark.parametrize(
    ("task", "ask", "learned", "sure", "finder"),
    [
        (EXTRACTION, "Classify it.", SURE, 0.7, Finder.USER),
        (None, "Classify it.", SURE, 0.7, Finder.RULE),
        (None, "judge it", SURE, 0.7, Finder.LEARNED),
        (None, "judge it", UNSURE, 0.7, None),
        (None, "Classify it.", SURE, 0.99, None),
        (None, "judge it", UNSURE, 0.0, Finder.LEARNED),
    ],
)
def test_the_first_step_that_is_sure_decides(task, ask, learned, sure, finder):
    found = found_at_once(task, ask, None, learned, sure)
    assert (found.found_by if found else None) == finder


def test_a_verdict_says_which_version_of_its_step_it_is_of():
    assert verdict("Classify it.", None, SURE).version == "classify/1"
    assert verdict("judge it", None, SURE).version == SURE.version
    assert found_at_once(EXTRACTION, "x", None, SURE, 1.0) == Verdict(EXTRACTION, Finder.USER)


@pytest.mark.parametrize(
    ("likely", "at_least", "at_most"),
    [(0.0, 0.0, 0.0), (0.2, 0.44, 0.46), (0.5, 0.75, 0.78), (0.9, 0.96, 0.97), (1.0, 1.0, 1.0)],
)
def test_a_models_word_is_worth_more_where_the_learned_model_thought_so_too(
    likely, at_least, at_most
):
    rest = (1 - likely) / (len(TASKS) - 1)
    shares = {task: likely if task is SUMMARY else rest for task in TASKS}
    assert at_least <= confidence(SUMMARY, shares) <= at_most


def test_of_a_learned_model_that_knows_nothing_a_models_word_is_right_as_often_as_ever():
    assert confidence(SUMMARY, dict.fromkeys(TASKS, 0.2)) == pytest.approx(MODEL_RIGHT)


# --- figures --------------------------------------------------------------------------------------


def test_figures_of_verdicts():
    said = [Said(SUMMARY, 0.9, SUMMARY)] * 9 + [Said(SUMMARY, 0.9, EXTRACTION)]
    said += [Said(EXTRACTION, 0.35, EXTRACTION), Said(EXTRACTION, 0.35, SUMMARY)]
    found = figures(said, 0.7)
    assert (found.right, found.sure, found.sure_right) == (
        Share(10, 12),
        Share(10, 12),
        Share(9, 10),
    )
    assert found.calibration_error == pytest.approx(2 * 0.15 / 12)
    assert calibration_error([]) == 0.0
    assert calibration_error([Said(SUMMARY, 1.0, SUMMARY)]) == 0.0


def test_an_interval_holds_its_share_and_narrows_with_more():
    few, many = Share(9, 10), Share(900, 1000)
    assert few.interval[0] < many.interval[0] < 0.9 < many.interval[1] < few.interval[1]
    assert (Share(0, 0).value, Share(0, 0).interval) == (0.0, (0.0, 1.0))
    assert str(many).startswith("90.0% (88.0% to 91.7%) of 1,000")


def test_the_shipped_model_says_how_sure_it_is():
    found = verdict("What is the due date of the invoice?", None, shipped())
    assert (found.task, found.found_by) == (EXTRACTION, Finder.LEARNED)
    assert 0.2 < found.confidence < 1
