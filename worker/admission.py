"""Leave to call before a job is claimed: what a rate limit holds up stays a hint, with no lease.

A grant covers a job's first call. Further calls of the same job (a repair, the next part of a long
document) wait for their own while the job is held. Nothing here ever spends an attempt.
"""

import asyncio
from collections.abc import Iterable, Sequence

from worker.db import Row
from worker.llm.engine import Completion, EngineError, Request, Trouble
from worker.llm.grant import Amount, Grant, Refusal
from worker.llm.limits import Limiter
from worker.llm.reserve import OutputReserve
from worker.tokens import estimate

OVERLOADED = 529


class Admission:
    """The rate limit of one engine, between the pump, the stage and the calls of this process."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter
        self._reserve = OutputReserve()
        self._granted: dict[int, Grant] = {}

    async def admit(self, wanted: Sequence[tuple[Row, int, int]]) -> list[int]:
        """Which of these jobs may be claimed now; waits until at least one may.

        `wanted`: each job with the tokens of its prompt and its max_tokens, in order.
        """
        admitted: list[int] = []
        try:
            for row, prompt, max_tokens in wanted:
                amount = self._amount(row["ask_id"], prompt, max_tokens)
                found: Grant | Refusal
                if admitted:
                    found = await self._limiter.try_acquire(row["model"], amount)
                else:
                    found = await self._limiter.acquire(row["model"], amount)
                if isinstance(found, Refusal):
                    break
                self._granted[row["id"]] = found
                admitted.append(row["id"])
        except asyncio.CancelledError:
            self.drop(admitted)
            raise
        return admitted

    def drop(self, ids: Iterable[int]) -> None:
        """These were not claimed, or their calls not made."""
        for job_id in ids:
            grant = self._granted.pop(job_id, None)
            if grant is not None:
                self._limiter.give_back(grant)

    async def grant(self, job_id: int, ask_id: int, request: Request) -> Grant:
        """The grant of a job's next call."""
        known = self._granted.pop(job_id, None)
        if known is not None:
            return known
        prompt = sum(estimate(message.content) for message in request.messages)
        amount = self._amount(ask_id, prompt, request.max_tokens)
        return await self._limiter.acquire(request.model_name, amount)

    def answered(self, grant: Grant, ask_id: int, completion: Completion) -> None:
        """The call went well."""
        if completion.usage.output_tokens is not None:
            self._reserve.learn(ask_id, completion.usage.output_tokens)
        self._limiter.settle(grant, completion.usage, completion.rate_limits)

    def failed(self, grant: Grant, error: EngineError | None) -> None:
        """The call went wrong; None: it was cut off. It counts in full, as providers have it."""
        if error is not None:
            limited = error.trouble is Trouble.RATE_LIMITED
            if limited or error.retry_after_s is not None:
                over_limit = limited and error.status != OVERLOADED
                self._limiter.pause(grant, error.retry_after_s, over_limit=over_limit)
        self._limiter.settle(grant)

    async def close(self) -> None:
        """Pass on what is settled."""
        self.drop(list(self._granted))
        await self._limiter.close()

    def _amount(self, ask_id: int, prompt: int, max_tokens: int) -> Amount:
        return Amount(prompt, self._reserve.tokens(ask_id, max_tokens), max_tokens)
