"""The limiter as workers use it: real time, a real Valkey, and processes that are killed."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from itertools import chain, pairwise
from pathlib import Path

import pytest
import redis

from tests.waiting import until, wait_until
from worker.calls.grant import Amount, EngineLimits, Grant, Limits, Shut, ShutReason, Timing
from worker.calls.limits import Limiter
from worker.llm.engine import RateLimits, Usage

FAST = Timing(window_s=6.0, spread_s=0.05, lease_s=1.0, renew_s=0.1, hold_s=0.3, pause_s=0.05)
SMALL = Amount(prompt=50, output=10, max_output=100)

CALLER = """
import asyncio, json, sys
from worker.calls.grant import Amount, EngineLimits, Limits, Timing
from worker.calls.limits import Limiter

async def main(url, limits, timing, lasts_s, end):
    limiter = Limiter(url, "e", EngineLimits(Limits(**limits)), Timing(**timing))
    async def call():
        while True:
            grant = await limiter.acquire("m", Amount(50, 10, 100))
            print(grant.granted_at, flush=True)
            await asyncio.sleep(lasts_s)
            getattr(limiter, end)(grant)
    await asyncio.gather(*(call() for _ in range(8)))

asyncio.run(main(*json.loads(sys.argv[1])))
"""


@contextmanager
def caller(
    url: str,
    out: Path,
    limits: dict[str, int],
    lasts_s: float = 0.0,
    end: str = "settle",
    timing: Timing = FAST,
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that calls for ever; the moments of its grants are lines of `out`."""
    order = json.dumps([url, limits, asdict(timing), lasts_s, end])
    with out.open("wb") as sink:
        process = subprocess.Popen([sys.executable, "-c", CALLER, order], stdout=sink)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def moments(out: Path) -> list[int]:
    """The grants that a caller got, in microseconds of Redis's clock."""
    return [int(line) for line in out.read_text().splitlines(keepends=True) if line[-1] == "\n"]


@pytest.fixture
def client(redis_url: str) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(redis_url, decode_responses=True) as connection:
        yield connection


@pytest.fixture
async def limiters(redis_url: str) -> AsyncIterator["Limiters"]:
    made = Limiters(redis_url)
    yield made
    for limiter in made.made:
        await limiter.close()


class Limiters:
    """Makes limiters that are closed with the test."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.made: list[Limiter] = []

    def __call__(self, models: Mapping[str, Limits] | None = None, **limits: int) -> Limiter:
        stated = EngineLimits(Limits(**limits), models or {})
        self.made.append(Limiter(self.url, "e", stated, FAST))
        return self.made[-1]


async def acquired(limiter: Limiter, model: str = "m") -> Grant:
    """Leave for one call."""
    return await limiter.acquire(model, SMALL)


async def refused(limiter: Limiter, model: str = "m") -> str:
    """Why a request is not let through, once the state has settled."""
    asking = asyncio.create_task(acquired(limiter, model))

    def reason() -> str | None:
        refusal = limiter._line(model).refused
        return refusal.reason if refusal and refusal.reason != "hold" else None

    try:
        return await until(reason, "it is refused") or ""
    finally:
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)


async def test_a_grant_is_waited_for_and_says_what_it_was_charged(limiters):
    grant = await acquired(limiters(tpm=60_000))
    assert grant.charged == 60


async def test_those_who_wait_together_are_asked_for_together_and_go_in_their_order(
    limiters, client
):
    limiter = limiters(max_in_flight=250)
    client.config_resetstat()
    order: list[int] = []

    async def ask(number: int) -> None:
        await acquired(limiter)
        order.append(number)

    asking = [asyncio.create_task(ask(number)) for number in range(500)]
    await until(lambda: len(order) == 250, "all places are taken")
    assert order == list(range(250))
    assert client.info("commandstats")["cmdstat_evalsha"]["calls"] < 20
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)


async def test_a_call_that_goes_out_late_counts_from_then_on(limiters):
    limiter = limiters(rpm=600)
    grant = await acquired(limiter)
    await until(lambda: time.monotonic() > grant.asked_at + FAST.spread_s / 2, "it is late")
    late = await limiter.going_out(grant)
    assert late.slot > grant.slot
    assert await limiter.going_out(late) is late  # as long as it is not late again


async def somebody_waits(client: "redis.Redis") -> None:
    """Until one process stands in line for a model."""
    await until(lambda: client.zcard("docmill:limit:{e}/m:line"), "somebody stands in line")


async def test_an_answer_frees_the_place_of_whoever_waits_in_another_process(limiters, client):
    first, second = limiters(max_in_flight=1), limiters(max_in_flight=1)
    grant = await acquired(first)
    waiting = asyncio.create_task(acquired(second))
    await somebody_waits(client)
    started = time.monotonic()
    first.settle(grant)
    await asyncio.wait_for(waiting, timeout=5)
    assert time.monotonic() - started < 0.9  # woken: not after the second of a lost wake


async def test_a_holder_keeps_its_place_for_longer_than_a_lease(limiters):
    holder, other = limiters(max_in_flight=1), limiters(max_in_flight=1)
    await acquired(holder)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(acquired(other), timeout=2.5 * FAST.lease_s)


async def test_a_killed_process_frees_its_places(limiters, redis_url, tmp_path):
    out = tmp_path / "out"
    with caller(redis_url, out, {"max_in_flight": 4}, lasts_s=600):
        wait_until(lambda: len(moments(out)) == 4, what="four calls are in flight")
        limiter = limiters(max_in_flight=4)
        assert await refused(limiter) in ("in_flight", "turn")
    grants = [acquired(limiter) for _ in range(4)]
    assert len(await asyncio.wait_for(asyncio.gather(*grants), timeout=10)) == 4


async def test_a_pause_is_seen_by_all(limiters):
    limiter_s = [limiters(rpm=60_000) for _ in range(3)]
    grant = await acquired(limiter_s[0])
    limiter_s[0].pause(grant, 30.0, over_limit=False)
    for limiter in limiter_s:
        assert await refused(limiter) == "pause"


async def test_another_model_has_limits_of_its_own(limiters):
    limiter = limiters({"m": Limits(max_in_flight=1)})
    await acquired(limiter)
    await asyncio.wait_for(acquired(limiter, "other"), timeout=5)
    assert await refused(limiter) == "in_flight"


async def test_the_limits_of_the_engine_hold_for_all_models_of_all_processes(limiters):
    out: list[tuple[Limiter, Grant]] = []

    async def ask(limiter: Limiter, model: str) -> None:
        out.append((limiter, await acquired(limiter, model)))

    limiter_s = [limiters(max_in_flight=2) for _ in range(3)]
    asking = asyncio.gather(*(ask(limiter, model) for limiter in limiter_s for model in "abc"))
    await until(lambda: len(out) == 2, "two calls are out")
    with pytest.raises(AssertionError, match="a third"):
        await until(lambda: len(out) > 2, "a third", timeout=1.5)
    for number in range(7):
        limiter, grant = out[number]
        limiter.settle(grant)
        await until(lambda: len(out) == number + 3, "the next one is out")  # noqa: B023
    await asking


async def test_a_paused_model_lets_the_others_go_and_says_that_it_is_held_up(limiters):
    limiter = limiters(rpm=60_000)
    limiter.pause(await acquired(limiter, "a"), 86_400.0, over_limit=True)
    waiting = asyncio.create_task(acquired(limiter, "a"))
    await until(lambda: limiter.ahead("a") is not None, "a is held up")
    for _ in range(10):
        limiter.settle(await asyncio.wait_for(acquired(limiter, "b"), timeout=5))
    assert limiter.ahead("b") is None
    assert not waiting.done()
    waiting.cancel()
    await until(lambda: limiter.ahead("a") is None, "nobody waits any more", timeout=2)


async def test_as_many_may_wait_as_were_let_out_of_late(limiters):
    limiter = limiters(max_in_flight=8)
    assert limiter.ahead("m") is None
    for _ in range(8):
        await acquired(limiter)
    waiting = asyncio.create_task(acquired(limiter))
    await until(lambda: limiter.ahead("m") is not None, "it waits")
    assert limiter.ahead("m") in range(1, 9)
    await until(lambda: limiter.ahead("m") == 1, "they were let out a while ago", timeout=2)
    waiting.cancel()


async def test_a_pause_of_a_day_is_shown_and_can_be_lifted(limiters):
    limiter, other = limiters(rpm=60_000), limiters(rpm=60_000)
    assert await other.state() == []
    limiter.pause(await acquired(limiter), 86_400.0, over_limit=False)
    [shut] = await until_shut(other)
    assert (shut.model, shut.reason) == ("m", ShutReason.ASKED)
    assert abs(shut.since - time.time()) < 5
    assert shut.until == pytest.approx(shut.since + 86_400, abs=0.01)
    waiting = asyncio.create_task(acquired(limiter))
    await until(lambda: limiter.ahead("m") is not None, "it waits")
    await other.lift("m")
    await asyncio.wait_for(waiting, timeout=3)  # woken: not after its five seconds of sleep
    assert await other.state() == []


async def test_a_waiter_asks_again_though_it_was_told_to_wait_for_long(limiters, client):
    often = Limiter(limiters.url, "e", EngineLimits(), replace(FAST, sleep_s=0.2))
    limiters.made.append(often)
    often.pause(await acquired(often), 86_400.0, over_limit=False)
    waiting = asyncio.create_task(acquired(often))
    await until(lambda: often.ahead("m") is not None, "it waits")
    client.hset(often._line("m").state, "pause_until", 0)  # nobody wakes it
    await asyncio.wait_for(waiting, timeout=3)


async def test_an_engine_without_a_way_to_it_is_shut_for_all_and_can_be_lifted(limiters):
    limiter, other = limiters(rpm=60_000), limiters(rpm=60_000)
    limiter.trouble(await acquired(limiter, "a"), 86_400.0, engine=True)
    [shut] = await until_shut(other)
    assert (shut.model, shut.reason) == (None, ShutReason.ASKED)
    waiting = asyncio.create_task(acquired(limiter, "b"))
    await until(lambda: limiter.ahead("b") is not None, "it waits")
    await other.lift(None)
    await asyncio.wait_for(waiting, timeout=1)
    assert await other.state() == []


async def until_shut(limiter: Limiter) -> list[Shut]:
    """What is shut, once something is."""
    for _ in range(500):
        if found := await limiter.state():
            return found
        await asyncio.sleep(0.01)
    raise AssertionError("nothing is shut")


def test_three_processes_in_a_storm_make_a_call_a_pause_between_them(redis_url, tmp_path):
    """An hour of errors in 36 s: a minute, the longest pause, is 0.6 s here."""
    storm = replace(FAST, pause_s=0.01, longest_pause_s=0.6)
    outs = [tmp_path / str(number) for number in range(3)]
    with (
        caller(redis_url, outs[0], {"rpm": 60_000}, end="trouble", timing=storm),
        caller(redis_url, outs[1], {"rpm": 60_000}, end="trouble", timing=storm),
        caller(redis_url, outs[2], {"rpm": 60_000}, end="trouble", timing=storm),
    ):
        wait_until(lambda: any(map(moments, outs)), timeout=20, what="the storm has begun")
        time.sleep(20 * storm.longest_pause_s)
    went = sorted(chain.from_iterable(map(moments, outs)))
    grown = [moment for moment in went if moment > went[0] + 6 * 600_000]
    assert 10 <= len(grown) <= 17
    for one, following in pairwise(grown):
        assert following - one >= 600_000


async def test_a_call_that_was_never_made_is_as_if_it_had_not_been(limiters, client):
    limiter = limiters(tpm=600_000, rpm=600)
    grant = await acquired(limiter)
    state = limiter._line("m").state
    before = float(client.hget(state, "used_t"))
    limiter.give_back(grant)
    await until(lambda: float(client.hget(state, "used_t")) <= before - 60, "it is given back")


async def test_what_the_provider_reports_is_what_counts(limiters, client):
    limiter = limiters(max_in_flight=8)
    grant = await acquired(limiter)
    headers = RateLimits(limit_requests=600, limit_tokens=10_000, remaining_tokens=9_000)
    limiter.settle(grant, Usage(input_tokens=40, output_tokens=5), headers)
    state = limiter._line("m").state
    await until(lambda: client.hget(state, "told_r") == "600", "the limit is learned")
    assert float(client.hget(state, "used_t")) == 500  # of 10,000 less 5 %, 9,000 were left


async def test_a_request_that_is_cancelled_while_it_waits_holds_nobody_up(limiters, client):
    first, second = limiters(max_in_flight=1), limiters(max_in_flight=1)
    grant = await acquired(first)
    gone = asyncio.create_task(acquired(first))
    await somebody_waits(client)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    first.settle(grant)
    await asyncio.wait_for(acquired(second), timeout=5)


async def test_whenever_a_request_is_cancelled_its_place_is_free_afterwards(limiters, client):
    limiter = limiters(max_in_flight=1)
    limiter.settle(await acquired(limiter))
    for turns in range(30):
        gone = asyncio.create_task(acquired(limiter))
        for _ in range(turns):
            await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        if not gone.cancelled():
            limiter.settle(gone.result())
    await asyncio.wait_for(acquired(limiter), timeout=5)


async def test_a_request_that_is_cancelled_with_its_leave_in_hand_gives_it_back(limiters):
    limiter = limiters(max_in_flight=1)
    gone = asyncio.create_task(acquired(limiter))
    await asyncio.sleep(0)
    [waiter] = limiter._line("m").waiting.values()
    while not waiter.leave.done():
        await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    assert gone.cancelled()
    await asyncio.wait_for(acquired(limiter), timeout=5)


async def test_whoever_waits_when_a_process_ends_waits_no_more_and_stands_in_no_line(
    limiters, client
):
    limiter = limiters(max_in_flight=1)
    await acquired(limiter)
    waiting = asyncio.create_task(acquired(limiter))
    await somebody_waits(client)
    await limiter.close()
    await asyncio.gather(waiting, return_exceptions=True)
    assert waiting.cancelled()
    assert client.zcard("docmill:limit:{e}/m:line") == client.zcard("docmill:limit:{e}:line") == 0


async def test_a_fault_of_ours_is_told_to_everybody_who_waits_and_passes(limiters, client):
    limiter = limiters(max_in_flight=1)
    client.set(limiter._line("m").state, "not ours")
    found = await asyncio.gather(*(acquired(limiter) for _ in range(3)), return_exceptions=True)
    assert all(isinstance(one, redis.ResponseError) for one in found)
    client.delete(limiter._line("m").state)
    await asyncio.wait_for(acquired(limiter), timeout=5)


async def test_all_keys_of_an_engine_share_one_slot_of_a_cluster(limiters, client):
    limiter = limiters(max_in_flight=1)
    limiter.pause(await acquired(limiter), 60.0, over_limit=True)
    await refused(limiter)
    await acquired(limiter, "other")
    keys = client.keys("*")
    assert {"docmill:limit:{e}:shut", "docmill:limit:{e}/other:state"} <= set(keys)
    assert all(key.startswith("docmill:limit:{e}") for key in keys)


async def test_the_answer_after_the_trouble_lets_everybody_go(limiters, client):
    first, second = limiters(max_in_flight=4), limiters(max_in_flight=4)
    first.trouble(await acquired(first))
    await until_shut(second)
    probe = await asyncio.wait_for(acquired(first), timeout=5)
    waiting = asyncio.create_task(acquired(second))
    await somebody_waits(client)
    [shut] = await second.state()
    assert (shut.model, shut.reason) == ("m", ShutReason.TROUBLE)
    assert shut.until < time.time()  # one call tries
    started = time.monotonic()
    first.settle(probe)
    await asyncio.wait_for(waiting, timeout=5)
    assert time.monotonic() - started < 0.9  # woken
    assert await second.state() == []


async def test_requests_of_one_process_go_in_the_order_in_which_they_came(limiters):
    limiter = limiters(rpm=600)
    order: list[int] = []

    async def ask(number: int) -> None:
        await acquired(limiter)
        order.append(number)

    await asyncio.wait_for(asyncio.gather(*map(ask, range(12))), timeout=20)
    assert order == list(range(12))


def test_four_processes_share_one_limit_evenly_and_keep_it(redis_url, tmp_path):
    outs = [tmp_path / str(number) for number in range(4)]
    limits = {"rpm": 240, "tpm": 2_000_000}
    with (
        caller(redis_url, outs[0], limits),
        caller(redis_url, outs[1], limits),
        caller(redis_url, outs[2], limits),
        caller(redis_url, outs[3], limits),
    ):
        wait_until(
            lambda: sum(len(moments(out)) for out in outs) >= 480, timeout=60, what="480 grants"
        )
    each = [moments(out) for out in outs]
    assert_within(sorted(chain.from_iterable(each)), 240, 6.0)
    together_from = max(moments_of[0] for moments_of in each)
    shares = [sum(moment >= together_from for moment in moments_of) for moments_of in each]
    assert max(shares) - min(shares) <= 0.1 * sum(shares)


def assert_within(granted: list[int], limit: int, window_s: float) -> None:
    """No window holds more than the limit, and together they use most of it."""
    for earlier, later in zip(granted, granted[limit:], strict=False):
        assert later - earlier > window_s * 1_000_000
    seconds = (granted[-1] - granted[0]) / 1_000_000
    assert len(granted) >= 0.95 * limit * seconds / window_s


async def test_while_redis_is_empty_handed_nobody_asks_more_than_before(
    limiters, client, redis_url, tmp_path
):
    """Redis loses everything in the middle of it, script included: no window is overrun."""
    out = tmp_path / "out"
    with caller(redis_url, out, {"rpm": 240}):
        for done in (150, 300):
            wait_until(lambda: len(moments(out)) >= done, timeout=60, what=f"{done} grants")  # noqa: B023
            client.flushall()
            client.script_flush()
        wait_until(lambda: len(moments(out)) >= 400, timeout=60, what="400 grants")
    granted = moments(out)
    for earlier, later in zip(granted, granted[240:], strict=False):
        assert later - earlier > 6_000_000


async def test_places_in_flight_survive_the_loss_of_redis_data(limiters, client):
    holder, other = limiters(max_in_flight=2), limiters(max_in_flight=2)
    await acquired(holder)
    await acquired(holder)
    client.flushall()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(acquired(other), timeout=1.5)


async def test_while_redis_is_away_nothing_is_granted_and_nothing_fails(limiters):
    """The door to Redis shuts and opens again; what was settled meanwhile arrives."""
    async with Door(limiters.url) as door:
        limiter = Limiter(door.url, "e", EngineLimits(Limits(max_in_flight=1)), FAST)
        try:
            grant = await acquired(limiter)
            await door.shut()
            waiting = asyncio.create_task(acquired(limiter))
            limiter.settle(grant)
            done, _ = await asyncio.wait([waiting], timeout=1.0)
            assert not done
            await door.open()
            await asyncio.wait_for(waiting, timeout=10)
        finally:
            await limiter.close()


class Door:
    """A TCP way to a Redis on a Unix socket, which can be shut."""

    def __init__(self, url: str) -> None:
        self._path = redis.connection.parse_url(url)["path"]
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._port = 0

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}/0"

    async def __aenter__(self) -> "Door":
        await self.open()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.shut()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def shut(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._open:
            writer.close()
        self._open.clear()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_unix_connection(self._path)
        self._open |= {writer, inner_writer}
        ways = (_copy(reader, inner_writer), _copy(inner_reader, writer))
        await asyncio.gather(*ways, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()
