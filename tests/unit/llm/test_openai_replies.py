import json

import pytest

from worker.llm.engine import EngineError, Finish, Trouble, Usage
from worker.llm.openai.replies import completion, model_names

USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


def read(choice, **more):
    reply = {"choices": [choice], "usage": USAGE, **more}
    return completion(json.dumps(reply).encode(), {}, 12, "there")


@pytest.mark.parametrize(
    ("choice", "text", "finish"),
    [
        ({"message": {"content": "hi"}, "finish_reason": "stop"}, "hi", Finish.STOP),
        ({"message": {"content": None}, "finish_reason": "stop"}, "", Finish.STOP),
        ({"message": {}, "finish_reason": "stop"}, "", Finish.STOP),
        ({"message": {"content": ""}, "finish_reason": "length"}, "", Finish.LENGTH),
        ({"finish_reason": "content_filter"}, "", Finish.CONTENT_FILTER),  # Azure
        ({"message": {"content": None, "refusal": "No."}}, "No.", Finish.CONTENT_FILTER),
    ],
)
def test_an_answer_without_text_is_an_answer_and_keeps_its_usage(choice, text, finish):
    found = read(choice)
    assert (found.text, found.finish) == (text, finish)
    assert found.usage == Usage(7, None, 3, None)


@pytest.mark.parametrize(
    "timings",
    [
        {"prompt_ms": 1e300},
        {"prompt_ms": -1},
        {"prompt_ms": "12"},
        {"prompt_ms": float("nan"), "predicted_ms": float("inf")},
        [],
        {},
    ],
)
def test_times_that_cannot_be_are_unknown(timings):
    assert read({"message": {"content": "hi"}}, timings=timings).engine_seconds is None


@pytest.mark.parametrize(
    ("content", "trouble", "billed"),
    [
        (b"", Trouble.SERVER_ERROR, True),
        (b"{", Trouble.SERVER_ERROR, True),
        (b"[" * 9999, Trouble.SERVER_ERROR, True),
        (b'data: {"choices": []}', Trouble.SERVER_ERROR, True),
        (b"[]", Trouble.SERVER_ERROR, True),
        (b'{"choices": [{}]}', Trouble.SERVER_ERROR, True),
        (b'{"object": "error", "message": "prompt is too long"}', Trouble.CONTEXT_EXCEEDED, False),
        (b"<html>", Trouble.MISCONFIGURED, False),
        (b"OK", Trouble.MISCONFIGURED, False),
    ],
)
def test_what_is_no_answer_is_a_broken_server_or_no_api(content, trouble, billed):
    with pytest.raises(EngineError) as caught:
        completion(content, {}, 1, "there")
    assert (caught.value.trouble, caught.value.maybe_billed) == (trouble, billed)


def test_a_listing_names_its_models_and_a_page_is_none():
    assert model_names(b'{"data": [{"id": "a"}, {"id": "b"}, {}]}', "there") == ("a", "b")
    assert model_names(b'{"models": []}', "there") == ()
    with pytest.raises(EngineError, match="base_url"):
        model_names(b"<html>", "there")
