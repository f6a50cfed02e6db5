"""Budgets at the ledger: whoever spends from one takes turns, and follow-up calls fit in it too.

The sums themselves stand in claim_ready.sql, reserve_calls.sql and hold_over_budget.sql.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from models.words import Tier
from worker.calls.caller import NotReserved
from worker.calls.ledger import Ledger
from worker.db import Database, Statement
from worker.flow.group_commit import GroupCommit
from worker.jsonb import as_json
from worker.llm.engine import Request
from worker.tokens import estimate

DAY_LOCK = 0x64617973


def budget_locks(tier: Tier, jobs: list[int], usd_per_day: Decimal | None) -> list[Statement]:
    """What takes turns with others that spend from the same budgets; local work has none."""
    if tier is Tier.LOCAL:
        return []
    day: list[Statement] = [("lock_day", {"lock": DAY_LOCK})] if usd_per_day is not None else []
    return [*day, ("lock_budgets", {"ids": jobs})]


class Reservations:
    """Writes follow-up calls into the ledger in groups, before they are made."""

    def __init__(
        self,
        db: Database,
        owner: UUID,
        where: dict[str, Any],
        ledger: Ledger,
        usd_per_day: Decimal | None,
    ) -> None:
        self._db = db
        self._owner = owner
        self._where = where
        self._ledger = ledger
        self._usd_per_day = usd_per_day
        self._group: GroupCommit[dict[str, Any]] = GroupCommit(self._write)

    async def __call__(self, call_id: UUID, job_id: int, purpose: str, request: Request) -> None:
        """Reserve one call. Raises NotReserved."""
        tokens = sum(estimate(message.content) for message in request.messages)
        row: dict[str, Any] = {
            "id": call_id,
            "job_id": job_id,
            "purpose": purpose,
            "reserved_usd": self._ledger.upper_bound(request, tokens),
        }
        await self._group.put(row)
        if not row["written"]:
            raise NotReserved(row["short_of"])

    async def _write(self, rows: Sequence[dict[str, Any]]) -> None:
        reserve: Statement = (
            "reserve_calls",
            {
                "rows": as_json(rows),
                "owner": self._owner,
                "usd_per_day": self._usd_per_day,
                **self._where,
            },
        )
        tier = self._ledger.site.tier
        jobs = [row["job_id"] for row in rows]
        written = await self._db.run_all([*budget_locks(tier, jobs, self._usd_per_day), reserve])
        found = {row["id"]: row for row in written}
        for row in rows:
            row |= found.get(row["id"], {"written": False, "short_of": None})
