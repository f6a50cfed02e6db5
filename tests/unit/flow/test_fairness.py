from collections import Counter
from itertools import chain, groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.words import Queue
from worker.flow.fairness import (
    AHEAD_S,
    LEAST_DEPTH,
    MAX_MODEL_WAIT_S,
    MOST_DEPTH,
    Affinity,
    Candidate,
    depth_for,
    messages,
    order,
    rate_for,
)
from worker.flow.feeder import Supply

CANDIDATES = st.lists(
    st.builds(
        Candidate,
        id=st.integers(1, 10_000),
        batch_id=st.integers(1, 4),
        priority=st.integers(-2, 2),
        model=st.sampled_from("ABC"),
    ),
    max_size=60,
    unique_by=lambda candidate: candidate.id,
)
DEPTHS = st.integers(1, 80)
AFFINITIES = st.builds(Affinity, current=st.sampled_from([None, "A", "B", "C", "gone"]))


def one_batch(models: str, batch: int = 1, priority: int = 0, first_id: int = 1) -> list[Candidate]:
    return [
        Candidate(first_id + place, batch, priority, model) for place, model in enumerate(models)
    ]


def models_of(candidates: list[Candidate]) -> str:
    return "".join(candidate.model for candidate in candidates)


def test_a_b_a_a_c_becomes_a_a_a_b_c():
    assert models_of(order(one_batch("ABAAC"), 10, Affinity(), 0.0)) == "AAABC"


def test_the_model_in_use_goes_first():
    assert models_of(order(one_batch("ABAAC"), 10, Affinity(current="B"), 0.0)) == "BAAAC"


def test_a_model_that_nobody_waits_for_any_more_changes_nothing():
    assert models_of(order(one_batch("ABAAC"), 10, Affinity(current="Z"), 0.0)) == "AAABC"


def test_jobs_of_one_model_keep_their_order():
    ordered = order(one_batch("ABABAB"), 10, Affinity(), 0.0)
    assert [candidate.id for candidate in ordered] == [1, 3, 5, 2, 4, 6]


@given(CANDIDATES, DEPTHS, AFFINITIES)
def test_what_is_ordered_is_what_was_given_up_to_the_depth(candidates, depth, affinity):
    ordered = order(candidates, depth, affinity, 0.0)
    assert len(ordered) == min(depth, len(candidates))
    assert len({candidate.id for candidate in ordered}) == len(ordered)
    assert set(ordered) <= set(candidates)


@given(CANDIDATES, DEPTHS, AFFINITIES)
def test_no_candidate_runs_before_one_of_higher_priority(candidates, depth, affinity):
    ordered = order(candidates, depth, affinity, 0.0)
    picked = [candidate.priority for candidate in ordered]
    assert picked == sorted((c.priority for c in candidates), reverse=True)[:depth]


@given(CANDIDATES, DEPTHS, AFFINITIES)
def test_batches_of_one_priority_share_the_depth_evenly(candidates, depth, affinity):
    ordered = order(candidates, depth, affinity, 0.0)
    for priority in {candidate.priority for candidate in ordered}:
        got = Counter(c.batch_id for c in ordered if c.priority == priority)
        had = Counter(c.batch_id for c in candidates if c.priority == priority)
        most = max(got.values())
        for batch, number in had.items():
            assert got[batch] >= min(number, most - 1)


@given(CANDIDATES, DEPTHS, AFFINITIES)
def test_within_a_priority_every_model_is_loaded_once(candidates, depth, affinity):
    ordered = order(candidates, depth, affinity, 0.0)
    for _, equals in groupby(ordered, key=lambda candidate: candidate.priority):
        runs = [model for model, _ in groupby(equals, key=lambda candidate: candidate.model)]
        assert len(runs) == len(set(runs))


def test_a_small_batch_is_not_behind_a_large_one():
    large = one_batch("A" * 1000)
    small = one_batch("A" * 3, batch=2, first_id=5000)
    ordered = order([*large, *small], 10, Affinity(), 0.0)
    assert sum(candidate.batch_id == 2 for candidate in ordered) == 3


def test_priority_goes_before_the_model_in_use():
    urgent = one_batch("B", batch=2, priority=9, first_id=100)
    ordered = order([*one_batch("AAA"), *urgent], 10, Affinity(current="A"), 0.0)
    assert models_of(ordered) == "BAAA"


@pytest.mark.parametrize(
    ("waited", "expected"),
    [(MAX_MODEL_WAIT_S - 1, "AAAB"), (MAX_MODEL_WAIT_S, "AAAB"), (MAX_MODEL_WAIT_S + 1, "BAAA")],
)
def test_a_model_that_waited_too_long_goes_before_the_one_in_use(waited, expected):
    affinity = Affinity(current="A")
    affinity.fed([], ["B"], now=100.0)
    assert models_of(order(one_batch("ABAA"), 10, affinity, 100.0 + waited)) == expected


def test_of_two_overdue_models_the_one_that_waited_longer_goes_first():
    affinity = Affinity(current="A", since={"B": 10.0, "C": 5.0})
    assert models_of(order(one_batch("ABC"), 10, affinity, 100.0)) == "CBA"


def test_a_model_that_was_fed_waits_anew():
    affinity = Affinity()
    affinity.fed(one_batch("A"), ["A", "B"], now=0.0)
    affinity.fed(one_batch("B"), ["A", "B"], now=40.0)
    assert affinity.current == "B"
    assert affinity.since == {"A": 40.0}


def test_a_model_without_work_left_is_forgotten():
    affinity = Affinity(since={"B": 1.0})
    affinity.fed(one_batch("A"), ["A"], now=50.0)
    assert affinity.since == {}


def test_waiting_counts_from_the_first_time_that_it_was_seen():
    affinity = Affinity()
    for now in (1.0, 2.0, 3.0):
        affinity.fed(one_batch("A"), ["A", "B"], now)
    assert affinity.since == {"B": 1.0}


def test_the_model_that_was_fed_last_is_the_one_in_use():
    affinity = Affinity()
    affinity.fed(one_batch("AAB"), ["A", "B"], now=0.0)
    assert affinity.current == "B"
    affinity.fed([], ["A"], now=1.0)
    assert affinity.current == "B"


@given(st.lists(st.sampled_from("AB"), min_size=2, max_size=12), st.integers(1, 6))
def test_no_model_waits_longer_than_the_limit_and_one_turn(stream, depth):
    """Work of both models never ends; one turn takes a second."""
    affinity, now, last_fed = Affinity(), 0.0, {"A": 0.0, "B": 0.0}
    stream = one_batch("".join(stream) + "AB")
    for _ in range(150):
        sent = order(stream, depth, affinity, now)
        affinity.fed(sent, ["A", "B"], now)
        for candidate in sent:
            last_fed[candidate.model] = now
        assert all(now - fed <= MAX_MODEL_WAIT_S + 2 for fed in last_fed.values())
        now += 1.0


def test_a_model_behind_a_long_line_of_another_is_fed_in_time_by_the_feeder():
    """One batch, two models; the window shows the first jobs of each, as window_run.sql does."""
    supply, now, fed_at = Supply(Queue.LOCAL), 0.0, None
    line = one_batch("A" * 2_000)
    while fed_at is None and now < 2 * MAX_MODEL_WAIT_S:
        window = [*line[: supply.depth], *one_batch("BB", first_id=9_000)]
        fresh = supply.next(window, supply.depth, 1, now)
        fed_at = now if "B" in models_of(fresh) else None
        del line[:5]
        now += 0.25
    assert fed_at is not None


@given(st.floats(0, 1e9))
def test_the_depth_is_the_work_of_the_time_ahead_less_what_workers_hold_within_bounds(rate):
    depth = depth_for(rate)
    assert LEAST_DEPTH <= depth <= MOST_DEPTH
    assert depth in (LEAST_DEPTH, MOST_DEPTH, int(rate * AHEAD_S) - LEAST_DEPTH)


@given(st.integers(LEAST_DEPTH, MOST_DEPTH))
def test_the_rate_for_a_depth_calls_for_that_depth(depth):
    assert abs(depth_for(rate_for(depth)) - depth) <= 1


def taken_from(supply: Supply, each: int, looks: int, *, dry: bool) -> None:
    """So many looks in which what was hinted has been taken."""
    for look in range(looks):
        now = look * 0.05
        supply.note_taken(set(), now, dry=dry)
        supply.next(one_batch("A" * each), supply.depth, 1, now)


def test_a_queue_that_ran_dry_may_hold_twice_as_much_at_the_next_look():
    dry, steady = Supply(Queue.LOCAL), Supply(Queue.LOCAL)
    taken_from(steady, 64, 3, dry=False)
    taken_from(dry, 64, 3, dry=True)
    assert steady.depth == LEAST_DEPTH
    assert 2 * LEAST_DEPTH <= dry.depth <= 4 * LEAST_DEPTH


def test_a_queue_that_ran_dry_never_holds_more_than_was_taken_from_it_calls_for():
    supply = Supply(Queue.LOCAL)
    taken_from(supply, 1, 50, dry=True)
    assert supply.depth == LEAST_DEPTH


def test_a_queue_is_busy_when_it_could_run_dry_before_an_idle_look():
    supply = Supply(Queue.LOCAL)
    assert not supply.busy
    taken_from(supply, 64, 50, dry=True)
    assert supply.busy


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_a_faster_queue_is_never_shallower(one, other):
    slow, fast = sorted((one, other))
    assert depth_for(slow) <= depth_for(fast)


@given(st.lists(st.integers(), max_size=300), st.integers(1, 64))
def test_messages_hold_every_id_once_in_order_and_never_too_many(ids, most):
    made = messages(ids, most)
    assert list(chain.from_iterable(made)) == ids
    assert all(1 <= len(message) <= most for message in made)


@given(st.integers(4, 200))
def test_little_work_is_shared_among_at_least_four_messages(number):
    assert len(messages(range(number), 32)) >= 4
