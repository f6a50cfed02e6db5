from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.engines import DEFAULT_FRONTIER_MODEL
from tests.factories import a_config
from worker.calls.prices import Price, PriceBook
from worker.llm.engine import Usage

TODAY = datetime.now(UTC).date()
PRICE = Price(Decimal(3), Decimal("0.3"), Decimal(15), "test")


def book(**prices: dict) -> PriceBook:
    return PriceBook(a_config(prices=prices))


def at(*moment: int, **prices: dict) -> PriceBook:
    """The book as it is opened at a moment of UTC."""
    return PriceBook(a_config(prices=prices), lambda: datetime(*moment, tzinfo=UTC))


def own(**more: object) -> dict:
    return {"input_per_mtok": "3", "output_per_mtok": "15", **more}


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        (Usage(1_000_000, None, 0), "3"),
        (Usage(0, None, 1_000_000), "15"),
        (Usage(1_000_000, 1_000_000, 0), "0.3"),
        (Usage(1_000_000, 500_000, 1_000_000), "16.65"),
        (Usage(1, 0, 1), "0.000018"),
        (Usage(0, 0, 0), "0"),
    ],
)
def test_input_cached_input_and_output_have_prices_of_their_own(usage, cost):
    assert PRICE.cost(usage) == Decimal(cost)


@pytest.mark.parametrize("usage", [Usage(), Usage(input_tokens=5), Usage(output_tokens=5)])
def test_the_cost_of_tokens_that_were_not_reported_is_unknown(usage):
    assert PRICE.cost(usage) is None


def test_what_is_written_into_a_cache_costs_more():
    price = replace(PRICE, cache_write_per_mtok=Decimal("3.75"))
    wrote = Usage(1_000_000, 200_000, 0, cache_written_tokens=400_000)
    assert price.cost(wrote) == Decimal("0.06") + Decimal("1.5") + Decimal("1.2")
    assert price.charged(wrote).input_per_mtok == Decimal("3.375")  # of the other 800,000
    assert PRICE.cost(wrote) == Decimal("0.06") + Decimal("2.4")
    for usage in (Usage(), Usage(10, 10, 0), Usage(10, 10, 0, cache_written_tokens=5)):
        assert price.charged(usage) == price


def test_a_cache_has_its_price_in_the_config_and_in_the_library():
    assert book(m=own()).price("m").cache_write_per_mtok is None
    assert book(m=own(cache_write_per_mtok="3.75")).price("m").cache_write_per_mtok == Decimal(
        "3.75"
    )
    assert book().price("claude-sonnet-4-6").cache_write_per_mtok == Decimal("3.75")


TOKENS = st.integers(0, 10**7)


@given(TOKENS, TOKENS, TOKENS)
def test_a_cost_is_never_negative_and_a_cached_prompt_never_dearer(input_tokens, cached, output):
    cached = min(cached, input_tokens)
    cost = PRICE.cost(Usage(input_tokens, cached, output))
    assert 0 <= cost <= PRICE.cost(Usage(input_tokens, 0, output))


def test_the_config_goes_before_the_library():
    price = book(**{DEFAULT_FRONTIER_MODEL: own(cached_per_mtok="1")}).price(DEFAULT_FRONTIER_MODEL)
    assert price == Price(Decimal(3), Decimal(1), Decimal(15), "config")


def test_without_a_cached_price_cached_tokens_cost_as_much_as_others():
    assert book(m=own()).price("m").cached_per_mtok == Decimal(3)


def test_a_price_holds_from_its_day_on_and_says_so():
    price = book(m=own(**{"from": TODAY})).price("m")
    assert price.source == f"config from {TODAY}"


def test_before_its_day_the_library_holds():
    tomorrow = {"from": TODAY + timedelta(days=2)}
    assert book(m=own(**tomorrow)).price("m") is None
    price = book(**{DEFAULT_FRONTIER_MODEL: own(**tomorrow)}).price(DEFAULT_FRONTIER_MODEL)
    assert price.source.startswith("genai-prices")


def test_the_librarys_prices_change_on_their_day():
    """OpenAI made o3 cheaper by four fifths on 10 June 2025."""
    before, after = (at(2025, 6, day).price("o3").input_per_mtok for day in (9, 10))
    assert (before, after) == (Decimal(10), Decimal(2))


def test_a_price_of_the_config_changes_at_midnight_of_utc():
    dated = {"m": own(**{"from": "2026-05-02"})}
    assert at(2026, 5, 1, 23, 59, 59, **dated).price("m") is None
    assert at(2026, 5, 2, **dated).price("m").input_per_mtok == Decimal(3)


def test_some_models_are_cheaper_at_night():
    """DeepSeek halved its prices from 16:30 to 0:30 UTC."""
    day, night = (at(2025, 8, 1, hour).price("deepseek-chat") for hour in (12, 20))
    assert night.input_per_mtok < day.input_per_mtok
    assert at(2025, 8, 1, 16, 29).price("deepseek-chat") == day
    assert at(2025, 8, 1, 16, 30).price("deepseek-chat") == night


@pytest.mark.parametrize(
    ("model", "known"),
    [
        ("us.meta.llama3-3-70b-instruct-v1:0", True),
        ("meta.llama3-3-70b-instruct-v1:0", True),
        ("global.anthropic.claude-sonnet-4-6", True),
        ("openai.gpt-oss-120b-1:0", True),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/us.meta.llama3-3-70b-instruct-v1:0", True),
        ("arn:aws:bedrock:us-east-1:1:application-inference-profile/a1b2c3", False),
        ("us.meta.llama99-instruct-v1:0", False),
        ("llama3.3:70b", False),
    ],
)
def test_the_library_is_asked_for_bedrocks_models_by_their_names_there(model, known):
    assert (book().price(model) is not None) is known


def test_the_library_knows_the_default_frontier_model():
    price = book().price(DEFAULT_FRONTIER_MODEL)
    assert 0 < price.cached_per_mtok < price.input_per_mtok < price.output_per_mtok
    assert price.source.startswith("genai-prices ")


def test_the_name_at_a_gateway_costs_what_the_vendors_own_name_costs():
    assert book().price("anthropic/claude-sonnet-4-6") == book().price("claude-sonnet-4-6")
    assert book().price("openai/gpt-4o-mini") == book().price("gpt-4o-mini")


@pytest.mark.parametrize(
    "model_name", ["nobody/knows-this", "phi4-mini:nobody", "", "/", "a/b/c", "stand-in/x"]
)
def test_an_unknown_model_has_no_price(model_name):
    assert book().price(model_name) is None


@given(st.text(max_size=30), st.integers(0, 2_000_000))
@settings(max_examples=60, deadline=None)
def test_no_name_makes_it_stumble(model_name, input_tokens):
    price = book().price(model_name, input_tokens)
    assert price is None or price.input_per_mtok >= 0


@pytest.mark.parametrize("tokens", [0, 1, 1_000, 99_999])
def test_prompts_of_usual_length_share_one_price(tokens):
    assert book().price(DEFAULT_FRONTIER_MODEL, tokens) == book().price(DEFAULT_FRONTIER_MODEL)


def test_a_price_is_per_million_tokens():
    """Claude Sonnet has cost 3 and 15 USD since its third version."""
    price = book().price("claude-sonnet-4-6")
    assert (price.input_per_mtok, price.output_per_mtok) == (Decimal(3), Decimal(15))
