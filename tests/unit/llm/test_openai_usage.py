from decimal import Decimal

import pytest

from worker.llm.engine import Usage
from worker.llm.openai.usage import cost_in, usage_in


def usage(read=100, written=20, *, total=None, cached=None, reasoning=None):
    stated = {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": total,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }
    return usage_in({"usage": stated})


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        # OpenAI: the parts are inside.
        ({"total": 120, "cached": 40, "reasoning": 15}, Usage(100, 40, 20, 15)),
        ({"cached": 100, "reasoning": 20}, Usage(100, 100, 20, 20)),
        # Gemini and xAI: reasoning beside the completion, in the total alone.
        ({"total": 5120, "reasoning": 5000}, Usage(100, None, 5020, 5000)),
        ({"total": 5120}, Usage(100, None, 5020, None)),
        ({"reasoning": 5000}, Usage(100, None, 5020, 5000)),
        ({"total": 135, "reasoning": 15}, Usage(100, None, 35, 15)),
        # Anthropic: cached tokens beside the prompt.
        ({"total": 120, "cached": 9000}, Usage(9100, 9000, 20, None)),
        ({"total": 9120, "cached": 9000}, Usage(9100, 9000, 20, None)),
        ({"total": 160, "cached": 40}, Usage(140, 40, 20, None)),
        ({"total": 160, "cached": 40, "reasoning": 40}, Usage(100, 40, 60, 40)),
        # A total that says less than its parts says nothing.
        ({"total": 99}, Usage(100, None, 20, None)),
        ({"total": -1}, Usage(100, None, 20, None)),
        ({"total": 2**32 - 1}, Usage(100, None, 20, None)),
        # What cannot be is unknown.
        ({"written": 2**32 - 1, "total": 99}, Usage(100, None, None, None)),
        ({"read": 2**64 - 1}, Usage(None, None, 20, None)),
        ({"read": -5, "written": True}, Usage()),
        ({"read": 2**31 - 1, "cached": 2**31 - 1, "total": 2**31 - 1, "written": 0},
         Usage(2**31 - 1, 2**31 - 1, 0, None)),
        ({"read": 2**31 - 2, "cached": 2**31 - 1}, Usage(None, 2**31 - 1, 20, None)),
    ],
)  # fmt: skip
def test_prompt_and_completion_hold_all_that_was_read_and_written(stated, expected):
    assert usage(**stated) == expected


@pytest.mark.parametrize(("prompt", "whole"), [(100, 9600), (9600, 9600)])
def test_what_anthropic_calls_cached_is_a_part_of_the_prompt(prompt, whole):
    stated = {
        "prompt_tokens": prompt,
        "completion_tokens": 20,
        "cache_read_input_tokens": 9000,
        "cache_creation_input_tokens": 500,
    }
    assert usage_in({"usage": stated}) == Usage(whole, 9000, 20, None, 500)


@pytest.mark.parametrize("reply", [{}, {"usage": None}, {"usage": []}, {"usage": {}}])
def test_usage_that_is_not_stated_is_unknown(reply):
    assert usage_in(reply) == Usage()
    assert cost_in(reply) is None


@pytest.mark.parametrize(
    ("stated", "usd"),
    [
        ({"cost": 0.5}, "0.5"),
        ({"cost": 0}, "0"),  # a free model
        # OpenRouter with a key of one's own: its fee, and the provider's bill beside it.
        (
            {"cost": 0, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.0123}},
            "0.0123",
        ),
        ({"cost": 0.01, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.2}}, "0.21"),
        ({"cost": 0, "cost_details": {"upstream_inference_cost": 0.0123}}, "0.0123"),
        ({"cost": 0, "is_byok": True}, None),  # only the provider knows: the list price counts
        ({"cost": 0, "is_byok": True, "cost_details": {"upstream_inference_cost": None}}, None),
        # Without such a key the same amount stands in both.
        ({"cost": 0.2, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.2}}, "0.2"),
        ({"cost": -1}, None),
        ({"cost": {"total": 1}}, None),
    ],
)
def test_the_price_is_what_the_call_cost_whoever_sends_the_bill(stated, usd):
    assert cost_in({"usage": stated}) == (None if usd is None else Decimal(usd))
