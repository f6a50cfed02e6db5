import json

import pytest

from worker.llm.engine import EngineError, Finish, Message, Request, Trouble, Usage
from worker.llm.ollama.replies import completion, estimate_tokens, refusal, was_cut

REQUEST = Request("m", (Message("user", "How many?"),), 100, 4096)
GOOD = {
    "model": "m",
    "message": {"role": "assistant", "content": "three"},
    "done": True,
    "done_reason": "stop",
    "prompt_eval_count": 9,
    "prompt_eval_duration": 1_500_000_000,
    "eval_count": 2,
    "eval_duration": 500_000_000,
}


def read(**changes):
    reply = {k: v for k, v in {**GOOD, **changes}.items() if v is not None}
    return completion(json.dumps(reply).encode(), REQUEST, 12, "Ollama")


@pytest.mark.parametrize(
    ("read", "num_ctx", "estimate", "cut"),
    [
        (900, 4096, 1000, False),  # all of it
        (4096, 4096, 3900, True),  # filled to the last token
        (4095, 4096, 3900, True),
        (4094, 4096, 3900, False),
        (2050, 4096, 6000, True),  # ollama#17889: half the window + 2
        (16387, 32768, 160689, True),  # ollama#3839
        (130, 256, 300, True),  # kept half, by the second rule
        (134, 256, 300, True),
        (2050, 4096, 2100, False),  # a prompt that simply is half a window long
        (1400, 4096, 2400, True),  # far fewer than the estimate
        (1500, 4096, 2400, False),
        (100, 4096, 1000, False),  # cannot have overflowed: an older server's cached prefix
        (100, 4096, 2048, False),
        (100, 4096, 2049, True),
    ],
)
def test_a_prompt_that_was_cut_in_silence_is_noticed(read, num_ctx, estimate, cut):
    assert was_cut(read, num_ctx, estimate) is cut


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("word " * 400, 500),
        ("a" + " " * 4000 + "b", 1),  # a run of spaces is not text
        ("नमस्ते", 3),
        ("\ud800", 0),  # a lone surrogate does not break it
    ],
)
def test_tokens_are_estimated_from_characters(text, tokens):
    assert estimate_tokens([Message("user", text)]) == tokens


def test_an_answer_is_read_whole():
    found = read()
    assert (found.text, found.finish, found.latency_ms) == ("three", Finish.STOP, 12)
    assert found.usage == Usage(input_tokens=9, output_tokens=2)
    assert found.engine_seconds == 2.0
    assert found.model_answered == "m"


def test_an_answer_cut_by_the_token_limit_says_so():
    assert read(done_reason="length").finish is Finish.LENGTH


def test_counts_that_are_left_out_are_unknown_and_not_zero():
    found = read(prompt_eval_count=None, eval_count=0, prompt_eval_duration=None)
    assert found.usage == Usage()
    assert found.engine_seconds == 0.5


@pytest.mark.parametrize(
    "changes",
    [
        {"done": None},
        {"done_reason": "load"},
        {"done_reason": ["stop"]},
        {"message": None},
        dict.fromkeys(("prompt_eval_count", "prompt_eval_duration", "eval_count", "eval_duration")),
    ],
)
def test_an_unfinished_answer_is_a_server_error(changes):
    with pytest.raises(EngineError) as caught:
        read(**changes)
    assert caught.value.trouble is Trouble.SERVER_ERROR
    assert caught.value.maybe_billed


METRICS = dict.fromkeys(
    ("prompt_eval_count", "prompt_eval_duration", "eval_count", "eval_duration", "done_reason")
)


def test_a_model_that_repeats_itself_until_the_server_gives_up_has_answered():
    found = read(done=False, **METRICS)
    assert (found.text, found.finish, found.usage) == ("three", Finish.LOOP, Usage())
    assert read(done=False).usage.output_tokens == 2  # where it is told all the same


@pytest.mark.parametrize("message", [{"role": "assistant"}, {"content": None}])
def test_an_answer_without_text_is_an_answer(message):
    found = read(message=message)
    assert (found.text, found.usage.output_tokens) == ("", 2)


def test_counts_and_times_that_cannot_be_are_unknown():
    found = read(prompt_eval_count=2**32 - 1, eval_count=2**64 - 1, eval_duration=2**64 - 1)
    assert found.usage == Usage()
    assert found.engine_seconds == 1.5


@pytest.mark.parametrize(
    ("content", "trouble", "billed"),
    [
        (b"", Trouble.SERVER_ERROR, True),
        (b"{", Trouble.SERVER_ERROR, True),
        (b"[]", Trouble.SERVER_ERROR, True),
        (b'"x"', Trouble.SERVER_ERROR, True),
        (b"[" * 9999, Trouble.SERVER_ERROR, True),
        (b"null", Trouble.SERVER_ERROR, True),
        (b"<html>", Trouble.MISCONFIGURED, False),
        (b"Ollama is running", Trouble.MISCONFIGURED, False),
        (b"\xff\xfe", Trouble.MISCONFIGURED, False),
    ],
)
def test_a_body_that_is_no_object_is_a_broken_server_or_no_api(content, trouble, billed):
    with pytest.raises(EngineError) as caught:
        completion(content, REQUEST, 1, "Ollama")
    assert (caught.value.trouble, caught.value.maybe_billed) == (trouble, billed)


def test_a_prompt_that_was_cut_says_what_reading_it_took():
    with pytest.raises(EngineError) as caught:
        read(prompt_eval_count=4096)
    assert caught.value.trouble is Trouble.CONTEXT_EXCEEDED
    assert caught.value.usage == Usage(input_tokens=4096, output_tokens=2)
    assert caught.value.engine_seconds == 2.0


CONTEXT_JSON = json.dumps(
    {
        "error": {
            "code": 400,
            "message": "request (3024 tokens) exceeds the available context size (256 tokens)",
            "type": "exceed_context_size_error",
        }
    }
)


@pytest.mark.parametrize(
    ("status", "text", "trouble"),
    [
        (400, "model is required", Trouble.BAD_REQUEST),
        (400, '"bert" does not support chat', Trouble.MODEL_UNFIT),
        (400, 'time: invalid duration "soon"', Trouble.MISCONFIGURED),
        (500, "invalid JSON schema in format", Trouble.BAD_REQUEST),
        (500, "failed to load model vocabulary required for format", Trouble.BAD_REQUEST),
        (500, 'option "num_ctx" must be of type integer', Trouble.BAD_REQUEST),
        (500, "model requires more system memory (5.6 GiB)", Trouble.NO_MEMORY),
        (500, "context deadline exceeded", Trouble.TIMEOUT),
        (400, CONTEXT_JSON, Trouble.CONTEXT_EXCEEDED),
        (400, "the prompt is longer than the context length", Trouble.CONTEXT_EXCEEDED),
        (500, "input exceeds maximum context length", Trouble.CONTEXT_EXCEEDED),
        (401, "unauthorized", Trouble.AUTH),
        (403, "forbidden", Trouble.AUTH),
        (404, "model 'x' not found", Trouble.MODEL_NOT_FOUND),
        (408, "timeout", Trouble.SERVER_ERROR),
        (429, "slow down", Trouble.RATE_LIMITED),
        (499, "request canceled", Trouble.SERVER_ERROR),
        (500, "model runner has unexpectedly stopped", Trouble.DIED),
        (
            500,
            "an error was encountered while running the model: unexpected EOF",
            Trouble.DIED,
        ),
        (500, 'invalid format: "x"; expected "json"', Trouble.BAD_REQUEST),
        (502, "bad gateway", Trouble.SERVER_ERROR),
        (503, "server busy, please try again.  maximum pending requests", Trouble.UNAVAILABLE),
        (307, "elsewhere", Trouble.MISCONFIGURED),
        (405, "no", Trouble.MISCONFIGURED),
    ],
)
def test_every_status_of_ollama_has_its_trouble(status, text, trouble):
    error = refusal(status, json.dumps({"error": text}), {"retry-after": "3"}, "Ollama")
    assert (error.trouble, error.status, error.retry_after_s) == (trouble, status, 3.0)
    billed = trouble in (Trouble.SERVER_ERROR, Trouble.DIED, Trouble.TIMEOUT) and status != 499
    assert error.maybe_billed is billed


@pytest.mark.parametrize(
    ("status", "text", "trouble", "said"),
    [
        (403, "", Trouble.MISCONFIGURED, "OLLAMA_HOST=0.0.0.0"),
        (403, "<html>", Trouble.AUTH, "a web page"),
        (404, "404 page not found", Trouble.MISCONFIGURED, "no Ollama"),
        (404, '{"detail": "Not Found"}', Trouble.MISCONFIGURED, "no Ollama"),
        (404, "<html>", Trouble.MISCONFIGURED, "a web page"),
        (400, "<html>", Trouble.MISCONFIGURED, "a web page"),
        (400, "Client sent an HTTP request to an HTTPS server.", Trouble.MISCONFIGURED, "HTTPS"),
        (400, "", Trouble.BAD_REQUEST, "no text"),
        (502, "<html>", Trouble.SERVER_ERROR, "a web page"),
        (308, "", Trouble.MISCONFIGURED, "sends on to https://other"),
    ],
)
def test_what_answers_in_another_form_is_told_by_its_status(status, text, trouble, said):
    error = refusal(status, text, {"location": "https://other"}, "Ollama")
    assert error.trouble is trouble
    assert said in str(error)


def test_an_error_of_llama_server_within_ollama_s_is_shown_without_its_shell():
    error = refusal(400, json.dumps({"error": CONTEXT_JSON}), {}, "Ollama")
    assert "request (3024 tokens) exceeds the available context size" in str(error)
    assert "{" not in str(error)


def test_an_error_page_that_is_not_json_is_shown_shortened():
    error = refusal(502, "<html>\n" + "x" * 1000, {}, "Ollama")
    assert error.trouble is Trouble.SERVER_ERROR
    assert len(str(error)) < 400
