from collections import Counter

import pytest

from worker.recent import Recent


class Loads:
    """What was looked up, and how often."""

    def __init__(self) -> None:
        self.loads: list[list[int]] = []
        self.recent: Recent[int, str] = Recent(self.load, kept=3)

    async def load(self, keys):
        self.loads.append(list(keys))
        return {key: f"value {key}" for key in keys}

    @property
    def times(self) -> Counter[int]:
        return Counter(key for keys in self.loads for key in keys)


@pytest.fixture
def loads() -> Loads:
    return Loads()


async def test_what_is_missing_is_looked_up_in_one_go_and_once(loads):
    assert await loads.recent.of([1, 2]) == {1: "value 1", 2: "value 2"}
    assert await loads.recent.of([2, 3]) == {2: "value 2", 3: "value 3"}
    assert loads.loads == [[1, 2], [3]]


async def test_what_was_asked_for_longest_ago_is_forgotten_first(loads):
    for keys in ([1], [2], [3], [1], [4], [1], [2]):
        await loads.recent.of(keys)
    assert loads.times == {1: 1, 2: 2, 3: 1, 4: 1}


async def test_more_than_is_kept_can_be_asked_for_at_once(loads):
    assert len(await loads.recent.of(range(10))) == 10
