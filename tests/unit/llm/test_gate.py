import asyncio
from collections.abc import Iterator

import pytest

from worker.llm import gate as gate_module
from worker.llm.engine import EngineError, Health, Trouble
from worker.llm.gate import RECENT, Gate


class Engine:
    """Answers health calls as told: down for the first `down` of them."""

    def __init__(self, down: int = 0) -> None:
        self.down = down
        self.asked = 0

    async def health(self) -> Health:
        self.asked += 1
        return Health(ok=self.asked > self.down, detail="")


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(gate_module, "FIRST_PAUSE_S", 0.01)
    return


def made(engine: Engine | None = None, *, limited: bool = False) -> Gate:
    return Gate("the engine", (engine or Engine()).health, limited=limited)


def error(trouble: Trouble, retry_after_s: float | None = None) -> EngineError:
    return EngineError(trouble, "no", retry_after_s=retry_after_s)


async def opened(gate: Gate) -> float:
    """The seconds until it opens."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    await asyncio.wait_for(gate.wait_open(), timeout=5)
    return loop.time() - started


async def test_a_new_gate_is_open():
    gate = made()
    assert gate.is_open
    assert await opened(gate) < 0.1


@pytest.mark.parametrize(
    ("trouble", "shuts"),
    [
        (Trouble.UNAVAILABLE, True),
        (Trouble.RATE_LIMITED, True),
        (Trouble.SERVER_ERROR, True),
        (Trouble.TIMEOUT, True),
        (Trouble.QUOTA, False),
        (Trouble.AUTH, False),
        (Trouble.MODEL_NOT_FOUND, False),
        (Trouble.CONTEXT_EXCEEDED, False),
        (Trouble.BAD_REQUEST, False),
        (Trouble.CONTENT_FILTER, False),
    ],
)
async def test_which_troubles_shut_a_gate_that_has_seen_no_good_call(trouble, shuts):
    gate = made()
    assert gate.trouble(error(trouble)) > 0
    assert gate.is_open is not shuts
    await gate.close()


async def test_where_a_rate_limit_keeps_the_pauses_a_refusal_leaves_the_gate_open():
    gate = made(limited=True)
    gate.trouble(error(Trouble.RATE_LIMITED, retry_after_s=60))
    assert gate.is_open


@pytest.mark.parametrize("trouble", [Trouble.UNAVAILABLE, Trouble.SERVER_ERROR, Trouble.TIMEOUT])
async def test_an_engine_that_is_down_shuts_the_gate_also_where_a_rate_limit_is(trouble):
    gate = made(limited=True)
    gate.trouble(error(trouble))
    assert not gate.is_open
    await gate.close()


@pytest.mark.parametrize("trouble", [Trouble.SERVER_ERROR, Trouble.TIMEOUT])
async def test_a_failing_call_among_many_good_ones_leaves_the_gate_open(trouble):
    gate = made()
    for _ in range(RECENT):
        gate.success()
    gate.trouble(error(trouble))
    assert gate.is_open
    assert gate.healthy


async def test_too_many_failing_calls_shut_it():
    gate = made()
    for _ in range(RECENT):
        gate.success()
    failed = 0
    while gate.is_open and failed < RECENT:
        gate.trouble(error(Trouble.SERVER_ERROR))
        failed += 1
    assert failed == RECENT // 5 + 1
    assert not gate.healthy
    await gate.close()


async def test_a_definite_no_shows_that_the_engine_is_well():
    gate = made()
    assert not gate.healthy
    gate.trouble(error(Trouble.BAD_REQUEST))
    assert gate.healthy


async def test_an_engine_that_is_down_is_probed_until_it_answers():
    engine = Engine(down=3)
    gate = made(engine)
    gate.trouble(error(Trouble.UNAVAILABLE))
    await opened(gate)
    assert engine.asked == 4
    assert gate.is_open


@pytest.mark.parametrize("trouble", [Trouble.RATE_LIMITED, Trouble.SERVER_ERROR])
async def test_an_engine_that_is_up_is_not_probed_but_left_alone(trouble):
    engine = Engine(down=100)
    gate = made(engine)
    gate.trouble(error(trouble))
    await opened(gate)
    assert engine.asked == 0


async def test_the_pause_that_the_server_asked_for_is_kept():
    gate = made()
    gate.trouble(error(Trouble.RATE_LIMITED, retry_after_s=0.2))
    assert await opened(gate) >= 0.19


async def test_pauses_grow_up_to_a_limit_and_a_good_call_ends_that(monkeypatch):
    monkeypatch.setattr(gate_module, "LONGEST_PAUSE_S", 0.05)
    gate = made()
    pauses = []
    for _ in range(6):
        pauses.append(gate.trouble(error(Trouble.RATE_LIMITED)))
        await opened(gate)
    assert pauses == sorted(pauses)
    assert pauses[0] < 0.03
    assert pauses[-1] == 0.05
    gate.success()
    assert gate.trouble(error(Trouble.RATE_LIMITED)) < 0.03
    await gate.close()


async def test_many_failures_at_once_have_one_opener():
    engine = Engine()
    gate = made(engine)
    for _ in range(50):
        gate.trouble(error(Trouble.UNAVAILABLE))
    await opened(gate)
    await asyncio.sleep(0.05)
    assert engine.asked == 1
    assert gate.is_open


async def test_everybody_who_waits_is_let_in():
    gate = made()
    gate.trouble(error(Trouble.RATE_LIMITED))
    await asyncio.wait_for(asyncio.gather(*(gate.wait_open() for _ in range(20))), timeout=5)


async def test_it_can_shut_again():
    gate = made()
    for _ in range(2):
        gate.trouble(error(Trouble.RATE_LIMITED))
        assert not gate.is_open
        await opened(gate)


async def test_a_longer_pause_that_comes_while_it_is_shut_is_kept_too():
    gate = made()
    gate.trouble(error(Trouble.RATE_LIMITED))
    gate.trouble(error(Trouble.RATE_LIMITED, retry_after_s=0.3))
    assert await opened(gate) >= 0.25


async def test_a_closed_gate_asks_no_more():
    engine = Engine(down=10**6)
    gate = made(engine)
    gate.trouble(error(Trouble.UNAVAILABLE))
    await asyncio.sleep(0.05)
    await gate.close()
    await asyncio.sleep(0)
    asked = engine.asked
    await asyncio.sleep(0.1)
    assert engine.asked == asked
