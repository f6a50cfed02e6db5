import asyncio

import pytest

from tests.clock import settle, virtual_time
from worker.flow.loops import LoopEnded, run_together


async def for_ever() -> None:
    await asyncio.Event().wait()


async def breaks(after_s: float = 1.0) -> None:
    await asyncio.sleep(after_s)
    raise KeyError("a fault of ours")


async def comes_to_its_end() -> None:
    await asyncio.sleep(1)


async def ended_by(**loops) -> list[BaseException]:
    """What the loops end with."""
    with pytest.raises(ExceptionGroup) as caught:
        await run_together(**loops)
    return list(caught.value.exceptions)


@virtual_time
async def test_loops_go_on_until_they_are_cancelled_together():
    together = asyncio.create_task(run_together(one=for_ever(), other=for_ever()))
    await asyncio.sleep(3_600)
    assert not together.done()
    together.cancel()
    with pytest.raises(asyncio.CancelledError):
        await together


@virtual_time
async def test_a_fault_in_one_ends_all_and_is_told():
    left = []

    async def other():
        try:
            await for_ever()
        finally:
            left.append("other")

    [fault] = await ended_by(one=breaks(), other=other())
    assert isinstance(fault, KeyError)
    assert left == ["other"]


@virtual_time
async def test_a_loop_that_comes_to_its_end_ends_all():
    [fault] = await ended_by(short=comes_to_its_end(), other=for_ever())
    assert isinstance(fault, LoopEnded)
    assert str(fault) == "short came to its end"


@virtual_time
async def test_a_loop_that_is_cancelled_alone_does_not_go_unnoticed():
    together = asyncio.create_task(run_together(one=for_ever(), other=for_ever()))
    await settle()
    [one] = [task for task in asyncio.all_tasks() if task.get_name() == "one"]
    one.cancel()
    with pytest.raises(ExceptionGroup) as caught:
        await together
    assert [str(fault) for fault in caught.value.exceptions] == ["one was cancelled"]


@virtual_time
async def test_loops_within_loops_end_with_them_and_quietly():
    inner = run_together(one=for_ever(), other=for_ever())
    [fault] = await ended_by(inner=inner, broken=breaks())
    assert isinstance(fault, KeyError)


@virtual_time
async def test_a_fault_in_a_loop_within_loops_is_told_to_the_outermost():
    [inner] = await ended_by(inner=run_together(one=breaks(), other=for_ever()), other=for_ever())
    assert isinstance(inner, ExceptionGroup)
    assert isinstance(inner.exceptions[0], KeyError)


@virtual_time
async def test_every_fault_of_the_same_moment_is_told():
    faults = await ended_by(one=breaks(), other=breaks())
    assert [type(fault) for fault in faults] == [KeyError, KeyError]
