from decimal import Decimal

import pytest

from worker.llm.engine import CONCERN, Concern, EngineError, Trouble, Usage


@pytest.mark.parametrize(
    ("concern", "troubles"),
    [
        (
            Concern.PASSING,
            {
                Trouble.UNAVAILABLE,
                Trouble.RATE_LIMITED,
                Trouble.SERVER_ERROR,
                Trouble.DIED,
                Trouble.TIMEOUT,
            },
        ),
        (Concern.ENGINE, {Trouble.QUOTA, Trouble.AUTH, Trouble.MISCONFIGURED}),
        (Concern.MODEL, {Trouble.MODEL_NOT_FOUND, Trouble.MODEL_UNFIT, Trouble.NO_MEMORY}),
        (
            Concern.PROMPT,
            {Trouble.CONTEXT_EXCEEDED, Trouble.BAD_REQUEST, Trouble.CONTENT_FILTER},
        ),
    ],
)
def test_an_error_says_whom_it_concerns(concern, troubles):
    assert {t for t in Trouble if EngineError(t, "no").concern is concern} == troubles


def test_every_trouble_concerns_somebody():
    assert set(CONCERN) == set(Trouble)


@pytest.mark.parametrize(
    ("taken", "stated"),
    [
        ({}, False),
        ({"engine_seconds": 3.0}, False),
        ({"usage": Usage(input_tokens=0)}, True),
        ({"usage": Usage(output_tokens=7)}, True),
        ({"reported_cost_usd": Decimal(0)}, True),
    ],
)
def test_an_error_says_whether_the_server_stated_what_it_took(taken, stated):
    assert EngineError(Trouble.SERVER_ERROR, "no", **taken).stated is stated
