"""What servers really say, as their users' reports have it, and what each of it means."""

import time

import pytest

from worker.llm.engine import Trouble
from worker.llm.wordings import is_no_api, is_page, trouble_in

SAID = {
    Trouble.CONTEXT_EXCEEDED: [
        # LM Studio
        "Trying to keep the first 5000 tokens when context the overflows. However, the model is "
        "loaded with context length of only 4096 tokens, which is not enough.",
        "The number of tokens to keep from the initial prompt is greater than the context length "
        "(n_keep: 13055>= n_ctx: 4096). Try to load the model with a larger context length",
        "Cannot truncate prompt with n_keep (15028) >= n_ctx (7424)",
        # Gemini
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
        # llama-server, Ollama
        "request (3024 tokens) exceeds the available context size (256 tokens), try increasing it",
        "the input length exceeds the context length",
        "the prompt is longer than the context length currently available to the model",
        "input exceeds maximum context length",
        # vLLM
        "This model's maximum context length is 4096 tokens. However, you requested 5060 tokens "
        "(4036 in the messages, 1024 in the completion). Please reduce the length of the messages",
        "'max_tokens' or 'max_completion_tokens' is too large: 512. This model's maximum context "
        "length is 4096 tokens and your request has 3900 input tokens (512 > 4096 - 3900).",
        "This model's maximum context length is 2048 tokens. However, your request has 1900 input "
        "tokens plus 512 'max_tokens'. Please reduce one or the other.",
        "The decoder prompt (length 5000) is longer than the maximum model length of 4096.",
        # Anthropic
        "prompt is too long: 210000 tokens > 200000 maximum",
        "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000, decrease "
        "input length or `max_tokens` and try again",
        # others
        "Your input exceeds the context window of this model. Please adjust your input.",
        "This model's maximum prompt length is 131072 but the request contains 150000 tokens.",
        "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 4000 `inputs` tokens and 512",
        "Input is too long for requested model.",
        "Input Tokens Exceeded: Number of input tokens exceeds maximum length.",
        "400 Bad Request: Too many input tokens. Max input tokens: 8192, request input token "
        "count: 9000",
        "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 40000.",
        "Range of input length should be [1, 30720]",
    ],
    Trouble.TIMEOUT: [
        'Post "http://127.0.0.1:43210/completion": context deadline exceeded',
        "timed out waiting for llama runner to start - progress 0.00",
        "Deadline exceeded",
    ],
    Trouble.QUOTA: [
        "You exceeded your current quota, please check your plan and billing details.",
        "Your credit balance is too low to access the Anthropic API.",
        "Insufficient credits. Add more using https://openrouter.ai/settings/credits",
        "Insufficient Balance",
        "This request requires more credits, or fewer max_tokens. You requested up to 65536 "
        "tokens, but can only afford 1234.",
        "Key limit exceeded (total limit).",
        "You have reached your specified API usage limits. You will regain access on 2025-08-01.",
        "Your team has either used all available credits or reached its monthly spending limit.",
        "Budget has been exceeded! Current cost: 0.01, Max budget: 0.005",
        "Your prepayment credits are depleted.",
        "Too many tokens per day, please wait before trying again.",
        "Model access is denied due to INVALID_PAYMENT_INSTRUMENT:A valid payment instrument must "
        "be provided.",
        "You have insufficient credit to run this model.",
    ],
    Trouble.RATE_LIMITED: [
        "You exceeded your current quota, please check your plan and billing details. Quota "
        "exceeded for metric: generate_content_free_tier_requests, limit: 15. Please retry in 32s.",
        "Number of request tokens has exceeded your per-minute rate limit. Please reduce the "
        "prompt length or the maximum tokens requested, or try again later.",
        "Too many requests",
        "Rate limit reached for gpt-4o in organization org-x on requests per day (RPD): Limit 200",
    ],
    Trouble.AUTH: [
        "API key not valid. Please pass a valid API key.",
        "Incorrect API key provided: sk-ab***yz.",
        "Your API key was reported as leaked. Please use another API key.",
        "invalid x-api-key",
        "API key expired. Please renew the API key.",
        "No auth credentials found",
        "User location is not supported for the API use.",
        "Operation not allowed",
    ],
    Trouble.CONTENT_FILTER: [
        "The response was filtered due to the prompt triggering Azure OpenAI's content management "
        "policy.",
        "Output blocked by content filtering policy",
        "Your request was rejected as a result of our safety system.",
        "Input data may contain inappropriate content.",
        "Content Exists Risk",
        "Your input was flagged",
        # Replicate
        "The input or output was flagged as sensitive. Please try again with different inputs.",
        "NSFW content detected. Try running it again, or try a different prompt.",
    ],
    Trouble.NO_MEMORY: [
        "model requires more system memory (5.6 GiB) than is available (2.1 GiB)",
        "llama runner process has terminated: cudaMalloc failed: out of memory",
        "Failed to load model \"x\". Error: Model loading was stopped due to insufficient system "
        "resources.",
        "unable to allocate CUDA0 buffer",
        "memory layout cannot be allocated",
    ],
    Trouble.MODEL_UNFIT: [
        "max_tokens is too large: 200000. This model supports at most 16384 completion tokens, "
        "whereas you provided 200000.",
        "max_tokens: 100000 > 64000, which is the maximum allowed number of output tokens for "
        "claude-sonnet-4-6",
        "`max_tokens` must be less than or equal to `8192`, the maximum value for `max_tokens` is "
        "less than the `context_window` for this model",
        "Invalid max_tokens value, the valid range of max_tokens is [1, 8192]",
        "Unable to submit request because it has a maxOutputTokens value of 100000 but the "
        "supported range is from 1 (inclusive) to 65537 (exclusive).",
        "The maximum tokens you requested exceeds the model limit of 4096.",
        "The maximum tokens you requested exceed the model limit of 4096. Try again with a lower "
        "maximum tokens value.",
        "Invocation of model ID x with on-demand throughput isn’t supported. Retry your "
        "request with the ID or ARN of an inference profile that contains this model.",
        "'max_tokens' or 'max_completion_tokens' is too large: 9000. This model's maximum context "
        "length is 8192 tokens and your request has 1200 input tokens (9000 > 8192 - 1200).",
        "This model's maximum context length is 6048 tokens. However, you requested 6616 tokens "
        "(568 in the messages, 6048 in the completion).",
        '"bert" does not support chat',
        "unable to load model: /root/.ollama/models/blobs/sha256-17",
    ],
    Trouble.MODEL_NOT_FOUND: [
        "model 'x' not found",
        'model "x" not found, try pulling it first',
        "The model `x` does not exist.",
        "The model `gpt-5` does not exist or you do not have access to it.",
        "x is not a valid model ID",
        "No endpoints found for x.",
        "models/x is not found for API version v1main, or is not supported for generateContent.",
        "The API deployment for this resource does not exist.",
        "No models loaded. Please load a model in the developer page.",
        "The specified version does not exist (or perhaps you don't have permission to use it?)",
        "The model `mixtral` has been decommissioned and is no longer supported.",
        "The provided model identifier is invalid.",
        "This model version has reached the end of its life. Please refer to the documentation.",
        "Access denied. This Model is marked by provider as Legacy and you have not been actively "
        "using the model in the last 30 days.",
        "You don't have access to the model with the specified model ID.",
        "Model access is denied due to IAM user or service role is not authorized to perform the "
        "required AWS Marketplace actions",
        "User: x is not authorized to perform: bedrock:InvokeModel on resource: arn:aws:bedrock:y",
    ],
    Trouble.MISCONFIGURED: [
        "404 page not found",
        "Not Found",
        "Resource not found",
        "Invalid URL (POST /v1/v1/chat/completions)",
        "Unexpected endpoint or method. (POST /chat/completions). Returning 200 anyway",
        "Cannot POST /chat/completions",
        "The plain HTTP request was sent to HTTPS port",
        "Client sent an HTTP request to an HTTPS server.",
        "Method Not Allowed",
        'time: invalid duration "soon"',
    ],
    Trouble.BAD_REQUEST: [
        'invalid format: "x"; expected "json" or a valid JSON Schema object',
        "invalid JSON schema in format",
        "failed to load model vocabulary required for format",
        'option "num_ctx" must be of type integer',
        "Failed to initialize samplers: failed to parse grammar",
        "JSON schema conversion failed: Unrecognized schema: "
        '{"description": "the model does not exist, out of memory, prompt is too long"}',
        "The provided JSON schema contains features not supported by xgrammar.",
        "Grammar error: Unknown format: uri",
        "Invalid JSON payload received. Unknown name \"additionalProperties\" at "
        "'generation_config.response_schema': Cannot find field.",
        "The specified schema produces a constraint that has too many states for serving.",
        "output_config.format.schema: For 'object' type, 'additionalProperties' must be false",
        "Schemas contains too many parameters with union types (17 parameters with type arrays or "
        "anyOf). This causes exponential compilation cost.",
        "System role not supported",
        "This model doesn't support system messages. Try again without a system message.",
        "Conversation roles must alternate user/assistant/user/assistant/...",
        "Developer instruction is not enabled for models/gemma-3-27b-it",
    ],
    None: [
        "",
        "messages must not be odd",
        "The server had an error while processing your request",
        "model runner has unexpectedly stopped, this may be due to resource limitations",
        "an error was encountered while running the model: unexpected EOF",
        "context canceled",
        "model is required",
        "Loading model",
    ],
}  # fmt: skip


@pytest.mark.parametrize("trouble", SAID)
def test_what_a_server_says_means_one_trouble(trouble):
    for text in SAID[trouble]:
        assert trouble_in(text) is trouble, text


def test_it_is_found_in_any_letters_and_within_other_words():
    said = 'litellm.BadRequestError: {"error": {"message": "PROMPT IS TOO LONG: 9 > 8"}}'
    assert trouble_in(said) is Trouble.CONTEXT_EXCEEDED


def test_a_long_text_is_read_at_once():
    hostile = ("context ", "model ", "max_tokens ", "input ", "exceed", "system role ", '"', "a")
    started = time.process_time()
    for word in hostile:
        trouble_in(word * (1_000_000 // len(word)))
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("text", "page", "no_api"),
    [
        ("<!DOCTYPE html><html>", True, True),
        (" \r\n\ufeff<html>", True, True),
        ("Ollama is running", False, True),
        ("OK", False, True),
        ("", False, False),
        ("  ", False, False),
        ('{"choices": [', False, False),  # an answer that was cut off
        ('[{"error"', False, False),
        ('data: {"choices"', False, False),
        (": OPENROUTER PROCESSING", False, False),
    ],
)
def test_a_page_is_told_from_an_answer_that_was_cut_off(text, page, no_api):
    assert (is_page(text), is_no_api(text)) == (page, no_api)
