"""Which model is small and good enough, and what that saves."""

import tomllib
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from models.shares import Share
from producer.evaluate.candidates import Candidate
from producer.evaluate.choose import (
    Volume,
    billions,
    choose,
    saving,
    smallest_first,
    tasks_table,
)
from producer.evaluate.figures import THEN, Figures, Score, compared
from producer.evaluate.plot import HEIGHT, WIDTH, plot
from tests.factories import a_config

SMALL, MIDDLE, LARGE = "local/gemma3:1b", "local/gemma3:12b", "frontier/big"
CONFIG = a_config()


def figures(place: str, hits: int, n: int = 400, usd: str | None = None, **more: Any) -> Figures:
    given = {"task": "extraction", "cost_usd": None if usd is None else n * Decimal(usd), **more}
    rest = {"sure": 0, "unsure": 0, "wrong": 0, "fields": {}, "languages": {}}
    unknown = dict.fromkeys(("p50_ms", "p95_ms", "tokens_per_s", "against_best"))
    return Figures(place=place, right=Share(hits, n), **{**rest, **unknown, **given})


@pytest.mark.parametrize(
    ("model", "found"),
    [
        ("gemma3:4b", 4),
        ("gemma-3-270m", 0.27),
        ("llama3.3:70b", 70),
        ("us.meta.llama3-3-70b-instruct-v1:0", 70),
        ("Qwen2.5-7B-Instruct", 7),
        ("mixtral:8x7b", 56),
        ("phi4-mini", 3.8),
        ("phi4-mini:latest", 3.8),
        ("meta/mistral-small", 24),
        ("anthropic/claude-sonnet-4-6", None),
        ("gpt-4o", None),
        ("m", None),
    ],
)
def test_a_models_name_says_how_large_it_is(model, found):
    assert billions(model) == found


def test_models_in_the_building_come_first_by_size_and_those_outside_by_what_they_cost():
    given = [
        figures("frontier/dear", 1, usd="0.01"),
        figures("frontier/unknown", 1),
        figures("frontier/cheap", 1, usd="0.001"),
        figures("local/nameless", 1),
        figures(MIDDLE, 1),
        figures("gone/m", 1),
        figures(SMALL, 1),
    ]
    expected = [SMALL, MIDDLE, "local/nameless", "frontier/cheap", "frontier/dear",
                "frontier/unknown", "gone/m"]  # fmt: skip
    assert [one.place for one in smallest_first(given, CONFIG)] == expected


@pytest.mark.parametrize(
    ("small", "middle", "large", "chosen", "is_enough"),
    [
        (396, 396, 396, SMALL, True),
        (300, 392, 396, MIDDLE, True),
        (300, 320, 396, LARGE, True),
        (396, 300, 300, SMALL, True),
        (0, 0, 0, SMALL, True),
    ],
)
def test_the_smallest_model_whose_lower_bound_reaches_the_bar_is_chosen(
    small, middle, large, chosen, is_enough
):
    found = [figures(LARGE, large), figures(MIDDLE, middle), figures(SMALL, small)]
    [choice] = choose(found, CONFIG)
    assert choice.chosen is not None
    assert (choice.chosen.place, choice.is_enough) == (chosen, is_enough)


def test_where_none_is_good_enough_for_sure_the_best_is_chosen_and_said_to_be_that():
    [choice] = choose([figures(SMALL, 7, 10), figures(LARGE, 9, 10)], CONFIG)
    assert choice.chosen is not None
    assert (choice.chosen.place, choice.is_enough, choice.bar) == (LARGE, False, 0.95 * 0.9)
    assert "none is good enough for sure: the best" in tasks_table([choice], {})
    [lower] = choose([figures(SMALL, 7, 10), figures(LARGE, 9, 10)], CONFIG, quality=0.4)
    assert lower.chosen is not None
    assert lower.chosen.place == SMALL


def test_what_was_answered_then_sets_the_bar_and_is_never_chosen():
    then = figures(THEN, 400)
    [good] = choose([then, figures(SMALL, 396)], CONFIG)
    assert good.chosen is not None
    assert (good.chosen.place, good.best.place) == (SMALL, THEN)
    [bad] = choose([then, figures(SMALL, 200)], CONFIG)
    assert (bad.chosen, bad.is_enough) == (None, False)
    assert tomllib.loads(tasks_table([bad], {})) == {}
    assert saving(bad, [], CONFIG, Volume(10, 1, Decimal(1))) is None


def test_where_a_model_answered_nothing_none_is_chosen_and_it_is_named():
    found = [figures(SMALL, 396), figures(SMALL, 396, task="classification")]
    silent = {"extraction": [LARGE]}
    label, fields = sorted(choose(found, CONFIG, unanswered=silent), key=lambda each: each.task)
    assert (label.chosen and label.chosen.place, label.unanswered) == (SMALL, ())
    assert (fields.chosen, fields.is_enough, fields.unanswered) == (None, False, [LARGE])
    said = tasks_table([fields], {})
    assert LARGE in said
    assert tomllib.loads(said) == {}
    assert saving(fields, found, CONFIG, Volume(10, 1, Decimal(1))) is None


def test_each_task_is_chosen_for_on_its_own():
    found = [
        figures(SMALL, 396),
        figures(LARGE, 396),
        figures(SMALL, 100, task="classification"),
        figures(LARGE, 396, task="classification"),
    ]
    picked = {
        choice.task: choice.chosen and choice.chosen.place for choice in choose(found, CONFIG)
    }
    assert picked == {"extraction": SMALL, "classification": LARGE}


def test_the_table_says_which_prompt_and_examples_the_chosen_one_had():
    asked = Candidate(SMALL, prompt=2, examples=3).label
    [choice] = choose([figures(asked, 396)], CONFIG)
    table = tasks_table([choice], {})
    assert "docmill prompts promote extraction 2" in table
    assert "most: 3" in table
    assert tomllib.loads(table)["tasks"]["extraction"]["model"] == "gemma3:1b"


def test_the_table_keeps_what_docmill_toml_says_of_a_task_besides():
    said = {"tasks": {"extraction": {
        "engine": "frontier", "model": "x", "max_tokens": 900, "escalate": ["gpu2/m", MIDDLE],
    }}}  # fmt: skip
    [choice] = choose([figures(MIDDLE, 396), figures(LARGE, 398)], CONFIG)
    table = tomllib.loads(tasks_table([choice], said))["tasks"]["extraction"]
    assert table == {
        "engine": "local", "model": "gemma3:12b", "max_tokens": 900, "escalate": ["gpu2/m"],
    }  # fmt: skip
    alone = {"tasks": {"extraction": {"escalate": "frontier"}}}
    [large] = choose([figures(LARGE, 398)], CONFIG)
    assert tomllib.loads(tasks_table([large], alone)) == {
        "tasks": {"extraction": {"engine": "frontier", "model": "big"}}
    }
    a_config(**tomllib.loads(tasks_table([choice, large], {})[: -len(tasks_table([large], {}))]))


@pytest.mark.parametrize(
    ("found", "volume", "usd"),
    [
        # what answers now is among them: measured on the same texts
        ([("local/phi4-mini", "0.002"), (SMALL, "0.0005")], Volume(1000, 10, None), "54.75"),
        # else the ledger says what it costs
        ([(SMALL, "0.0005")], Volume(1000, 10, Decimal(3)), "91.25"),
        ([(SMALL, "0.0005")], Volume(1000, 10, None), None),
        ([(SMALL, None)], Volume(1000, 10, Decimal(3)), None),
        ([(SMALL, "0.0005")], Volume(0, 10, Decimal(0)), None),
        ([(SMALL, "0.0005")], None, None),
    ],
)
def test_what_a_choice_saves_in_a_year(found, volume, usd):
    made = [figures(place, 396, usd=price) for place, price in found]
    [choice] = choose(made, CONFIG)
    saved = saving(choice, made, CONFIG, volume)
    assert (None if saved is None else f"{saved:.2f}") == usd


def asked(run: Random, place: str, truth: float, n: int) -> list[Score]:
    return [Score(place, str(key).encode(), "extraction", run.random() < truth, {})
            for key in range(n)]  # fmt: skip


@pytest.mark.parametrize(
    ("small", "middle", "large", "chosen"),
    [(0.70, 0.97, 0.97, MIDDLE), (0.97, 0.97, 0.97, SMALL), (0.60, 0.80, 0.97, LARGE)],
)
def test_the_choice_is_right_in_95_of_100_runs_of_models_whose_accuracy_is_known(
    small, middle, large, chosen
):
    right = 0
    for seed in range(100):
        run = Random(f"{chosen} {seed}")
        scores = [
            *asked(run, LARGE, large, 500),
            *asked(run, MIDDLE, middle, 500),
            *asked(run, SMALL, small, 500),
        ]
        [choice] = choose(compared(scores)[0], CONFIG)
        table = tomllib.loads(tasks_table([choice], {}))["tasks"]["extraction"]
        right += f"{table['engine']}/{table['model']}" == chosen
    assert right >= 95


def test_a_drawing_has_a_point_for_each_model_of_which_the_cost_is_known():
    found = [
        figures(SMALL, 300, usd="0"),
        figures(MIDDLE, 392, usd="0.0002"),
        figures(LARGE, 396, usd="0.02"),
        figures("gpu2/m", 390),
    ]
    drawn = plot("extraction", found)
    assert [point.name for point in drawn.points] == [SMALL, MIDDLE, LARGE]
    assert drawn.unpriced == ["gpu2/m"]
    xs = [point.x for point in drawn.points]
    assert xs == sorted(xs)
    assert xs[0] < xs[1] < xs[2] <= WIDTH
    for point in drawn.points:
        assert 0 <= point.high_y <= point.y <= point.low_y <= HEIGHT
    assert [mark.label for mark in drawn.across] == ["$0.1", "$1", "$10", "$100"]
    assert drawn.up[0].label == "0 %"


def test_a_drawing_of_models_that_cost_nothing_or_nothing_known_is_one_all_the_same():
    assert plot("extraction", [figures(SMALL, 300, usd="0")]).points[0].x > 0
    assert plot("extraction", [figures(SMALL, 300)]).points == []
    assert len(plot("extraction", [figures(LARGE, 9, usd="0.001")]).across) == 2
