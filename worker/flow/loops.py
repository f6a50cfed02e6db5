"""Loops that must not end: if one does, all of them do, and whoever runs them is told."""

import asyncio
from collections.abc import Coroutine
from typing import Any


class LoopEnded(Exception):
    """A background loop ended that should have gone on for as long as its process."""


async def run_together(**loops: Coroutine[Any, Any, None]) -> None:
    """Run these until cancelled. Raises ExceptionGroup when one ends, in whatever way: by a fault,
    by coming to its end, or because somebody cancelled it alone."""
    parent = asyncio.current_task()
    assert parent is not None

    async def endless(name: str, loop: Coroutine[Any, Any, None]) -> None:
        try:
            await loop
        except asyncio.CancelledError:
            if parent.cancelling():
                raise
            raise LoopEnded(f"{name} was cancelled") from None
        raise LoopEnded(f"{name} came to its end")

    async with asyncio.TaskGroup() as group:
        for name, loop in loops.items():
            group.create_task(endless(name, loop), name=name)
