"""The checks of fields on public documents: what they let through and turn away."""

import pytest

from benchmarks.field_checks import (
    MOST_ACCEPTED,
    MOST_TURNED_AWAY,
    PUBLIC,
    Judged,
    judge_all,
    load,
    share,
)
from benchmarks.field_checks import ruled as ruled_of
from benchmarks.scores import without_names
from models.reasons import FieldOutcome
from worker.run.figures import figures
from worker.run.fit import measured

pytestmark = pytest.mark.skipif(not PUBLIC.is_file(), reason="the shared data is not here")


@pytest.fixture(scope="module")
def judged() -> list[Judged]:
    return list(judge_all(load(PUBLIC)))


def test_few_wrong_values_are_called_sure(judged: list[Judged]) -> None:
    wrong = [each for each in judged if each.kind != "right"]
    assert len(wrong) > 3_000
    assert share(wrong, FieldOutcome.SURE) <= MOST_ACCEPTED
    for mistake in {each.kind for each in wrong}:
        assert share([e for e in wrong if e.kind == mistake], FieldOutcome.SURE) <= MOST_ACCEPTED


def test_next_to_no_right_value_is_called_wrong(judged: list[Judged]) -> None:
    right = [each for each in judged if each.kind == "right"]
    assert share(right, FieldOutcome.WRONG) <= MOST_TURNED_AWAY
    assert share(right, FieldOutcome.SURE) >= 0.6


def test_scores_rank_errors_and_keep_the_stated_one_on_documents_they_have_not_seen(
    judged: list[Judged],
) -> None:
    values = [without_names(each) for each in ruled_of(judged)]
    found = figures(list(measured(values, {})))
    assert found.auroc_interval[0] >= 0.8
    assert found.sure_right.interval[0] >= 0.9
    assert found.at(0.02).wrong.value <= 0.02
    assert found.at(0.02).coverage.value >= 0.3
