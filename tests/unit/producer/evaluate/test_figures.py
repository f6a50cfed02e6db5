"""From the scores of single answers to the figures of a model."""

from decimal import Decimal
from typing import Any

from models.shares import Share
from producer.evaluate.figures import Score, compared, unanswered
from producer.evaluate.stats import Difference

SMALL, LARGE = "local/small", "frontier/large"


def score(place: str, text: int, is_right: bool = True, **more: Any) -> Score:
    fields = more.pop("fields", {"total": is_right})
    task = more.pop("task", "extraction")
    return Score(place, str(text).encode(), task, is_right, fields, **more)


def test_models_are_compared_over_the_texts_that_all_of_them_were_asked():
    scores = [score(SMALL, n, n > 1) for n in range(4)] + [score(LARGE, n) for n in range(1, 6)]
    [small, large], left_out = compared(scores)
    assert (small.right, large.right, left_out) == (Share(2, 3), Share(3, 3), 3)
    assert (small.against_best, large.against_best) == (Difference(0, 1, 3), None)
    assert compared([]) == ([], 0)
    assert compared([score(SMALL, 1), score(LARGE, 2)]) == ([], 2)


def test_a_place_that_was_asked_and_answered_nothing_is_named():
    scores = [score(SMALL, 1), score(SMALL, 2, task="classification"),
              score(LARGE, 2, task="classification")]  # fmt: skip
    assert unanswered(scores, [SMALL, LARGE]) == {"extraction": [LARGE]}
    assert unanswered(scores, [SMALL]) == unanswered([], [SMALL]) == {}


def test_fields_and_languages_have_shares_of_their_own():
    scores = [
        score(SMALL, 1, language="hi", fields={"total": True, "date": True}),
        score(SMALL, 2, False, language="hi", fields={"total": False, "date": True}),
        score(SMALL, 3, fields={"total": True}),
    ]
    [found], _ = compared(scores)
    assert found.fields == {"total": Share(2, 3), "date": Share(2, 2)}
    assert found.languages == {"hi": Share(1, 2), "unknown": Share(1, 1)}


def test_what_an_answer_costs_is_unknown_where_one_price_is():
    paid = [score(LARGE, n, n > 0, cost_usd=Decimal("0.003")) for n in range(3)]
    [found], _ = compared(paid)
    assert (found.cost_usd, found.usd_per_answer) == (Decimal("0.009"), Decimal("0.003"))
    assert found.usd_per_right == Decimal("0.0045")
    assert (found.as_json()["usd_per_1000"], found.as_json()["usd_per_right"]) == ("3", "0.0045")
    [unknown], _ = compared([*paid, score(LARGE, 9)])
    assert (unknown.cost_usd, unknown.usd_per_answer, unknown.usd_per_right) == (None, None, None)
    [vain], _ = compared([score(LARGE, 1, False, cost_usd=Decimal(1))])
    assert vain.usd_per_right is None


def test_speed_is_by_the_engines_clock_where_it_has_one_and_else_by_the_wait():
    timed = score(SMALL, 1, latency_ms=2000, output_tokens=30, engine_seconds=0.5)
    waited = score(SMALL, 2, latency_ms=1000, output_tokens=30)
    [found], _ = compared([timed, waited, score(SMALL, 3)])
    assert (found.tokens_per_s, found.p50_ms, found.p95_ms) == (40.0, 1000, 2000)
    [unknown], _ = compared([score(SMALL, 3)])
    assert (unknown.tokens_per_s, unknown.p50_ms) == (None, None)


def test_the_checks_of_values_are_summed_up():
    scores = [score(SMALL, n, sure=2, unsure=n, wrong=1) for n in range(3)]
    [found], _ = compared(scores)
    assert (found.sure, found.unsure, found.wrong) == (6, 3, 3)


def test_programs_are_given_every_figure_by_the_names_of_the_contract():
    found, _ = compared([score(SMALL, 1, False), score(LARGE, 1)])
    small, large = (one.as_json() for one in found)
    named = "model task n right accuracy low high sure check wrong cost_usd usd_per_right p50_ms"
    assert set(named.split()) <= small.keys()
    assert (small["model"], small["accuracy"], small["fields"]["total"]["right"]) == (SMALL, 0.0, 0)
    assert (large["against_best"], small["against_best"]["difference"]) == (None, -1.0)
