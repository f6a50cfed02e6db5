"""What tokens cost: the config's dated override, else genai-prices, else unknown with a reason."""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from importlib.metadata import version
from typing import Any

from genai_prices import Usage as PricedUsage
from genai_prices import calc_price

from models.config import Config, PriceConfig
from worker.llm.engine import Usage

MILLION = Decimal(1_000_000)
_BEDROCK = re.compile(r"(?:arn:aws[\w-]*:bedrock:.*/)?((?:[a-z-]+\.)?[a-z]+\.[a-z][\w.:-]*)")
"""A model or inference profile of AWS Bedrock, or the ARN of one."""

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
    """Prices by model_name."""

    def __init__(self, config: Config) -> None:
        self._overrides = config.prices

    def price(self, model_name: str, input_tokens: int = 0) -> Price | None:
        """The price of a model today, for a prompt of that length; None: not known."""
        override = self._overrides.get(model_name)
        today = datetime.now(UTC).date()
        if override is not None and (override.from_ is None or override.from_ <= today):
            return _overridden(override)
        return _library(model_name, input_tokens if input_tokens > TIERED_ABOVE else 0, str(today))


def _overridden(price: PriceConfig) -> Price:
    since = f" from {price.from_}" if price.from_ else ""
    cached = price.cached_per_mtok if price.cached_per_mtok is not None else price.input_per_mtok
    source, stored = f"config{since}", price.cache_write_per_mtok
    return Price(price.input_per_mtok, cached, price.output_per_mtok, source, stored)


@lru_cache(maxsize=1024)
def _library(model_name: str, input_tokens: int, _today: str) -> Price | None:
    tokens = input_tokens or 1_000
    for model_ref, provider in _spellings(model_name):
        try:
            fresh = _calc(model_ref, provider, input_tokens=tokens, output_tokens=tokens)
            cached, stored = (
                _calc(model_ref, provider, input_tokens=tokens, output_tokens=0, **{part: tokens})
                for part in ("cache_read_tokens", "cache_write_tokens")
            )
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


def _spellings(model_name: str) -> list[tuple[str, str | None]]:
    """Gateways put the vendor in front: anthropic/claude-sonnet-4-6 is Anthropic's own model.
    Bedrock puts it before a dot, behind where it may run: us.meta.llama3-3-70b-instruct-v1:0."""
    if bedrock := _BEDROCK.fullmatch(model_name):
        return [(bedrock[1], "aws")]
    vendor, _, bare = model_name.partition("/")
    return [(bare, vendor), (model_name, None)] if bare else [(model_name, None)]


def _calc(model_ref: str, provider: str | None, **tokens: int) -> Any:
    return calc_price(PricedUsage(**tokens), model_ref=model_ref, provider_id=provider)
