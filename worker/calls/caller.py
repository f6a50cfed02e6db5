"""One job's conversation with its engine: every call reserved, journaled and accounted for."""

import asyncio
import time
from dataclasses import dataclass, replace
from typing import Any, Protocol
from uuid import UUID, uuid5

from worker.calls.admission import Admission
from worker.calls.journal import Journal
from worker.calls.ledger import CallRow, KnownAnswer, Ledger, new_call_id, request_key
from worker.flow.stage import Slot
from worker.llm.engine import Completion, Engine, EngineError, Finish, Request, Trouble
from worker.llm.gate import Gate
from worker.log import logger

NAMESPACE = UUID("8d3f5f0a-5f6e-4f0e-9a43-6c1f5d0b7c11")


class Reserve(Protocol):
    """Writes a further call into the ledger before it is made."""

    async def __call__(self, call_id: UUID, job_id: int, purpose: str, request: Request) -> None:
        """Raises NotReserved when it may not be made."""
        ...


class NotReserved(Exception):
    """A further call was not written into the ledger. `short_of` is the budget that does not cover
    it, `batch` or `day`; None: the job belongs to somebody else by now."""

    def __init__(self, short_of: str | None) -> None:
        super().__init__(short_of)
        self.short_of = short_of


@dataclass(frozen=True, slots=True)
class Desk:
    """What every conversation with one engine shares."""

    engine: Engine
    gate: Gate
    journal: Journal
    ledger: Ledger
    reserve: Reserve
    admission: Admission | None = None
    """The rate limit of a frontier engine."""


class Asking:
    """The calls of one job's turn. `reserved` is the call that the claim already wrote."""

    def __init__(
        self,
        desk: Desk,
        slot: Slot,
        job_id: int,
        reserved: UUID,
        earlier: dict[str, dict[str, Any]],
        ask_id: int = 0,
    ) -> None:
        self._ask_id = ask_id
        self._desk = desk
        self._slot = slot
        self._job_id = job_id
        self._earlier = earlier
        self.calls: list[CallRow] = []
        self.unused = [reserved]
        """Calls in the ledger that have not gone out (yet), and so cost nothing."""

    def reuse(self, known: KnownAnswer) -> UUID:
        """Take an answer that is known; the claim's call says so in the ledger."""
        call_id = self.unused.pop()
        self.calls.append(self._desk.ledger.reused(call_id, known))
        return call_id

    async def ask(
        self, request: Request, version: str, purpose: str = "run"
    ) -> tuple[UUID, Completion]:
        """Make one call, unless its answer is already known. Raises EngineError."""
        key = request_key(request, version)
        known = self._earlier.get(str(key))
        if known is not None:
            completion = Completion(known["text"], Finish(known["finish"]), latency_ms=0)
            return UUID(known["call_id"]), completion
        call_id, completion = await self._limited(purpose, self._keyed(request, key))
        row = self._desk.ledger.settled(call_id, request, key, completion)
        self.calls.append(row)
        self._desk.gate.success()
        try:
            await self._desk.journal.append(call_id, row)
        except OSError as exc:  # the answer is still on its way to Postgres
            logger().error("an answer could not be journaled", call=str(call_id), error=str(exc))
        return call_id, completion

    def _keyed(self, request: Request, key: UUID) -> Request:
        """With the Idempotency-Key, where the engine knows such a thing: the same for the same
        question of the same job, also from another process after a crash."""
        if self._desk.ledger.site.config.kind == "ollama":
            return request
        return replace(request, idempotency_key=str(uuid5(NAMESPACE, f"{self._job_id}:{key}")))

    async def _limited(self, purpose: str, request: Request) -> tuple[UUID, Completion]:
        admission = self._desk.admission
        if admission is None:
            call_id = await self._next_call(purpose, request)
            return call_id, await self._send(call_id, request)
        grant = await admission.grant(self._job_id, self._ask_id, request)
        try:
            call_id = await self._next_call(purpose, request)
        except BaseException:
            admission.unsent(grant)
            raise
        try:
            completion = await self._send(call_id, request)
        except EngineError as error:
            admission.failed(grant, error)
            raise
        except BaseException:
            if call_id in self.unused:  # cut off before its turn for a slot came
                admission.unsent(grant)
            else:
                admission.failed(grant, None)
            raise
        admission.answered(grant, self._ask_id, completion)
        return call_id, completion

    async def _next_call(self, purpose: str, request: Request) -> UUID:
        """The call to make now, written in the ledger."""
        if not self.unused or purpose == "repair":  # that one may cost more than the claim's
            call_id = new_call_id()
            self.unused.append(call_id)
            await self._desk.reserve(call_id, self._job_id, purpose, request)
        return self.unused[-1]

    async def _send(self, call_id: UUID, request: Request) -> Completion:
        async with self._slot:
            started = time.monotonic()
            self.unused.remove(call_id)
            try:
                return await self._desk.engine.complete(request)
            except EngineError as error:
                self._lose(call_id, error, started)
                raise
            except asyncio.CancelledError:
                gone = EngineError(
                    Trouble.TIMEOUT, "cancelled by this worker while under way", maybe_billed=True
                )
                self._lose(call_id, gone, started)
                raise

    def _lose(self, call_id: UUID, error: EngineError, started: float) -> None:
        latency_ms = round((time.monotonic() - started) * 1000)
        self.calls.append(self._desk.ledger.failed(call_id, error, latency_ms))
