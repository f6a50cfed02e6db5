from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from worker.calls.output_reserve import ASKS, ENOUGH, RECENT, OutputReserve

OUTPUTS = st.lists(st.integers(0, 5_000), max_size=2 * RECENT)
ENOUGH_OUTPUTS = st.lists(st.integers(0, 5_000), min_size=ENOUGH, max_size=2 * RECENT)


def learned(outputs: Sequence[int], ask_id: int = 1) -> OutputReserve:
    reserve = OutputReserve()
    for output in outputs:
        reserve.learn(ask_id, output)
    return reserve


def test_an_ask_that_nobody_has_seen_an_answer_to_reserves_its_limit():
    assert OutputReserve().tokens(1, 512) == 512


def test_a_few_answers_are_no_percentile_yet():
    assert learned([10] * (ENOUGH - 1)).tokens(1, 512) == 512


def test_enough_answers_are():
    assert learned([10] * ENOUGH).tokens(1, 512) == 10


def test_it_is_the_95th_percentile():
    assert learned(range(1, 101)).tokens(1, 512) == 95


def test_asks_do_not_learn_from_each_other():
    reserve = learned([10] * ENOUGH, ask_id=1)
    assert reserve.tokens(2, 512) == 512


def test_it_moves_with_the_answers():
    assert learned([10] * RECENT + [400] * RECENT).tokens(1, 512) == 400


def test_asks_of_long_ago_are_forgotten_and_those_in_use_are_not():
    reserve = learned([10] * ENOUGH, ask_id=1)
    for ask_id in range(2, ASKS + 1):
        reserve.learn(ask_id, 5)
    reserve.learn(1, 10)
    reserve.learn(ASKS + 1, 5)
    assert reserve.tokens(1, 512) == 10
    assert len(reserve._seen) == ASKS


@given(OUTPUTS, st.integers(1, 5_000))
def test_it_is_never_above_the_limit(outputs, max_tokens):
    assert 0 <= learned(outputs).tokens(1, max_tokens) <= max_tokens


@given(ENOUGH_OUTPUTS)
def test_all_but_a_twentieth_of_the_last_answers_fit_into_it(outputs):
    reserved = learned(outputs).tokens(1, 10**6)
    last = outputs[-RECENT:]
    assert sum(output > reserved for output in last) <= 0.05 * len(last)


@given(ENOUGH_OUTPUTS)
def test_it_is_an_answer_that_really_came(outputs):
    assert learned(outputs).tokens(1, 10**6) in outputs[-RECENT:]
