"""How many calls in flight an engine does best with: each decision, and where they lead."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.latency_shapes import MOST, SEEDS, SHAPES, Shape, best_fixed, like_vllm, watched
from worker.flow.adapt import CALLS, FIRST, REST, ROUNDS, TIMEOUTS, Controller, Ended
from worker.flow.slots import AutoSlots, Slots
from worker.llm.engine import Trouble

MUST_BRING = 0.9
"""The least share of the best fixed number's throughput."""

Latency = Callable[[int], float]
"""Seconds of a call with so many in flight."""


class Engine:
    """An engine without chance, whose places are always full."""

    def __init__(self, latency: Latency, most: int = MOST) -> None:
        self.controller = Controller(most)
        self.latency = latency
        self.now = 0.0

    @property
    def limit(self) -> int:
        return self.controller.limit

    def end(self, trouble: Trouble | None = None, in_flight: int | None = None) -> int:
        """A call that began just now ends."""
        seconds = self.latency(self.limit)
        call = Ended(self.now, self.now + seconds, 100, trouble)
        self.now += seconds
        return self.controller.ended(call, in_flight or self.limit)

    def answer(self, calls: int) -> int:
        for _ in range(calls):
            self.end()
        return self.limit

    def trail(self, levels: int) -> list[int]:
        """The next levels that are tried or held."""
        found = [self.limit]
        for _ in range(20_000):
            if self.end() != found[-1]:
                found.append(self.limit)
            if len(found) == levels:
                break
        return found


def window(level: int) -> int:
    """Calls that a level is judged by."""
    return level * max(ROUNDS, -(-CALLS // level))


def grows(in_flight: int) -> float:
    return 1 + in_flight / 100


def queues_at(places: int) -> Latency:
    return lambda in_flight: max(1.0, in_flight / places)


def found(latency: Latency) -> Engine:
    """An engine whose number was found and rests."""
    engine = Engine(latency)
    engine.answer(5_000)
    while engine.limit != engine.controller._held:
        engine.end()
    return engine


@pytest.mark.parametrize(
    ("latency", "most", "trail"),
    [
        # steps grow while they pay, then the level rests, and what is below is tried again
        (grows, 64, [4, 8, 12, 18, 27, 40, 60, 64, 48, 64, 48, 64]),
        (grows, 10, [4, 8, 10, 8, 10, 8]),
        (grows, 1, [1]),
        # back from what only queues; half as far; what is below; rest
        (queues_at(4), 64, [4, 8, 4, 6, 4, 3, 4, 5, 4, 3, 4, 5, 4]),
        (queues_at(1), 64, [4, 8, 4, 6, 4, 3, 2, 1, 3, 1, 2, 1, 2]),
        (queues_at(12), 64, [4, 8, 12, 18, 12, 15, 12, 9, 12, 15, 12]),
        # over the knee there is less than before
        (like_vllm, 64, [4, 8, 12, 18, 27, 18, 22, 24, 25, 24, 18, 24]),
    ],
)
def test_where_the_levels_lead(latency, most, trail):
    assert Engine(latency, most).trail(len(trail)) == trail


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_a_level_is_judged_by_a_window_of_calls(level):
    engine = Engine(grows, level)
    assert engine.answer(window(level) - 1) == level
    assert engine.answer(1) == max(1, level - 1)  # there is no more to be tried than that


def test_a_level_that_is_hopeless_is_left_before_its_window_is_full():
    engine = Engine(lambda in_flight: 1.0 if in_flight <= FIRST else 9.0)
    engine.answer(window(FIRST))
    assert engine.limit == 2 * FIRST
    assert engine.answer(8) == FIRST
    assert window(2 * FIRST) > 8


@pytest.mark.parametrize(
    ("trouble", "tried", "held"),
    [
        (Trouble.UNAVAILABLE, 4, 2),
        (Trouble.RATE_LIMITED, 4, 2),
        (Trouble.SERVER_ERROR, 8, 4),
        (Trouble.BAD_REQUEST, 8, 4),
        (Trouble.NO_MEMORY, 8, 4),
        (Trouble.AUTH, 8, 4),
    ],
)
def test_a_tried_level_that_is_refused_is_left_and_a_held_one_gives_up_a_share(
    trouble, tried, held
):
    engine = Engine(grows)
    engine.answer(3)
    assert engine.end(trouble) == held
    engine = Engine(grows)
    assert engine.answer(window(FIRST)) == 2 * FIRST
    assert engine.end(trouble) == tried


def test_an_engine_that_is_away_is_no_matter_of_how_many():
    engine = found(grows)
    held = engine.limit
    for _ in range(500):
        engine.end(Trouble.UNAVAILABLE)
    assert engine.limit == int(held * 0.7)
    assert max(engine.trail(6)) > int(held * 0.7)


def test_above_what_was_refused_nothing_is_tried_before_the_level_has_rested():
    engine = Engine(grows)
    engine.answer(window(4) + window(8))
    assert engine.limit == 12
    engine.end(Trouble.UNAVAILABLE, in_flight=11)
    tried = {engine.end() for _ in range(window(8) * REST)}
    assert max(tried) <= 10
    assert max(engine.trail(6)) > 10


def test_what_a_held_level_gave_up_is_not_tried_at_once_again():
    engine = found(grows)
    assert engine.limit == MOST
    assert engine.answer(1) == MOST
    engine.end(Trouble.UNAVAILABLE)
    assert engine.trail(4) == [44, 54, 59, 61]


def test_one_refusal_is_one_step_however_many_calls_meet_it():
    engine = found(queues_at(4))
    began, held = engine.now - 1, engine.limit
    engine.answer(1)
    for _ in range(held):
        call = Ended(began, engine.now, None, Trouble.UNAVAILABLE)
        engine.controller.ended(call, held)
    assert engine.limit in (held, int(held * 0.7))


@pytest.mark.parametrize(
    ("answered", "timeouts", "given_up"),
    [
        (0, 1, False),  # it may be its prompt's own fault
        (0, TIMEOUTS, True),
        (5, TIMEOUTS, True),
        (18, TIMEOUTS, False),  # one in ten of them all
        (17, TIMEOUTS, True),
        (20, 3, True),
    ],
)
def test_a_level_is_given_up_where_more_than_a_few_calls_time_out(answered, timeouts, given_up):
    engine = Engine(grows)
    engine.answer(answered)
    for _ in range(timeouts):
        engine.end(Trouble.TIMEOUT)
    assert engine.limit == (2 if given_up else FIRST)


def test_a_tried_level_that_times_out_is_left_and_its_late_time_outs_do_not_count_again():
    engine = Engine(grows)
    engine.answer(window(FIRST))
    began = engine.now
    engine.end(Trouble.TIMEOUT)
    assert engine.end(Trouble.TIMEOUT) == FIRST
    for _ in range(20):
        engine.controller.ended(Ended(began, engine.now, None, Trouble.TIMEOUT), FIRST)
    assert engine.limit == FIRST


def test_calls_of_another_level_are_not_looked_at():
    engine = Engine(grows)
    engine.answer(window(FIRST))
    assert engine.limit == 2 * FIRST
    for _ in range(200):
        engine.controller.ended(Ended(0.0, engine.now + 50, 100), 2 * FIRST)
    assert engine.limit == 2 * FIRST
    assert engine.answer(window(2 * FIRST)) > 2 * FIRST


def test_nothing_is_learned_while_there_is_too_little_to_do():
    engine = Engine(grows)
    for _ in range(500):
        assert engine.end(in_flight=FIRST - 1) == FIRST


def test_a_pause_between_two_batches_makes_no_engine_slow():
    paused, steady = Engine(queues_at(4)), Engine(queues_at(4))
    trails = []
    for engine, pause_s in ((paused, 900.0), (steady, 0.0)):
        sizes = []
        for call in range(600):
            sizes.append(engine.end())
            if call % 40 == 0:
                engine.now += pause_s
        trails.append(sizes)
    assert trails[0] == trails[1]


@pytest.mark.parametrize(
    ("before", "after", "level"),
    [
        (queues_at(4), queues_at(16), 16),
        (queues_at(16), queues_at(4), 4),
        (queues_at(4), lambda in_flight: 3 * queues_at(4)(in_flight), 4),
        (grows, queues_at(8), 8),
    ],
)
def test_an_engine_that_changes_is_followed(before, after, level):
    engine = found(before)
    engine.latency = after
    engine.answer(8_000)
    assert level / 1.3 <= engine.controller._held <= level * 1.3


TROUBLES = [None, None, None, Trouble.UNAVAILABLE, Trouble.TIMEOUT, Trouble.BAD_REQUEST]
CALLS_OF_ANY_KIND = st.lists(
    st.tuples(st.floats(0, 100), st.sampled_from(TROUBLES), st.integers(1, 100)), max_size=400
)


@given(st.integers(1, 100), CALLS_OF_ANY_KIND)
def test_the_number_stays_between_one_and_the_most(most, calls):
    controller, now = Controller(most), 0.0
    for seconds, trouble, in_flight in calls:
        call = Ended(now, now + seconds, None, trouble)
        now += seconds / 10
        assert 1 <= controller.ended(call, in_flight) <= most


# --- engines in virtual time ----------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES.values(), ids=list(SHAPES))
def test_what_adapts_brings_nearly_as_much_as_the_best_fixed_number(shape):
    size = best_fixed(shape)
    for seed in SEEDS:
        [best] = watched(lambda: Slots(size), shape, seed=seed)
        [found] = watched(lambda: AutoSlots(MOST), shape, seed=seed)
        assert found.throughput >= MUST_BRING * best.throughput, seed
        assert max(found.sizes) <= 2 * size + 1, seed


@pytest.mark.parametrize(
    ("before", "after", "size"),
    [
        (Shape(places=4), Shape(places=16), 16),
        (Shape(places=16), Shape(places=4), 4),
        (SHAPES["c: 503 above 12"], Shape(most=5), 5),
    ],
)
def test_what_adapts_follows_an_engine_that_changes(before, after, size):
    [best] = watched(lambda: Slots(size), after)
    for seed in (1, 2):
        _, found = watched(lambda: AutoSlots(MOST), before, after, seed=seed)
        assert found.throughput >= MUST_BRING * best.throughput, seed
