"""Calls that show a model a page of a document, each in the ledger before it is made."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from worker.calls.access import EngineAccess
from worker.calls.ledger import CallRow, new_call_id, request_key
from worker.db import Database
from worker.flow.slots import Slots
from worker.jsonb import as_json
from worker.llm.engine import Completion, EngineError, Request


@dataclass(frozen=True, slots=True)
class Unasked:
    """No call was made, and why."""

    why: str


class PageCalls:
    """Shows pages to a model of one engine, each in one of its `slots`. What a worker that goes
    away had under way is found lost by the leader: its page is shown again."""

    def __init__(self, access: EngineAccess, slots: Slots, db: Database, owner: UUID) -> None:
        self.access, self.slots = access, slots
        self._db, self._owner = db, owner

    async def ask(
        self, document: int, request: Request, version: str, others: Callable[[], int]
    ) -> Completion | Unasked:
        """Make one call, once a slot is free, unless the document is somebody else's by then, or
        the model's gate is shut; `others` says how many pages more are under way. Raises
        EngineError."""
        call_id = new_call_id()
        async with self.slots:  # what it waited for may have taken long
            if (shut := self.shut(request.model_name, others())) is not None:
                return Unasked(shut)
            if not await self._reserved(call_id, document, request.model_name):
                return Unasked("another worker has the document")
            began = time.monotonic()
            answer = await self._answer(request)
        ledger = self.access.ledger
        if isinstance(answer, EngineError):
            latency_ms = round((time.monotonic() - began) * 1000)
            await self._settle(ledger.failed(call_id, request, answer, latency_ms))
            raise answer
        self.access.answered(request.model_name)
        key = request_key(request, version)
        await self._settle(ledger.settled(call_id, request, key, answer))
        return answer

    async def _answer(self, request: Request) -> Completion | EngineError:
        try:
            return await self.access.complete(request)
        except EngineError as error:
            return error

    async def _reserved(self, call_id: UUID, document: int, model: str) -> bool:
        deployment = self.access.deployment
        written = await self._db.run(
            "calls/reserve_page",
            id=call_id,
            document=document,
            owner=self._owner,
            engine=deployment.name,
            kind=deployment.config.kind,
            host=deployment.host,
            model=model,
        )
        return bool(written)

    async def _settle(self, row: CallRow) -> None:
        await self._db.run("calls/settle", calls=as_json([row]))

    def shut(self, model: str, under_way: int) -> str | None:
        """Why the model is not to be shown one more page now; None: it may be."""
        for gate in (self.access.gate(""), self.access.gate(model)):
            if gate.shut is not None and (gate.room(0, under_way) or 0) <= 0:
                return gate.shut.message
        return None
