"""One job's calls to its engine: every one reserved, let out, journaled and accounted for."""

import asyncio
import time
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid5

from worker.calls.access import EngineAccess
from worker.calls.admission import Leave
from worker.calls.ledger import CallRow, KnownAnswer, new_call_id, request_key
from worker.calls.reservations import Wanted
from worker.flow.stage import Slot
from worker.llm.engine import Completion, EngineError, Finish, Request, Trouble
from worker.log import logger
from worker.tokens import estimate

NAMESPACE = UUID("8d3f5f0a-5f6e-4f0e-9a43-6c1f5d0b7c11")

WHOLE = "run"
REPAIR = "repair"
CLASSIFY = "classify"
"""What a call is for: its purpose in the ledger."""


class Caller:
    """The calls of one job's turn. `reserved` is the call that the claim already wrote; where the
    job `is_answered` it costs nothing, and stands for no call that is made."""

    def __init__(
        self,
        access: EngineAccess,
        slot: Slot,
        job_id: int,
        reserved: UUID,
        earlier: dict[str, dict[str, Any]],
        ask_id: int = 0,
        *,
        is_answered: bool = False,
    ) -> None:
        self._access = access
        self._slot = slot
        self._job_id = job_id
        self._ask_id = ask_id
        self._is_answered = is_answered
        self._earlier = earlier
        self.calls: list[CallRow] = []
        self._open: tuple[UUID, Request] | None = None
        """The last call that went out."""
        self.unused = [reserved]
        """Calls in the ledger that have not gone out (yet), and so cost nothing."""

    def reuse(self, known: KnownAnswer) -> UUID:
        """Take an answer that is known; the claim's call says so in the ledger."""
        call_id = self.unused.pop()
        self.calls.append(self._access.ledger.reused(call_id, known))
        return call_id

    async def ask(
        self, request: Request, version: str, purpose: str = WHOLE
    ) -> tuple[UUID, Completion]:
        """Make one call, as its model is to be asked, unless its answer is already known. Raises
        EngineError."""
        request = await self._access.prepared(request)
        key = request_key(request, version)
        known = self._earlier.get(str(key))
        if known is not None:
            completion = Completion(known["text"], Finish(known["finish"]), latency_ms=0)
            return UUID(known["call_id"]), completion
        call_id, completion = await self._let_out(purpose, self._keyed(request, key))
        row = self._access.ledger.settled(call_id, request, key, completion)
        self.calls.append(row)
        self._access.answered(request.model_name)
        self._access.read(request, completion)
        try:
            await self._access.journal.append(call_id, row)
        except OSError as exc:  # the answer is still on its way to Postgres
            logger().error("an answer could not be journaled", call=str(call_id), error=str(exc))
        return call_id, completion

    def _keyed(self, request: Request, key: UUID) -> Request:
        """With the Idempotency-Key, where the engine knows such a thing: the same for the same
        question of the same job, also from another process after a crash."""
        if not self._access.deployment.kind.heeds_idempotency_keys:
            return request
        return replace(request, idempotency_key=str(uuid5(NAMESPACE, f"{self._job_id}:{key}")))

    async def _let_out(self, purpose: str, request: Request) -> tuple[UUID, Completion]:
        async with self._access.admission.leave(self._ask_id, request) as leave:
            call_id = await self._next_call(purpose, request)
            completion = await self._send(leave, call_id, request)
            leave.answered(completion)
            return call_id, completion

    async def _next_call(self, purpose: str, request: Request) -> UUID:
        """The call to make now, written in the ledger."""
        # One that mends may cost more than the claim's, as does any where that costs nothing.
        if not self.unused or purpose == REPAIR or self._is_answered:
            call_id = new_call_id()
            self.unused.append(call_id)
            tokens = sum(estimate(message.content) for message in request.messages)
            most = self._access.ledger.upper_bound(request, tokens)
            await self._access.reserve(Wanted(call_id, self._job_id, purpose, most))
        return self.unused[-1]

    async def _send(self, leave: Leave, call_id: UUID, request: Request) -> Completion:
        async with self._slot:
            await leave.sent()
            started = time.monotonic()
            self.unused.remove(call_id)
            try:
                return await self._access.complete(request)
            except EngineError as error:
                self._lose(call_id, request, error, started)
                if error.trouble is Trouble.CONTEXT_EXCEEDED:
                    self._access.too_long(request)
                raise
            except asyncio.CancelledError:
                gone = EngineError(
                    Trouble.TIMEOUT, "cancelled by this worker while under way", maybe_billed=True
                )
                self._lose(call_id, request, gone, started)
                raise
            finally:
                self._open = call_id, request

    def lose_open(self, exc: Exception) -> None:
        """A fault of our own came between an answer and its row: the call is on the bill."""
        if self._open is None or self._open[0] in {row.id for row in self.calls}:
            return
        gone = EngineError(Trouble.SERVER_ERROR, f"internal error: {exc}", maybe_billed=True)
        self._lose(*self._open, gone, time.monotonic())

    def _lose(self, call_id: UUID, request: Request, error: EngineError, started: float) -> None:
        latency_ms = round((time.monotonic() - started) * 1000)
        self.calls.append(self._access.ledger.failed(call_id, request, error, latency_ms))
