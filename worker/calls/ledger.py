"""What a call came to, as the ledger row that Postgres and the journal hold."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from models.engines import WEIGHING
from models.failure import Failure
from models.reasons import CostReason
from models.states import CallState
from models.words import Zone
from worker.calls.prices import Price, PriceBook
from worker.deployment import Deployment
from worker.jsonb import canonical
from worker.llm.engine import Completion, EngineError, Message, Request, Usage

HOUR_S = Decimal(3600)
SMALLEST_USD = Decimal("1e-10")
"""Costs of seconds are exact to this."""


@dataclass(frozen=True, slots=True)
class CallRow:
    """A row for calls/settle.sql; its fields are columns of `calls`."""

    id: UUID
    state: CallState
    model_answered: str | None = None
    cost_usd: Decimal | None = None
    cost_reason: str | None = None
    price_source: str | None = None
    input_usd_per_mtok: Decimal | None = None
    cached_usd_per_mtok: Decimal | None = None
    output_usd_per_mtok: Decimal | None = None
    would_have_cost_usd: Decimal | None = None
    input_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    engine_seconds: float | None = None
    latency_ms: int | None = None
    finish: str | None = None
    request_key: UUID | None = None
    answer: str | None = None
    reused_from: UUID | None = None
    error: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """What a call cost and by which price, or why that is not known."""

    cost_usd: Decimal | None
    cost_reason: CostReason | None = None
    price_source: str | None = None
    input_usd_per_mtok: Decimal | None = None
    cached_usd_per_mtok: Decimal | None = None
    output_usd_per_mtok: Decimal | None = None


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
        [_said(message) for message in request.messages[request.fixed :]],
        request.schema,
        request.max_tokens,
        request.temperature,
        request.seed,
        *((WEIGHING,) if request.text else ()),
    )
    return UUID(bytes=hashlib.sha256(canonical(parts)).digest()[:16])


def _said(message: Message) -> tuple[str, ...]:
    shown = (hashlib.sha256(image).hexdigest() for image in message.images)
    return (message.role, message.content, *shown)


@dataclass(frozen=True, slots=True)
class KnownAnswer:
    """The answer that an identical request brought, and the call that brought it."""

    call_id: UUID
    value: dict[str, Any]
    would_have_cost_usd: Decimal | None


@dataclass(frozen=True, slots=True)
class Ledger:
    """Prices the calls of one engine."""

    deployment: Deployment
    prices: PriceBook
    frontier_model: str
    """What savings are compared to."""
    slots: Callable[[], int]
    """How many calls share the machine now."""
    discount: Decimal = Decimal(0)
    """What calls cost less in a provider's batch, as a share of their price."""

    def settled(
        self, call_id: UUID, request: Request, key: UUID, completion: Completion
    ) -> CallRow:
        """The row of an answered call."""
        row = CallRow(
            id=call_id,
            state=CallState.SETTLED,
            model_answered=completion.model_answered,
            would_have_cost_usd=self._frontier_cost(completion.usage),
            latency_ms=completion.latency_ms,
            finish=completion.finish,
            request_key=key,
            answer=completion.text,
        )
        return self._priced(row, request.model_name, completion)

    def reused(self, call_id: UUID, known: KnownAnswer) -> CallRow:
        """The row of a job that was answered without a call."""
        return CallRow(
            id=call_id,
            state=CallState.REUSED,
            cost_usd=Decimal(0),
            price_source="reused answer",
            would_have_cost_usd=known.would_have_cost_usd,
            input_tokens=0,
            output_tokens=0,
            latency_ms=0,
            reused_from=known.call_id,
        )

    def failed(
        self, call_id: UUID, request: Request, error: EngineError, latency_ms: int
    ) -> CallRow:
        """The row of a call that brought no answer: refused, for nothing or for what the provider
        says it took; or lost, at its upper bound, where it may have been billed all the same."""
        failure = Failure(str(error.trouble), "call", True, str(error)).as_json()
        row = CallRow(call_id, CallState.REFUSED, latency_ms=latency_ms, error=failure)
        if error.stated or self._is_timed(error):
            return self._priced(row, request.model_name, error)
        if error.maybe_billed:
            return replace(row, state=CallState.LOST, cost_reason=CostReason.LOST)
        return replace(row, cost_usd=Decimal(0), price_source="refused before any work")

    def upper_bound(self, request: Request, input_tokens: int) -> Decimal | None:
        """The most that a call can cost, in USD; None: price not known."""
        if self.most_per_call is not None:
            return self.most_per_call
        price = self.price(request.model_name, input_tokens)
        return None if price is None else price.most(input_tokens, request.max_tokens)

    @property
    def most_per_call(self) -> Decimal | None:
        """The same where seconds have the price, whatever is asked; None: they have none."""
        return self.deployment.config.most_usd_per_call

    def price(self, model_name: str, input_tokens: int = 0) -> Price | None:
        """What a token costs here; None: nothing, or it is not known."""
        if self.deployment.zone is Zone.LOCAL or self.deployment.stand_in:
            return None
        price = self.prices.price(model_name, input_tokens)
        return price.less(self.discount) if price is not None and self.discount else price

    def _is_timed(self, error: EngineError) -> bool:
        """Whether the seconds that a failed call took are what it cost."""
        by_the_second = self.deployment.config.second_price is not None
        return by_the_second and error.engine_seconds is not None

    def _priced(self, row: CallRow, model_name: str, reply: Completion | EngineError) -> CallRow:
        """With what a reply says that the call took, and what that costs."""
        cost, usage = self._cost(model_name, reply), reply.usage
        return replace(
            row,
            cost_usd=cost.cost_usd,
            cost_reason=cost.cost_reason,
            price_source=cost.price_source,
            input_usd_per_mtok=cost.input_usd_per_mtok,
            cached_usd_per_mtok=cost.cached_usd_per_mtok,
            output_usd_per_mtok=cost.output_usd_per_mtok,
            input_tokens=usage.input_tokens,
            cached_tokens=usage.cached_tokens,
            output_tokens=usage.output_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            engine_seconds=reply.engine_seconds,
        )

    def _cost(self, model_name: str, reply: Completion | EngineError) -> Cost:
        if reply.reported_cost_usd is not None:
            return Cost(reply.reported_cost_usd, price_source="provider")
        if self.deployment.stand_in:
            return Cost(None, CostReason.STAND_IN)
        if self.deployment.zone is Zone.LOCAL:
            usd_per_hour = self.deployment.config.usd_per_hour
            return machine_cost(usd_per_hour, self.slots(), reply.engine_seconds)
        if self.deployment.config.second_price is not None:
            return _seconds_cost(self.deployment.config.second_price, reply.engine_seconds)
        price = self.price(model_name, reply.usage.input_tokens or 0)
        if price is None:
            return Cost(None, CostReason.NO_PRICE)
        cost = price.cost(reply.usage)
        return Cost(
            cost,
            CostReason.NO_TOKENS if cost is None else None,
            price.source,
            price.charged(reply.usage).input_per_mtok,
            price.cached_per_mtok,
            price.output_per_mtok,
        )

    def _frontier_cost(self, usage: Usage) -> Decimal | None:
        price = self.prices.price(self.frontier_model, usage.input_tokens or 0)
        return price.cost(usage) if price is not None else None


def bare(row: CallRow) -> CallRow:
    """A call of which nothing can be stored but that it was made, at its upper bound."""
    return CallRow(row.id, CallState.LOST, cost_reason=CostReason.LOST)


def _seconds_cost(usd_per_second: Decimal, engine_seconds: float | None) -> Cost:
    """A call where the provider bills the seconds that a model ran."""
    if engine_seconds is None:
        return Cost(None, CostReason.NO_ENGINE_TIME)
    cost = Decimal(str(engine_seconds)) * usd_per_second
    return Cost(cost.quantize(SMALLEST_USD), price_source="engine seconds")


def machine_cost(usd_per_hour: Decimal | None, slots: int, engine_seconds: float | None) -> Cost:
    """A local call's share of its machine: with P slots it holds 1/P of the device."""
    if usd_per_hour is None:
        return Cost(None, CostReason.NO_MACHINE_PRICE)
    if engine_seconds is None:
        return Cost(None, CostReason.NO_ENGINE_TIME)
    cost = Decimal(str(engine_seconds)) * usd_per_hour / HOUR_S / slots
    return Cost(cost.quantize(SMALLEST_USD), price_source="machine hours")
