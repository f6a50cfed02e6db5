import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.flow.group_commit import GroupCommit


class Paper:
    """Remembers what was written together; writes take a moment."""

    def __init__(self, *, wait_s: float = 0.0, fail_on: set[int] | None = None) -> None:
        self.groups: list[list[int]] = []
        self.at_once = 0
        self.most_at_once = 0
        self._wait_s = wait_s
        self._fail_on = fail_on or set()

    async def write(self, items: Sequence[int]) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(self._wait_s)
        self.at_once -= 1
        if self._fail_on & set(items):
            raise ValueError(f"no room for {sorted(items)}")
        self.groups.append(list(items))

    @property
    def written(self) -> list[int]:
        return [item for group in self.groups for item in group]


async def put_all(group: GroupCommit[int], items: Sequence[int]) -> list[BaseException | None]:
    return await asyncio.wait_for(
        asyncio.gather(*(group.put(item) for item in items), return_exceptions=True), timeout=10
    )


@given(st.lists(st.integers(0, 99), max_size=60), st.integers(1, 10))
@settings(deadline=None)
def test_everything_is_written_once_in_order_in_groups_of_at_most_most(items, most):
    paper = Paper()
    assert asyncio.run(put_all(GroupCommit(paper.write, most), items)) == [None] * len(items)
    assert paper.written == items
    assert all(1 <= len(written) <= most for written in paper.groups)
    assert paper.most_at_once <= 1


async def test_put_returns_only_when_its_item_is_durable():
    paper = Paper(wait_s=0.01)
    group = GroupCommit(paper.write)
    await group.put(1)
    assert paper.written == [1]


async def test_what_comes_while_a_write_is_under_way_goes_together_into_the_next():
    paper = Paper(wait_s=0.05)
    group = GroupCommit(paper.write)
    first = asyncio.create_task(group.put(1))
    await asyncio.sleep(0.01)
    await asyncio.gather(first, *(group.put(item) for item in (2, 3, 4)))
    assert paper.groups == [[1], [2, 3, 4]]


async def test_an_error_reaches_the_item_at_fault_and_the_rest_of_its_group_is_written():
    paper = Paper(fail_on={4})
    results = await put_all(GroupCommit(paper.write, most=3), range(9))
    failed = [place for place, result in enumerate(results) if isinstance(result, ValueError)]
    assert failed == [4]
    assert sorted(paper.written) == [0, 1, 2, 3, 5, 6, 7, 8]


async def test_it_goes_on_after_an_error():
    paper = Paper(fail_on={1})
    group = GroupCommit(paper.write)
    with pytest.raises(ValueError, match="no room"):
        await group.put(1)
    await group.put(2)
    assert paper.written == [2]


async def test_nobody_is_left_waiting_under_a_storm_of_putters():
    paper = Paper(wait_s=0.001)
    group = GroupCommit(paper.write, most=16)

    async def putter(first: int) -> None:
        for item in range(first, first + 40):
            await group.put(item)
            if item % 3 == 0:
                await asyncio.sleep(0)

    await asyncio.wait_for(asyncio.gather(*(putter(n * 100) for n in range(25))), timeout=30)
    assert sorted(paper.written) == [n * 100 + k for n in range(25) for k in range(40)]
    assert paper.most_at_once == 1


async def test_each_putters_items_stay_in_their_order():
    paper = Paper(wait_s=0.001)
    group = GroupCommit(paper.write, most=5)
    await put_all(group, range(50))
    await put_all(group, range(50, 100))
    assert paper.written == list(range(100))


async def test_a_putter_that_gives_up_hinders_nobody_and_its_item_is_written_all_the_same():
    paper = Paper(wait_s=0.05)
    group = GroupCommit(paper.write)
    first = asyncio.create_task(group.put(1))
    await asyncio.sleep(0.01)
    leaving, staying = (asyncio.create_task(group.put(item)) for item in (2, 3))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait_for(asyncio.gather(first, staying), timeout=5)
    assert leaving.cancelled()
    assert paper.groups == [[1], [2, 3]]


async def test_whoever_makes_items_faster_than_they_are_written_waits():
    paper = Paper(wait_s=0.01)
    group = GroupCommit(paper.write, most=2)
    await group.fewer_than(1)
    puts = [asyncio.create_task(group.put(item)) for item in range(6)]
    puts[2].cancel()  # it is written all the same, and nobody hears of it
    await asyncio.sleep(0)
    await asyncio.wait_for(group.fewer_than(3), timeout=5)
    assert paper.written in ([0, 1], [0, 1, 2, 3])
    await asyncio.gather(*puts, return_exceptions=True)
