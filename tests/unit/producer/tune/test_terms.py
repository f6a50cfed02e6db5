"""Whose answers may be trained on."""

import pytest

from producer.tune.terms import forbidding


@pytest.mark.parametrize(
    ("model", "maker"),
    [
        ("frontier/anthropic/claude-sonnet-4-6", "Anthropic"),
        ("aws/us.anthropic.claude-sonnet-4-v1:0", "Anthropic"),
        ("frontier/openai/gpt-5-mini", "OpenAI"),
        ("frontier/gpt-4.1", "OpenAI"),
        ("frontier/o3-mini", "OpenAI"),
        ("frontier/google/gemini-2.5-pro", "Google"),
        ("frontier/x-ai/grok-4", "xAI"),
        ("gpu2/gpt-oss:20b", None),
        ("local/phi4-mini", None),
        ("local/gemma3:12b", None),
        ("gpu2/llama3.3:70b", None),
        ("claude/phi4-mini", None),
        (None, None),
    ],
)
def test_a_makers_terms_go_by_its_models_names_and_not_by_the_engines(
    model: str | None, maker: str | None
) -> None:
    assert forbidding(model) == maker
