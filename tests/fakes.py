"""What stands around the code under test, in memory: it remembers what it was told."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from uuid import UUID

from worker.calls.ledger import CallRow
from worker.calls.reservations import NotReserved, Wanted
from worker.db import Row, Statement
from worker.outage import Outage


class FakeDatabase:
    """Notes every transaction. `answers` holds, by statement, the rows that it brings, or what
    makes them from its parameters."""

    def __init__(
        self, **answers: Sequence[Row] | Callable[[dict[str, Any]], Sequence[Row]]
    ) -> None:
        self.answers = {name.replace("__", "/"): rows for name, rows in answers.items()}
        self.transactions: list[list[Statement]] = []
        self.outage = Outage("postgres")
        self.fault: Exception | None = None
        """Raised by whatever is run."""

    @property
    def ran(self) -> list[str]:
        """The names of all statements, in order."""
        return [name for transaction in self.transactions for name, _ in transaction]

    def given(self, name: str) -> dict[str, Any]:
        """The parameters of the one statement of that name."""
        [params] = [p for each in self.transactions for n, p in each if n == name]
        return params

    async def run(self, name: str, **params: Any) -> list[Row]:
        return await self.run_all([(name, params)])

    async def run_all(self, statements: Sequence[Statement]) -> list[Row]:
        return (await self.run_each(statements))[-1]

    async def run_each(self, statements: Sequence[Statement]) -> list[list[Row]]:
        return await self.run_once(statements)

    async def run_once(self, statements: Sequence[Statement]) -> list[list[Row]]:
        if self.fault is not None:
            raise self.fault
        self.transactions.append(list(statements))
        return [self._rows(name, params) for name, params in statements]

    def _rows(self, name: str, params: dict[str, Any]) -> list[Row]:
        found = self.answers.get(name, ())
        return list(found(params) if callable(found) else found)


class FakeJournal:
    """A journal on no disk."""

    def __init__(self) -> None:
        self.kept: dict[UUID, object] = {}
        self.settled_ids: list[UUID] = []

    async def append(self, call_id: UUID, call: CallRow) -> None:
        self.kept[call_id] = call

    def settled(self, call_ids: Iterable[UUID]) -> None:
        self.settled_ids += call_ids


class FakeReservations:
    """Reserves whatever is wanted, unless `refusals` says otherwise for the next ones."""

    def __init__(self, *refusals: str | None) -> None:
        self.wanted: list[Wanted] = []
        self.refusals = deque(refusals)

    async def __call__(self, wanted: Wanted) -> None:
        if self.refusals:
            raise NotReserved(self.refusals.popleft())
        self.wanted.append(wanted)
