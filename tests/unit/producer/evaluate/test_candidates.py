"""What an eval compares: models, each with a way to ask it."""

import pytest

from producer.evaluate.candidates import Candidate, candidate, candidates
from producer.evaluate.figures import THEN

PLACE = "gpu2/gemma3:12b"


@pytest.mark.parametrize(
    ("one", "label"),
    [
        (Candidate(PLACE), PLACE),
        (Candidate(PLACE, examples=3), f"{PLACE} examples 3"),
        (Candidate(PLACE, 2), f"{PLACE} prompt 2"),
        (Candidate(PLACE, 2, 3), f"{PLACE} prompt 2 examples 3"),
        (Candidate(THEN), THEN),
    ],
)
def test_a_label_says_how_a_model_was_asked_and_is_read_again(one, label):
    assert one.label == label
    assert candidate(label) == one


def test_each_model_is_asked_in_each_way_the_plainest_first():
    found = [each.label for each in candidates(["a/b", "c/d"], [2, 1], [3, 0])]
    assert found == [
        *("a/b prompt 2", "a/b prompt 2 examples 3", "a/b prompt 1", "a/b prompt 1 examples 3"),
        *("c/d prompt 2", "c/d prompt 2 examples 3", "c/d prompt 1", "c/d prompt 1 examples 3"),
    ]
    assert list(candidates(["a/b"], [], [])) == [Candidate("a/b")]
