"""Leave to call before a job is claimed: what a rate limit holds up stays a hint, with no lease.

A grant covers a job's first call. Further calls of the same job (a repair, the next part of a long
document) wait for their own while the job is held. Nothing here ever spends an attempt.
"""

from collections.abc import Iterable, Sequence

from worker.calls.grant import Amount, Grant
from worker.calls.limits import Limiter
from worker.calls.reserve import OutputReserve
from worker.db import Row
from worker.llm.engine import Completion, EngineError, Request, Trouble
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

        `wanted`: each job with the tokens of its prompt and its max_tokens, in order. Those of
        another model than the first one's have their turn later.
        """
        model = wanted[0][0]["model"]
        alike = [one for one in wanted if one[0]["model"] == model]
        amounts = [self._amount(row["ask_id"], *tokens) for row, *tokens in alike]
        grants = await self._limiter.acquire(model, amounts)
        granted = {row["id"]: grant for (row, *_), grant in zip(alike, grants, strict=False)}
        self._granted |= granted
        return list(granted)

    def drop(self, ids: Iterable[int]) -> None:
        """These were not claimed, or their calls not made."""
        for job_id in ids:
            grant = self._granted.pop(job_id, None)
            if grant is not None:
                self._limiter.give_back(grant)

    async def grant(self, job_id: int, ask_id: int, request: Request) -> Grant:
        """The grant of a job's next call, which goes out at once."""
        known = self._granted.get(job_id)
        if known is not None:
            known = await self._limiter.going_out(known)
            del self._granted[job_id]
            return known
        prompt = sum(estimate(message.content) for message in request.messages)
        amount = self._amount(ask_id, prompt, request.max_tokens)
        [grant] = await self._limiter.acquire(request.model_name, [amount])
        return grant

    def unsent(self, grant: Grant) -> None:
        """The call was not made after all."""
        self._limiter.give_back(grant)

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
        self._limiter.settle(grant, rate_limits=error.rate_limits if error is not None else None)

    async def close(self) -> None:
        """Pass on what is settled."""
        self.drop(list(self._granted))
        await self._limiter.close()

    def _amount(self, ask_id: int, prompt: int, max_tokens: int) -> Amount:
        return Amount(prompt, self._reserve.tokens(ask_id, max_tokens), max_tokens)
