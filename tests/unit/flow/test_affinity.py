from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.flow.affinity import MAX_MODEL_WAIT_S, Waiting, choose

WAITING = st.lists(
    st.builds(
        Waiting,
        queue=st.sampled_from([f"local/{model}" for model in "ABCDEF"]),
        model=st.sampled_from("ABCDEF"),
        since_s=st.floats(0, 100),
        served=st.booleans(),
        last_at=st.floats(0, 1000),
    ),
    max_size=6,
    unique_by=lambda one: one.queue,
)
LOADED = st.sampled_from([None, *"ABCDEF", "gone"])


def waiting(
    model: str, *, since_s: float = 0.0, served: bool = False, last_at: float = 0.0
) -> Waiting:
    return Waiting(f"local/{model}", model, since_s, served, last_at)


def chosen(*lines: Waiting, loaded: str | None, patience_s: float = MAX_MODEL_WAIT_S) -> str | None:
    found = choose(lines, loaded, patience_s)
    return found.model if found is not None else None


def test_where_nothing_waits_there_is_nothing_to_take_from():
    assert chosen(loaded="A") is None


def test_an_engine_keeps_to_the_model_that_it_has_loaded():
    assert chosen(waiting("A", last_at=9), waiting("B"), loaded="A") == "A"


def test_it_changes_when_that_one_has_nothing_left_to_do():
    assert chosen(waiting("B"), loaded="A") == "B"


@pytest.mark.parametrize(
    ("waited_s", "expected"),
    [(MAX_MODEL_WAIT_S - 1, "A"), (MAX_MODEL_WAIT_S, "A"), (MAX_MODEL_WAIT_S + 1, "B")],
)
def test_a_model_that_has_waited_for_too_long_goes_before_the_one_in_use(waited_s, expected):
    assert chosen(waiting("A", last_at=9), waiting("B", since_s=waited_s), loaded="A") == expected


def test_a_model_that_another_worker_is_at_never_makes_this_one_change():
    served = waiting("B", since_s=10 * MAX_MODEL_WAIT_S, served=True)
    assert chosen(waiting("A", last_at=9), served, loaded="A") == "A"


def test_of_several_hosts_the_one_with_the_least_patience_changes_and_the_others_stay():
    lines = [waiting("A", last_at=9), waiting("B", since_s=31.5)]
    assert [chosen(*lines, loaded="A", patience_s=30 + more) for more in (1, 2, 3)] == list("BAA")


def test_of_two_that_have_waited_for_too_long_the_one_that_was_away_for_longer_goes_first():
    lines = [waiting("B", since_s=60, last_at=5), waiting("C", since_s=40, last_at=2)]
    assert chosen(waiting("A"), *lines, loaded="A") == "C"


def test_a_worker_that_has_to_change_takes_up_what_nobody_is_at():
    assert chosen(waiting("B", served=True), waiting("C", last_at=9), loaded="A") == "C"


def test_it_helps_another_rather_than_do_nothing():
    assert chosen(waiting("B", served=True), loaded="A") == "B"


def test_two_queues_of_the_model_in_use_take_turns():
    classify = Waiting("classify:local/A", "A", 0.0, True, 7.0)
    assert chosen(classify, waiting("A", last_at=8), loaded="A") == "A"
    assert choose([classify, waiting("A", last_at=8)], "A", 30) is classify
    assert choose([classify, waiting("A", last_at=6)], "A", 30).queue == "local/A"


def test_an_engine_that_loads_nothing_serves_its_models_in_turns():
    taken, last_at = [], dict.fromkeys("ABC", 0.0)
    for turn in range(9):
        lines = [waiting(model, served=True, last_at=last_at[model]) for model in "ABC"]
        taken.append(chosen(*lines, loaded=None))
        last_at[taken[-1]] = turn + 1.0
    assert Counter(taken) == {"A": 3, "B": 3, "C": 3}
    assert taken[:3] == taken[3:6] == list("ABC")


def test_a_b_a_a_c_becomes_a_a_a_b_c():
    left, loaded, done = Counter("ABAAC"), None, ""
    while left.total():
        lines = [waiting(model, last_at=done.rfind(model) + 1) for model in left.elements()]
        loaded = chosen(*dict.fromkeys(lines), loaded=loaded)
        done += loaded
        left[loaded] -= 1
    assert done == "AAABC"


@given(WAITING, LOADED)
def test_what_is_chosen_is_one_of_those_that_wait(lines, loaded):
    found = choose(lines, loaded, MAX_MODEL_WAIT_S)
    assert found in lines if lines else found is None


@given(WAITING, LOADED)
def test_the_order_in_which_they_are_named_decides_nothing(lines, loaded):
    assert choose(lines, loaded, 30) == choose(lines[::-1], loaded, 30)


@given(WAITING, LOADED)
def test_a_loaded_model_is_left_for_nothing_but_one_that_nobody_served_for_too_long(lines, loaded):
    found = choose(lines, loaded, MAX_MODEL_WAIT_S)
    if any(one.model == loaded for one in lines) and found.model != loaded:
        assert not found.served
        assert found.since_s > MAX_MODEL_WAIT_S
