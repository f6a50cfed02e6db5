"""What providers announced of their models, by the names that docmill.toml has for these."""

import pytest
from genai_prices.data_snapshot import get_snapshot

from models.catalogue import retires, spellings


@pytest.mark.parametrize(
    ("name", "known_as"),
    [
        ("claude-sonnet-4-6", [("claude-sonnet-4-6", None)]),
        (
            "anthropic/claude-sonnet-4-6",
            [("claude-sonnet-4-6", "anthropic"), ("anthropic/claude-sonnet-4-6", None)],
        ),
        ("us.meta.llama3-3-70b-instruct-v1:0", [("us.meta.llama3-3-70b-instruct-v1:0", "aws")]),
    ],
)
def test_a_model_is_looked_up_by_its_providers_own_name_first(name, known_as):
    assert list(spellings(name)) == known_as


def test_what_a_provider_announced_is_known_by_every_spelling_of_its_name():
    announced = [
        (provider.id, model.id)
        for provider in get_snapshot().providers
        for model in provider.models
        if model.deprecated and provider.id in ("cerebras", "google", "cohere")
    ]
    assert announced
    assert all(retires(f"{provider}/{name}") for provider, name in announced)


@pytest.mark.parametrize(
    "name", ["anthropic/claude-sonnet-4-6", "meta.llama3-3-70b-instruct-v1:0", "nobody/knows", ""]
)
def test_of_no_other_model_it_is_said(name):
    assert retires(name) is False
