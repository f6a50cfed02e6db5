"""Housekeeping: what the leader does beside feeding. Every statement is bounded, and goes on at the
next turn; none of them grows with what is finished, nor with what waits."""

import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from worker.db import Row
from worker.log import logger
from worker.settings import LEASE_S, MAX_DOCUMENT_KILLS, MAX_KILLS, PURGED, SILENCE_S

TURN_S = 0.25
"""How often leases, moments, holds and counts are looked at."""

ROUND_S = 2.0
"""How often the rest is."""

MONTHS_S, MONTHS_AGAIN_S = 3600.0, 60.0
"""How often is looked whether the ledger has its next partitions, and again where it was in use."""

WHOLE_S = 60.0
"""How often a look begins at the beginning again, for what committed late stands behind the others;
and how often what is seldom due is looked at."""

MOST_REAPED = 500
MOST_DUE = 2_000
MOST_REPLACED = 20

LATE_S = 5.0
"""What commits so long after it was due, or later, waits until a look begins at the beginning."""

BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)


class House:
    """One leader's housekeeping. `run` runs a statement of worker/sql."""

    def __init__(
        self, run: Callable[..., Coroutine[Any, Any, list[Row]]], *, was_away: bool
    ) -> None:
        self._run = run
        self._reap_from = time.monotonic() + (LEASE_S if was_away else 0.0)
        self._reaped_until = self._brought_until = BEGINNING
        self._counts_after = self._spend_after = self._changes_after = 0
        self._batches_after = self._lines_after = 0
        self._due: dict[Callable[[], Coroutine[Any, Any, None]], float] = dict.fromkeys(
            (self._turn, self._round, self._begin_again, self._make_months), 0.0
        )

    async def keep(self) -> None:
        """Whatever is due."""
        for duty, every_s in (
            (self._turn, TURN_S),
            (self._round, ROUND_S),
            (self._begin_again, WHOLE_S),
            (self._make_months, MONTHS_S),
        ):
            if time.monotonic() >= self._due[duty]:
                self._due[duty] = time.monotonic() + every_s
                await duty()

    async def _turn(self) -> None:
        await self._bring_due()
        await self._run("flow/end_holds")
        await self._reap()
        await self._run("flow/replace_documents", most=MOST_REPLACED)
        await self._run("flow/sweep_cancelled")
        await self._fold()
        await self._close()

    async def _round(self) -> None:
        await self._run("flow/forget_workers", silence_s=SILENCE_S)
        await self._run("flow/hold_engines")
        await self._run("flow/unhold_engines")
        await self._run("flow/reap_calls", lease_s=LEASE_S)
        await self._run("purge/begin_due")
        await self._run("purge/next_due", most=PURGED)
        await self._run("flow/refresh_lines", after=self._lines_after)
        [looked] = await self._run("flow/move_heads", after=self._lines_after)
        self._lines_after = looked["last"] or 0

    async def _begin_again(self) -> None:
        self._counts_after = self._spend_after = 0
        self._reaped_until = self._brought_until = BEGINNING
        await self._run("purge/verdicts", most=PURGED)

    async def _bring_due(self) -> None:
        since = self._brought_until
        [due] = await self._run("flow/bring_due", since=since, most=MOST_DUE)
        if due["n"] < MOST_DUE:
            self._brought_until = max(since, due["at"] - timedelta(seconds=LATE_S))

    async def _reap(self) -> None:
        if time.monotonic() < self._reap_from:
            return
        [late] = await self._run(
            "flow/reap",
            since=self._reaped_until,
            most=MOST_REAPED,
            job_kills=MAX_KILLS,
            document_kills=MAX_DOCUMENT_KILLS,
        )
        if late["all_of_them"] < MOST_REAPED:
            self._reaped_until = late["at"]
        if late["all_of_them"]:
            found = {what: late[what] for what in ("jobs", "documents", "pairs")}
            logger().warning("leases ran out; their work is back in line", **found)

    async def _fold(self) -> None:
        [counts] = await self._run("flow/fold_counts", after=self._counts_after)
        self._counts_after = counts["last"] or self._counts_after
        [spend] = await self._run("flow/fold_spend", after=self._spend_after)
        self._spend_after = spend["last"] or self._spend_after

    async def _close(self) -> None:
        """Look at the batches in which something was counted, and at a few others in turn."""
        changed = await self._run("flow/changed_batches", after=self._changes_after)
        self._changes_after = max((row["last"] for row in changed), default=self._changes_after)
        others = await self._run("flow/open_batches", after=self._batches_after)
        self._batches_after = others[-1]["id"] if others else 0
        ids = list({row["id"] for row in (*changed, *others)})
        if ids:
            await self._run("flow/close_batches", ids=ids)

    async def _make_months(self) -> None:
        """Two months ahead, so that it need not be the first moment in which the ledger is free."""
        try:
            await self._run("flow/make_months")
        except psycopg.errors.LockNotAvailable:
            self._due[self._make_months] = time.monotonic() + MONTHS_AGAIN_S
        except psycopg.errors.ProgrammingError:
            # Nothing stops for it: what has no partition of its own stands in calls_other.
            logger().exception("the ledger's next partitions could not be made")
