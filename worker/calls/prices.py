"""What tokens cost: the config's dated override, else genai-prices, else unknown with a reason."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache, partial
from importlib.metadata import version
from typing import Any

from genai_prices import Usage as PricedUsage
from genai_prices import calc_price

from models.catalogue import spellings
from models.config import Config, PriceConfig
from worker.llm.engine import Usage

MILLION = Decimal(1_000_000)

TIERED_ABOVE = 100_000
"""Prompts up to this many tokens share one lookup; above, prices may depend on the length."""


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens, and where that comes from."""

    input_per_mtok: Decimal
    cached_per_mtok: Decimal
    output_per_mtok: Decimal
    source: str
    cache_write_per_mtok: Decimal | None = None
    """Of what is written into a cache; None: the same as other input."""

    def charged(self, usage: Usage) -> "Price":
        """The price by which a call is charged: what it wrote into a cache is input that costs
        more, so that the average over its fresh input is higher."""
        fresh = (usage.input_tokens or 0) - (usage.cached_tokens or 0)
        written = min(usage.cache_written_tokens or 0, fresh)
        if self.cache_write_per_mtok is None or written <= 0:
            return self
        more = (self.cache_write_per_mtok - self.input_per_mtok) * written / fresh
        return replace(self, input_per_mtok=self.input_per_mtok + more)

    def less(self, discount: Decimal) -> "Price":
        """The price in a provider's batch, which gives a discount on all of it."""
        left, stored = 1 - discount, self.cache_write_per_mtok
        return Price(
            self.input_per_mtok * left,
            self.cached_per_mtok * left,
            self.output_per_mtok * left,
            f"{self.source}, provider batch",
            None if stored is None else stored * left,
        )

    def most(self, input_tokens: int, output_tokens: int) -> Decimal:
        """The upper bound of a call with so long a prompt and answer."""
        price = input_tokens * self.input_per_mtok + output_tokens * self.output_per_mtok
        return price / MILLION

    def cost(self, usage: Usage) -> Decimal | None:
        """The price of a call; None when the engine did not report its tokens."""
        if usage.input_tokens is None or usage.output_tokens is None:
            return None
        cached = usage.cached_tokens or 0
        return (
            (usage.input_tokens - cached) * self.charged(usage).input_per_mtok
            + cached * self.cached_per_mtok
            + usage.output_tokens * self.output_per_mtok
        ) / MILLION


class PriceBook:
    """Prices by model_name. Days and hours are those of UTC."""

    def __init__(
        self, config: Config, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._overrides = config.prices
        self._now = now

    def price(self, model_name: str, input_tokens: int = 0) -> Price | None:
        """The price of a model now, for a prompt of that length; None: not known."""
        override, now = self._overrides.get(model_name), self._now()
        if override is not None and (override.from_ is None or override.from_ <= now.date()):
            return _overridden(override)
        minute = now.replace(second=0, microsecond=0)  # some are cheaper at night
        return _library(model_name, input_tokens if input_tokens > TIERED_ABOVE else 0, minute)


def _overridden(price: PriceConfig) -> Price:
    since = f" from {price.from_}" if price.from_ else ""
    cached = price.cached_per_mtok if price.cached_per_mtok is not None else price.input_per_mtok
    source, stored = f"config{since}", price.cache_write_per_mtok
    return Price(price.input_per_mtok, cached, price.output_per_mtok, source, stored)


@lru_cache(maxsize=1024)
def _library(model_name: str, input_tokens: int, at: datetime) -> Price | None:
    tokens = input_tokens or 1_000
    for name, provider in spellings(model_name):
        calc = partial(_calc, name, provider, at, input_tokens=tokens)
        try:
            fresh = calc(output_tokens=tokens)
            cached = calc(output_tokens=0, cache_read_tokens=tokens)
            stored = calc(output_tokens=0, cache_write_tokens=tokens)
        except LookupError:
            continue
        return Price(
            fresh.input_price * MILLION / tokens,
            cached.input_price * MILLION / tokens,
            fresh.output_price * MILLION / tokens,
            f"genai-prices {version('genai-prices')}",
            stored.input_price * MILLION / tokens,
        )
    return None


def _calc(name: str, provider: str | None, at: datetime, **tokens: int) -> Any:
    usage = PricedUsage(**tokens)
    return calc_price(usage, model_ref=name, provider_id=provider, genai_request_timestamp=at)
