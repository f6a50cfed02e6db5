"""A tuned model beside its base: what is better, and what its folders tell."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from models.errors import InputError
from producer.evaluate.figures import Score
from producer.evaluate.stats import Difference
from producer.tune.registry import Verdict, origin, shares, verdict
from producer.tune.serve import refuse_worse

BASE, TUNED = "local/base", "local/tuned"


def scores(task: str, place: str, rights: str) -> list[Score]:
    """One score for each sign: 1 is right."""
    return [
        Score(
            place=place,
            task=task,
            key=f"{task} {n}".encode(),
            is_right=sign == "1",
            fields={},
            language=None,
            sure=0,
            unsure=0,
            wrong=0,
            cost_usd=None,
            latency_ms=None,
            engine_seconds=None,
            output_tokens=None,
        )
        for n, sign in enumerate(rights)
    ]


@pytest.mark.parametrize(
    ("extraction", "classification", "better"),
    [
        (Difference(10, 0, 20), Difference(1, 1, 20), True),
        (Difference(10, 0, 20), Difference(0, 10, 20), False),
        (Difference(3, 1, 20), Difference(1, 0, 20), False),
        (Difference(0, 10, 20), Difference(0, 0, 20), False),
    ],
)
def test_better_is_more_often_right_at_some_task_beyond_chance_and_less_often_at_none(
    extraction: Difference, classification: Difference, better: bool
) -> None:
    found = Verdict({"extraction": extraction, "classification": classification})
    assert found.better is better


def test_models_are_compared_on_the_texts_that_both_answered() -> None:
    found = verdict(
        [*scores("extraction", BASE, "000000011"), *scores("extraction", TUNED, "1111111")],
        BASE,
        TUNED,
    )
    assert found.tasks == {"extraction": Difference(7, 0, 7)}
    with pytest.raises(InputError, match="no text was answered by both"):
        verdict(scores("extraction", BASE, "01"), BASE, TUNED)


def test_shares_are_kept_of_every_model_that_was_measured() -> None:
    found = shares([*scores("extraction", BASE, "01"), *scores("extraction", "frontier/x", "11")])
    assert {place: (one["right"], one["n"]) for place, one in found["extraction"].items()} == {
        BASE: (1, 2),
        "frontier/x": (2, 2),
    }


def test_what_was_measured_and_is_not_better_is_refused_unless_it_is_meant() -> None:
    said = {"extraction": {BASE: {"right": 9, "n": 20}, TUNED: {"right": 8, "n": 20}}}
    known = {"model": 3, "place": TUNED, "base": BASE, "scores": said, "better": False}
    with pytest.raises(InputError, match=r"model 3 .*extraction: 8 of 20 against 9 of 20 right"):
        refuse_worse(known, anyway=False)
    refuse_worse(known, anyway=True)
    refuse_worse({**known, "better": True}, anyway=False)


def test_a_training_tells_its_base_and_its_data_and_other_pairs_than_its_own_are_refused(
    tmp_path: Path,
) -> None:
    training, pairs = tmp_path / "tuned", tmp_path / "pairs"
    for folder in (training, pairs):
        folder.mkdir()
    (training / "training.json").write_text(json.dumps({"base_sha256": "b", "pairs_sha256": "d"}))
    (training / "adapter.gguf").write_bytes(b"GGUF")
    (pairs / "manifest.json").write_text(json.dumps({"data_hash": "d", "versions": {"a": "1"}}))
    found = origin(training, pairs)
    assert (found.base_digest, found.data_hash, found.prompts) == ("b", "d", {"a": "1"})
    assert found.adapter_hash is not None
    (pairs / "manifest.json").write_text(json.dumps({"data_hash": "e"}))
    with pytest.raises(InputError, match="was trained on other pairs"):
        origin(training, pairs)
    with pytest.raises(InputError, match=r"training\.json cannot be read"):
        origin(tmp_path, None)
    assert replace(origin(None, None), prompts=None) == origin(None, None)
