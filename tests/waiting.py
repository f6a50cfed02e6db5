"""Waiting for a condition instead of sleeping."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

_Found = TypeVar("_Found")


def wait_until(
    condition: Callable[[], _Found], *, timeout: float = 60.0, every: float = 0.01, what: str
) -> _Found:
    """The first truthy answer of `condition`, asked `every` so many seconds; AssertionError after
    `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout:g} s: {what}")
        time.sleep(every)
    return found


async def until(
    condition: Callable[[], _Found], what: str, timeout: float = 60.0, every: float = 0.01
) -> _Found:
    """The same for what another task, or a server that a task here talks to, brings about."""
    deadline = time.monotonic() + timeout
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {timeout:g} s: {what}"
        await asyncio.sleep(every)
    return found
