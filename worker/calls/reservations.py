"""Further calls of a job, written into the ledger before they are made, and the budgets they need.

The sums themselves stand in `spend`, which the ledger's own triggers keep.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from models.words import Zone
from worker.db import Database, Statement
from worker.deployment import Deployment
from worker.flow.group_commit import GroupCommit
from worker.jsonb import as_json

DAY_LOCK = 0x64617973


class NotReserved(Exception):
    """A further call was not written into the ledger. `short_of` is the budget that does not cover
    it, `batch` or `day`; None: the job belongs to somebody else by now. `about` has `spent_usd` and
    `budget_usd`; `under_way`: calls that are may give something back."""

    def __init__(
        self,
        short_of: str | None,
        about: Mapping[str, Any] | None = None,
        *,
        under_way: bool = False,
    ) -> None:
        super().__init__(short_of)
        self.short_of = short_of
        self.about = dict(about or {})
        self.under_way = under_way


@dataclass(frozen=True, slots=True)
class Wanted:
    """A call to reserve, and its upper bound in USD (None: not known)."""

    id: UUID
    job_id: int
    purpose: str
    reserved_usd: Decimal | None


def budget_locks(
    zone: Zone, usd_per_day: Decimal | None, *, claim: UUID | None = None, jobs: Sequence[int] = ()
) -> list[Statement]:
    """What takes turns with others that spend from the same budgets; local work has none."""
    if zone is Zone.LOCAL:
        return []
    day: list[Statement] = []
    if usd_per_day is not None:
        day.append(("calls/lock_day", {"lock": DAY_LOCK}))
    return [*day, ("calls/lock_budgets", {"claim": claim, "ids": list(jobs)})]


class Reservations:
    """Reserves further calls of one engine in groups."""

    def __init__(
        self, db: Database, owner: UUID, deployment: Deployment, usd_per_day: Decimal | None
    ) -> None:
        self._db = db
        self._owner = owner
        self._deployment = deployment
        self.usd_per_day = usd_per_day
        """What frontier calls of a day may cost; None: anything."""
        self._refused: dict[UUID, NotReserved] = {}
        self._group: GroupCommit[Wanted] = GroupCommit(self._write)

    async def __call__(self, wanted: Wanted) -> None:
        """Reserve one call. Raises NotReserved."""
        await self._group.put(wanted)
        refused = self._refused.pop(wanted.id, None)
        if refused is not None:
            raise refused

    async def _write(self, group: Sequence[Wanted]) -> None:
        deployment = self._deployment
        reserve: Statement = (
            "calls/reserve",
            {
                "rows": as_json(group),
                "owner": self._owner,
                "usd_per_day": self.usd_per_day,
                "kind": deployment.config.kind,
                "host": deployment.host,
                "stand_in": deployment.stand_in,
            },
        )
        jobs = [one.job_id for one in group]
        locks = budget_locks(deployment.zone, self.usd_per_day, jobs=jobs)
        found = {row["id"]: row for row in await self._db.run_all([*locks, reserve])}
        for one in group:
            row = found.get(one.id)
            if row is None:
                self._refused[one.id] = NotReserved(None)
            elif not row["written"]:
                about = {key: row[key] for key in ("spent_usd", "budget_usd")}
                self._refused[one.id] = NotReserved(
                    row["short_of"], about, under_way=row["under_way"]
                )
