"""Time under a test's control: it stands still while something is ready, and jumps to the next
timer when nothing is. An hour passes in milliseconds, and to the moment."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec

_Params = ParamSpec("_Params")

BEGINNING_S = 1_000.0
STUCK_S = 5.0
"""Real seconds after which a loop that has no timer and gets no event is stuck."""


class _Jumping(selectors.DefaultSelector):
    """Does not wait for a timer: it lets the time until then pass at once."""

    now = BEGINNING_S

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            found = super().select(STUCK_S)
            assert found, "everything waits for something that nobody brings about"
            return found
        found = super().select(0)
        if not found:
            self.now += timeout
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop with such a clock."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def virtual_time(
    test: Callable[_Params, Coroutine[Any, Any, None]],
) -> Callable[_Params, None]:
    """Run an async test in virtual time."""

    @wraps(test)
    def in_virtual_time(*args: _Params.args, **kwargs: _Params.kwargs) -> None:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(test(*args, **kwargs))

    return in_virtual_time


def now() -> float:
    """The loop's time, in seconds."""
    return asyncio.get_running_loop().time()


async def settle() -> None:
    """Let everything happen that needs no time."""
    for _ in range(100):
        await asyncio.sleep(0)


async def passes(condition: Callable[[], object], what: str, within_s: float = 60.0) -> None:
    """Wait until a condition holds. AssertionError where it does not within so many seconds."""
    deadline = now() + within_s
    while not condition():
        assert now() < deadline, f"not within {within_s:g} s: {what}"
        await asyncio.sleep(0.01)
