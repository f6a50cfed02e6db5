from collections import Counter

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from models.queue import KombuError
from tests.fakes import FakeDatabase
from worker.flow import supply as supply_module
from worker.flow.supply import BUSY_S, IDLE_S, MESSAGES, Supply
from worker.outage import Outage


class FakeRedis:
    """Queues of messages; can be away."""

    def __init__(self, **queues: int) -> None:
        self.queues = Counter(queues)
        self.away: Exception | None = None

    def depths(self, queues):
        if self.away is not None:
            raise self.away
        return [self.queues[queue] for queue in queues]

    def ring(self, queue):
        self.queues[queue] += 1


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> FakeRedis:
    made = FakeRedis()
    monkeypatch.setattr(supply_module, "depths", made.depths)
    monkeypatch.setattr(supply_module, "ring", made.ring)
    return made


def supplied(*queues: str) -> Supply:
    """A supply for queues in which something waits."""
    waiting = [{"queue": queue} for queue in queues]
    return Supply(FakeDatabase(flow__waiting_queues=waiting).run, Outage("redis"))


async def test_every_queue_in_which_something_waits_holds_a_few_messages(broker):
    await supplied("a", "b").top_up()
    assert broker.queues == {"a": MESSAGES, "b": MESSAGES}


async def test_a_queue_in_which_nothing_waits_gets_none(broker):
    await supplied().top_up()
    assert broker.queues == {}


async def test_what_was_lost_or_taken_is_made_up_for_and_no_more(broker):
    broker.queues["a"] = MESSAGES - 3
    supply = supplied("a")
    for _ in range(5):
        await supply.top_up()
    assert broker.queues["a"] == MESSAGES


async def test_a_queue_that_holds_too_many_is_left_alone(broker):
    broker.queues["a"] = 100 * MESSAGES
    await supplied("a").top_up()
    assert broker.queues["a"] == 100 * MESSAGES


async def test_the_next_look_comes_soon_while_messages_are_taken_and_later_when_not(broker):
    supply = supplied("a")
    assert supply.pause_s == IDLE_S
    await supply.top_up()
    assert supply.pause_s == BUSY_S
    await supply.top_up()
    assert supply.pause_s == IDLE_S


async def test_a_redis_that_reads_and_does_not_write_is_away_too(broker, monkeypatch):
    """Its memory is used up, or it is a replica now; Celery has words of its own for that."""

    def refuses(queue):
        raise KombuError("OOM command not allowed when used memory > 'maxmemory'")

    monkeypatch.setattr(supply_module, "ring", refuses)
    supply = supplied("a")
    await supply.top_up()
    assert supply.pause_s == IDLE_S


@pytest.mark.parametrize("fault", [redis.ConnectionError("refused"), OSError("no route")])
async def test_while_redis_is_away_nothing_fails_and_nothing_is_lost(broker, fault):
    supply = supplied("a")
    broker.away = fault
    await supply.top_up()
    assert (dict(broker.queues), supply.pause_s) == ({}, IDLE_S)
    broker.away = None
    await supply.top_up()
    assert broker.queues["a"] == MESSAGES


async def test_a_fault_of_our_own_is_no_outage(broker):
    broker.away = KeyError("a queue without a name")
    with pytest.raises(KeyError):
        await supplied("a").top_up()


@given(st.lists(st.integers(0, 3 * MESSAGES), max_size=20))
def test_however_many_queues_there_are_each_holds_what_it_held_or_so_many(depths):
    names = [f"queue-{number}" for number in range(len(depths))]
    broker = FakeRedis(**dict(zip(names, depths, strict=True)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(supply_module, "depths", broker.depths)
        patch.setattr(supply_module, "ring", broker.ring)
        sent = supply_module._top_up(names)
    assert [broker.queues[name] for name in names] == [max(depth, MESSAGES) for depth in depths]
    assert sent == sum(max(0, MESSAGES - depth) for depth in depths)
