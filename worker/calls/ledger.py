"""What a call came to, as the ledger row that Postgres and the journal hold."""

import hashlib
import time
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from models.config import EngineConfig
from models.failure import Failure
from models.states import CallState
from models.words import TaskType, Tier
from worker.calls.prices import MILLION, Price, PriceBook
from worker.jsonb import canonical
from worker.llm.engine import Completion, EngineError, Request, Trouble
from worker.site import EngineSite

CallRow = dict[str, Any]
"""A row for settle_calls.sql; its keys are columns of `calls`."""

HOUR_S = Decimal(3600)
NO_MACHINE_PRICE = "engines.local.usd_per_hour is not set"

REFUSALS = frozenset(Trouble) - {Trouble.SERVER_ERROR, Trouble.TIMEOUT}
"""Definite noes: the engine did no work, so the call cost nothing."""


def new_call_id() -> UUID:
    """An id for a call that begins now: a UUID of version 7, whose first 48 bits are its time in
    milliseconds (RFC 9562). The month that they say is the partition that it stands in."""
    now = int(time.time() * 1000).to_bytes(6, "big")
    rest = bytearray(uuid4().bytes[6:])
    rest[0] = rest[0] & 0x0F | 0x70
    return UUID(bytes=now + bytes(rest))


def request_key(request: Request, version: str) -> UUID:
    """Equal for requests that would be the same to the engine, in the same attempt of a job."""
    parts = (
        request.model_name,
        version,
        [(message.role, message.content) for message in request.messages[request.fixed :]],
        request.schema,
        request.max_tokens,
        request.temperature,
    )
    return UUID(bytes=hashlib.sha256(canonical(parts)).digest()[:16])


@dataclass(frozen=True, slots=True)
class KnownAnswer:
    """The answer that an identical request brought, and the call that brought it."""

    call_id: UUID
    value: dict[str, Any]
    would_have_cost_usd: Decimal | None


@dataclass(frozen=True, slots=True)
class Ledger:
    """Prices the calls of one engine."""

    site: EngineSite
    prices: PriceBook
    frontier_model: str

    def settled(
        self, call_id: UUID, request: Request, key: UUID, completion: Completion
    ) -> CallRow:
        """The row of an answered call."""
        usage = completion.usage
        return {
            "id": call_id,
            "state": CallState.SETTLED,
            "model_answered": completion.model_answered,
            **self._cost(request.model_name, completion),
            "would_have_cost_usd": self._frontier_cost(completion),
            "input_tokens": usage.input_tokens,
            "cached_tokens": usage.cached_tokens,
            "output_tokens": usage.output_tokens,
            "reasoning_tokens": usage.reasoning_tokens,
            "engine_seconds": completion.engine_seconds,
            "latency_ms": completion.latency_ms,
            "finish": completion.finish,
            "request_key": key,
            "answer": completion.text,
        }

    def reused(self, call_id: UUID, known: KnownAnswer) -> CallRow:
        """The row of a job that was answered without a call."""
        return {
            "id": call_id,
            "state": CallState.REUSED,
            "cost_usd": Decimal(0),
            "price_source": "reused answer",
            "would_have_cost_usd": known.would_have_cost_usd,
            "input_tokens": 0,
            "output_tokens": 0,
            "latency_ms": 0,
            "reused_from": known.call_id,
        }

    def failed(self, call_id: UUID, error: EngineError, latency_ms: int) -> CallRow:
        """The row of a call that brought no answer: refused, or lost if it may have been billed."""
        refused = not error.maybe_billed or error.trouble in REFUSALS
        known = {"cost_usd": Decimal(0), "price_source": "refused before any work"}
        unknown = {"cost_reason": "upper bound: it may have been billed, no answer arrived"}
        failure = Failure(str(error.trouble), "call", True, str(error))
        return {
            "id": call_id,
            "state": CallState.REFUSED if refused else CallState.LOST,
            "latency_ms": latency_ms,
            "error": failure.as_json(),
            **(known if refused else unknown),
        }

    def reservations(self, models_and_tasks: list[tuple[str, TaskType, int]]) -> list[CallRow]:
        """Prices per (model, task, output limit), for claim_ready.sql to reserve with: of a token
        of the prompt, and of the whole output."""
        rows = []
        for model_name, task, max_tokens in models_and_tasks:
            price = self._price(model_name, 0)
            if price is not None:
                per_call = max_tokens * price.output_per_mtok
                rows.append(
                    {
                        "model": model_name,
                        "task": task,
                        "usd_per_token": price.input_per_mtok / MILLION,
                        "usd_per_call": per_call / MILLION,
                    }
                )
        return rows

    def upper_bound(self, request: Request, input_tokens: int) -> Decimal | None:
        """The most that a call can cost, in USD; None: price not known."""
        price = self._price(request.model_name, input_tokens)
        if price is None:
            return None
        output = request.max_tokens * price.output_per_mtok
        return (input_tokens * price.input_per_mtok + output) / MILLION

    def _price(self, model_name: str, input_tokens: int) -> Price | None:
        if self.site.tier is Tier.LOCAL or self.site.stand_in:
            return None
        return self.prices.price(model_name, input_tokens)

    def _cost(self, model_name: str, completion: Completion) -> CallRow:
        if completion.reported_cost_usd is not None:
            return {"cost_usd": completion.reported_cost_usd, "price_source": "provider"}
        if self.site.stand_in:
            return {"cost_reason": "stand-in: no frontier model was asked"}
        if self.site.tier is Tier.LOCAL:
            return machine_cost(self.site.config, completion.engine_seconds)
        price = self._price(model_name, completion.usage.input_tokens or 0)
        if price is None:
            return {"cost_reason": f"no price is known for {model_name}"}
        cost = price.cost(completion.usage)
        return {
            "cost_usd": cost,
            "cost_reason": "the provider reported no tokens" if cost is None else None,
            "price_source": price.source,
            "input_usd_per_mtok": price.input_per_mtok,
            "cached_usd_per_mtok": price.cached_per_mtok,
            "output_usd_per_mtok": price.output_per_mtok,
        }

    def _frontier_cost(self, completion: Completion) -> Decimal | None:
        price = self.prices.price(self.frontier_model, completion.usage.input_tokens or 0)
        return price.cost(completion.usage) if price is not None else None


def machine_cost(config: EngineConfig, engine_seconds: float | None) -> CallRow:
    """A local call's share of its machine: with P slots it holds 1/P of the device."""
    if config.usd_per_hour is None:
        return {"cost_reason": NO_MACHINE_PRICE}
    if engine_seconds is None:
        return {"cost_reason": "the engine did not report its time"}
    cost = Decimal(str(engine_seconds)) * config.usd_per_hour / HOUR_S / config.slots
    return {"cost_usd": cost.quantize(Decimal("1e-10")), "price_source": "machine hours"}
