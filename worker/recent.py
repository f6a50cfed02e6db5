"""What was looked up lately, and need not be looked up again."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

KEPT = 256


class Recent(Generic[K, V]):
    """The values last asked for, of keys whose value never changes: at most `kept` of them.

    `load` brings the values of all the keys that it is given.
    """

    def __init__(
        self, load: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]], kept: int = KEPT
    ) -> None:
        self._load = load
        self._most = kept
        self._kept: OrderedDict[K, V] = OrderedDict()

    async def of(self, keys: Collection[K]) -> dict[K, V]:
        """The values of these keys; those that are not here are loaded in one go."""
        found = {key: self._kept[key] for key in keys if key in self._kept}
        missing = [key for key in keys if key not in found]
        if missing:
            found |= await self._load(missing)
        for key in keys:
            self._kept[key] = found[key]
            self._kept.move_to_end(key)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return found
