"""Supply: a few messages in every queue in which something waits.

A message says no more than that: "there is something in this queue". Whoever takes it claims from
Postgres for as long as it finds anything, so a queue needs messages for idle workers only, and one
that is lost or doubled changes nothing: the next look sends what is missing.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import redis

from models.queue import KombuError, depths, ring
from worker.db import Row
from worker.outage import Outage

MESSAGES = 8
"""Messages that a queue with work holds: so many idle workers wake at once, and at each look as
many again."""

BUSY_S, IDLE_S = 0.05, 0.25
"""The pause between two looks: short after one that had to send something."""


class Supply:
    """Keeps the queues topped up. `run` runs a statement of worker/sql."""

    def __init__(self, run: Callable[..., Coroutine[Any, Any, list[Row]]], outage: Outage) -> None:
        self._run = run
        self._outage = outage
        self.pause_s = IDLE_S

    async def top_up(self) -> None:
        """One look. Redis may be away: nothing is lost, and the next look makes up for it."""
        queues = [row["queue"] for row in await self._run("flow/waiting_queues")]
        try:
            sent = await asyncio.to_thread(_top_up, queues) if queues else 0
        except (redis.RedisError, OSError, KombuError) as exc:  # one that reads and does not write
            self._outage.begin(exc)
            sent = 0
        else:
            self._outage.end()
        self.pause_s = BUSY_S if sent else IDLE_S


def _top_up(queues: Sequence[str]) -> int:
    sent = 0
    for queue, depth in zip(queues, depths(queues), strict=True):
        for _ in range(MESSAGES - depth):
            ring(queue)
            sent += 1
    return sent
