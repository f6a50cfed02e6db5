import json

import pytest

from worker.llm.bedrock.replies import completion
from worker.llm.engine import EngineError, Finish, Trouble, Usage

WHERE = "Bedrock at https://b"


def answer(**changes):
    said = {"message": {"role": "assistant", "content": [{"text": "yes"}]}}
    reply = {"output": said, "stopReason": "end_turn", **changes}
    return completion(json.dumps(reply).encode(), "m", 7, WHERE)


def content(*parts):
    return {"output": {"message": {"role": "assistant", "content": list(parts)}}}


def test_an_answer_is_read():
    usage = {"inputTokens": 30, "outputTokens": 5, "totalTokens": 35}
    found = answer(usage=usage, metrics={"latencyMs": 1250})
    assert (found.text, found.finish, found.latency_ms) == ("yes", Finish.STOP, 7)
    assert found.usage == Usage(30, None, 5)
    assert found.engine_seconds == 1.25
    assert found.model_answered == "m"


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", Finish.STOP),
        ("stop_sequence", Finish.STOP),
        ("tool_use", Finish.STOP),
        ("malformed_model_output", Finish.STOP),
        ("new_reason", Finish.STOP),
        (None, Finish.STOP),
        ("max_tokens", Finish.LENGTH),
        ("model_context_window_exceeded", Finish.LENGTH),
        ("guardrail_intervened", Finish.CONTENT_FILTER),
        ("content_filtered", Finish.CONTENT_FILTER),
    ],
)
def test_why_a_model_stopped(reason, finish):
    assert answer(stopReason=reason).finish is finish


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ([{"text": "a"}, {"text": "b"}], "ab"),
        ([{"reasoningContent": {"reasoningText": {"text": "hm"}}}, {"text": "a"}], "a"),
        ([{"text": None}, "x", {"toolUse": {}}], ""),
        ([], ""),
    ],
)
def test_the_text_is_what_was_said_and_not_what_was_thought(parts, text):
    assert answer(**content(*parts)).text == text


@pytest.mark.parametrize(
    ("stated", "usage"),
    [
        ({}, Usage()),
        (None, Usage()),
        ({"inputTokens": -1, "outputTokens": "5"}, Usage()),
        ({"inputTokens": 0, "outputTokens": 0}, Usage(0, None, 0)),
        # Cached tokens stand beside the others, and are part of the prompt.
        ({"inputTokens": 4, "outputTokens": 9, "totalTokens": 113, "cacheReadInputTokens": 60,
          "cacheWriteInputTokens": 40}, Usage(104, 60, 9, None, 40)),
        ({"inputTokens": 4, "outputTokens": 9, "cacheReadInputTokens": 60}, Usage(64, 60, 9)),
        # Where the total says so they are within.
        ({"inputTokens": 64, "outputTokens": 9, "totalTokens": 73, "cacheReadInputTokens": 60},
         Usage(64, 60, 9)),
        ({"inputTokens": 2**31 - 1, "outputTokens": 9, "cacheReadInputTokens": 60},
         Usage(None, 60, 9)),
    ],
)  # fmt: skip
def test_what_was_read_is_the_whole_prompt_and_unknown_is_not_zero(stated, usage):
    assert answer(usage=stated).usage == usage


def test_a_prompt_router_says_which_model_it_chose():
    trace = {"promptRouter": {"invokedModelId": "arn:aws:bedrock:x:1:inference-profile/us.meta"}}
    assert answer(trace=trace).model_answered == trace["promptRouter"]["invokedModelId"]


@pytest.mark.parametrize(
    ("body", "trouble", "billed"),
    [
        (b'{"output": {"mess', Trouble.SERVER_ERROR, True),
        (b"[]", Trouble.SERVER_ERROR, True),
        (b"{}", Trouble.SERVER_ERROR, True),
        (b"", Trouble.SERVER_ERROR, True),
        (b"<html>sign in</html>", Trouble.MISCONFIGURED, False),
    ],
)
def test_what_is_no_answer_is_an_error(body, trouble, billed):
    with pytest.raises(EngineError, match=WHERE) as caught:
        completion(body, "m", 7, WHERE)
    assert (caught.value.trouble, caught.value.maybe_billed) == (trouble, billed)


def test_what_an_answer_without_a_message_took_is_kept():
    with pytest.raises(EngineError) as caught:
        answer(output={}, usage={"inputTokens": 30, "outputTokens": 5})
    assert caught.value.usage == Usage(30, None, 5)
