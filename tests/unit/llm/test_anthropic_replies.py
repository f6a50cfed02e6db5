import json

import pytest

from worker.llm.anthropic.replies import completion, model_names, usage_in
from worker.llm.engine import EngineError, Finish, Trouble, Usage

USAGE = {"input_tokens": 7, "output_tokens": 3}
TEXT = {"type": "text", "text": "hi"}
KEY = "sk-ant-very-secret-0123456789"


def read(reply, secret=""):
    return completion(json.dumps(reply).encode(), {}, 12, "there", secret)


def message(*content, stop_reason="end_turn", **more):
    reply = {"type": "message", "model": "m-1", "usage": USAGE, "content": list(content)}
    return {**reply, "stop_reason": stop_reason, **more}


@pytest.mark.parametrize(
    ("stop_reason", "finish"),
    [
        ("end_turn", Finish.STOP),
        ("stop_sequence", Finish.STOP),
        ("max_tokens", Finish.LENGTH),
        ("model_context_window_exceeded", Finish.LENGTH),
        ("refusal", Finish.CONTENT_FILTER),
        ("something_new", Finish.STOP),
        (None, Finish.STOP),
    ],
)
def test_why_it_stopped(stop_reason, finish):
    assert read(message(TEXT, stop_reason=stop_reason)).finish is finish


def test_an_answer_is_its_texts_and_not_its_thoughts():
    thought = {"type": "thinking", "thinking": "hm", "signature": "x"}
    found = read(message(thought, TEXT, {"type": "text", "text": "!"}, {"type": "new"}, "odd"))
    assert (found.text, found.model_answered, found.latency_ms) == ("hi!", "m-1", 12)
    assert found.usage == Usage(7, None, 3)


def test_a_refusal_without_words_says_why():
    details = {"type": "refusal", "explanation": "I cannot."}
    refused = {"stop_reason": "refusal", "stop_details": details}
    assert read(message(**refused)).text == "I cannot."
    assert read(message(TEXT, **refused)).text == "hi"
    assert read(message(stop_reason="refusal", stop_details=None)).text == ""


@pytest.mark.parametrize(
    ("stated", "usage"),
    [
        ({"input_tokens": 5, "output_tokens": 3}, Usage(5, None, 3)),
        (
            {
                "input_tokens": 5,
                "cache_read_input_tokens": 2000,
                "cache_creation_input_tokens": 300,
                "output_tokens": 30,
                "output_tokens_details": {"thinking_tokens": 20},
            },
            Usage(2305, 2000, 30, 20, 300),
        ),
        (
            {"input_tokens": 5, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0},
            Usage(5, 0, None, None, 0),
        ),
        ({"input_tokens": 5, "cache_creation_input_tokens": None}, Usage(5)),
        ({"cache_read_input_tokens": 9}, Usage(None, 9)),
        ({"input_tokens": -1, "output_tokens": True}, Usage()),
        ({"input_tokens": 2**31 - 1, "cache_read_input_tokens": 1}, Usage(None, 1)),
        (None, Usage()),
        ([], Usage()),
    ],
)
def test_the_prompt_is_all_that_was_read_and_what_is_not_stated_is_unknown(stated, usage):
    assert usage_in({"usage": stated}) == usage


@pytest.mark.parametrize(
    ("content", "trouble", "billed"),
    [
        (b"<html>", Trouble.MISCONFIGURED, False),
        (b"OK", Trouble.MISCONFIGURED, False),
        (b'{"type": "mess', Trouble.SERVER_ERROR, True),
        (b"", Trouble.SERVER_ERROR, True),
        (b"[]", Trouble.SERVER_ERROR, True),
        (b"{}", Trouble.SERVER_ERROR, True),
        (b'{"content": null, "usage": {"input_tokens": 7}}', Trouble.SERVER_ERROR, True),
        (b'{"type": "error", "error": {"type": "overloaded_error"}}', Trouble.RATE_LIMITED, False),
        (b'{"error": {"message": "upstream"}}', Trouble.SERVER_ERROR, True),
    ],
)
def test_what_is_no_answer_is_an_error(content, trouble, billed):
    with pytest.raises(EngineError) as caught:
        completion(content, {}, 1, "there")
    assert (caught.value.trouble, caught.value.maybe_billed) == (trouble, billed)


def test_what_an_answer_without_content_took_is_kept():
    with pytest.raises(EngineError) as caught:
        read({"content": None, "usage": USAGE})
    assert caught.value.usage == Usage(7, None, 3)


def test_a_key_that_an_answer_repeats_is_taken_out():
    assert read(message({"type": "text", "text": f"it is {KEY}"}), KEY).text == "it is [key]"


@pytest.mark.parametrize(
    ("listed", "names"),
    [
        (["claude-opus-5-5"], ("claude-opus-5-5",)),
        (["claude-haiku-4-5-20251001"], ("claude-haiku-4-5-20251001", "claude-haiku-4-5")),
        ([], ()),
    ],
)
def test_a_model_that_is_listed_with_its_day_answers_to_its_name_without_it(listed, names):
    content = json.dumps({"data": [{"type": "model", "id": name} for name in listed]}).encode()
    assert model_names(content, "there") == names


@pytest.mark.parametrize("content", [b"{}", b'{"data": {}}', b'{"data": [1, {"id": ""}, {}]}'])
def test_a_listing_of_another_form_names_no_models(content):
    assert model_names(content, "there") == ()
