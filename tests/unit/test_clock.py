import asyncio
import time

import pytest

from tests.clock import BEGINNING_S, now, passes, settle, virtual_time


@virtual_time
async def test_an_hour_passes_at_once():
    began = time.process_time()
    await asyncio.sleep(3_600)
    assert now() == pytest.approx(BEGINNING_S + 3_600)
    assert time.process_time() - began < 1


@virtual_time
async def test_timers_go_off_in_their_order_and_at_their_time():
    seen = []

    async def after(seconds):
        await asyncio.sleep(seconds)
        seen.append((seconds, round(now() - BEGINNING_S, 6)))

    await asyncio.gather(*(after(seconds) for seconds in (30, 0.1, 7)))
    assert seen == [(0.1, 0.1), (7, 7), (30, 30)]


@virtual_time
async def test_no_time_passes_while_something_is_ready():
    await settle()
    assert now() == BEGINNING_S


@virtual_time
async def test_a_time_limit_ends_what_takes_longer():
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5):
            await asyncio.Event().wait()
    assert now() == BEGINNING_S + 5


@virtual_time
async def test_what_does_not_come_about_in_its_time_is_said():
    with pytest.raises(AssertionError, match="not within 2 s: the moon"):
        await passes(lambda: False, "the moon", within_s=2)


def test_what_nobody_can_end_is_no_endless_wait(monkeypatch):
    monkeypatch.setattr("tests.clock.STUCK_S", 0.01)

    @virtual_time
    async def stuck():
        await asyncio.Event().wait()

    with pytest.raises(AssertionError, match="nobody brings about"):
        stuck()
