"""What an OpenAI-compatible server says a call took. Pure.

OpenAI counts cached tokens inside of the prompt and reasoning inside of the completion. Others
count them beside (Anthropic the cached ones; Gemini and xAI the reasoning), which shows where a
part is larger than its whole, or where the total is more than both.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from worker.llm.counts import MOST_TOKENS, count, usd
from worker.llm.engine import Usage


def usage_in(reply: Mapping[str, Any]) -> Usage:
    """The tokens that a reply states, whether it is an answer or an error."""
    stated = _object(reply.get("usage"))
    inside = _object(stated.get("prompt_tokens_details"))
    read = count(stated.get("prompt_tokens"))
    written = count(stated.get("completion_tokens"))
    cached = count(inside.get("cached_tokens", stated.get("cache_read_input_tokens")))
    stored = count(stated.get("cache_creation_input_tokens"))
    reasoning = count(_object(stated.get("completion_tokens_details")).get("reasoning_tokens"))
    total = count(stated.get("total_tokens"))
    if read is not None and written is not None:
        parts = ((cached or 0) + (stored or 0), reasoning or 0, total or 0)
        read, written = _whole(read, written, *parts)
    return Usage(_possible(read), cached, _possible(written), reasoning, stored)


def _whole(read: int, written: int, cache: int, reasoning: int, total: int) -> tuple[int, int]:
    """Prompt and completion with all that was counted beside them.

    `cache`: tokens of the prompt that were read from a cache or written into one.
    """
    beside = total - read - written
    if cache > read or (beside == cache > 0 and beside != reasoning):
        read += cache
    if reasoning > written:
        written += reasoning
    return read, written + max(0, total - read - written)


def _possible(tokens: int | None) -> int | None:
    return tokens if tokens is None or tokens <= MOST_TOKENS else None


def cost_in(reply: Mapping[str, Any]) -> Decimal | None:
    """The price that a reply states, in USD.

    With a key of one's own OpenRouter states its fee as the cost, mostly 0, and the provider's
    bill beside it (https://openrouter.ai/docs/use-cases/usage-accounting). Without such a key the
    two are the same.
    """
    stated = _object(reply.get("usage"))
    cost = usd(stated.get("cost"))
    upstream = usd(_object(stated.get("cost_details")).get("upstream_inference_cost"))
    own_key = stated.get("is_byok") is True
    if own_key and not upstream:
        return None
    if upstream and (own_key or cost == 0):
        return upstream + (cost or 0)
    return cost


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
