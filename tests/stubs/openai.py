"""An OpenAI-compatible server on loopback. Its base URL is `base_url`; see server.py."""

import itertools
import time
from typing import Any, ClassVar

from aiohttp import web

from tests.stubs.batches import Asked, Worked
from tests.stubs.broken import Fault
from tests.stubs.knobs import OpenAIKnobs
from tests.stubs.limits import Window, anthropic_headers
from tests.stubs.openai_batches import FileBatches, InlineBatches
from tests.stubs.process import main
from tests.stubs.record import Prompt
from tests.stubs.server import Stub


def _error(status: int, message: str, **more: Any) -> Fault:
    late = status >= 500 and status not in (503, 529)
    retry = (("retry-after", str(more.pop("retry_after"))),) if "retry_after" in more else ()
    return Fault(status, {"error": {"message": message, **more}}, retry, late=late)


def _choice(**choice: Any) -> Fault:
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    body = {"id": "x", "object": "chat.completion", "model": "m", "usage": usage}
    return Fault(200, {**body, "choices": [{"index": 0, **choice}]}, late=True, billed=True)


def _message(content: Any = None, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **more}


def _words(content: str | list[dict[str, Any]]) -> str:
    """What is said beside what is shown."""
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if part["type"] == "text")


class OpenAIStub(Stub):
    """Chat completions, models, limits and faults of an OpenAI-compatible server."""

    knobs: OpenAIKnobs
    faults: ClassVar[dict[str, Fault]] = {
        "429": _error(429, "Rate limit reached", code="rate_limit_exceeded", retry_after=0.1),
        "quota": _error(429, "You exceeded your current quota", code="insufficient_quota"),
        "spend": _error(
            429,
            "spend limit",
            type="rate_limit_error",
            details={"error_code": "enforced_spend_limit_reached"},
        ),
        "402": _error(402, "Insufficient credits", code=402),
        "credit": _error(400, "Your credit balance is too low", type="invalid_request_error"),
        "401": _error(401, "Incorrect API key", code="invalid_api_key"),
        "403": _error(403, "Project has no access", code="forbidden"),
        "flagged": _error(403, "Your input was flagged", code=403),
        "404": _error(404, "The model does not exist", code="model_not_found"),
        "400": _error(400, "messages must not be odd", type="invalid_request_error"),
        "context": _error(
            400, "This model's maximum context length is 8 tokens", code="context_length_exceeded"
        ),
        "context_llama": _error(
            400,
            "request (30 tokens) exceeds the available context size (8 tokens)",
            code=400,
            type="exceed_context_size_error",
        ),
        "max_tokens": _error(
            400, "max_tokens is too large: 9. This model supports at most 8 completion tokens"
        ),
        "memory": _error(500, "Failed to load model: insufficient system resources"),
        "filter": _error(400, "content management policy", code="content_filter"),
        "408": _error(408, "Request timeout"),
        "409": _error(409, "conflict"),
        "500": _error(500, "The server had an error", type="server_error"),
        "502": _error(502, "Bad gateway"),
        "503": _error(503, "The engine is currently overloaded", retry_after=0.1),
        "loading": _error(503, "Loading model", code=503, type="unavailable_error"),
        "529": _error(529, "Overloaded", type="overloaded_error"),
        "307": Fault(307, "elsewhere", (("location", "http://127.0.0.1:9/v1/"),)),
        "html": Fault(200, "<html>login</html>", late=True),
        "error200": Fault(
            200, {"error": {"code": 502, "message": "upstream"}}, late=True, billed=True
        ),
        "error200_usage": Fault(
            200,
            {
                "error": {"code": 502, "message": "upstream"},
                "usage": {"prompt_tokens": 7, "completion_tokens": 3, "cost": 0.002},
            },
            late=True,
            billed=True,
        ),
        "error200_429": Fault(200, {"error": {"code": 429, "message": "slow down"}}, late=True),
        "no_choices": Fault(200, {"id": "x", "choices": None}, late=True, billed=True),
        "empty_choices": Fault(200, {"id": "x", "choices": []}, late=True, billed=True),
        "choice_error": _choice(
            finish_reason="error", message=_message(""), error={"code": 429, "message": "slow"}
        ),
        "finish_error": _choice(finish_reason="error", message=_message("par")),
        "null_content": _choice(finish_reason="stop", message=_message(None)),
        "null_length": _choice(finish_reason="length", message=_message(None)),
        "refusal": _choice(finish_reason="stop", message=_message(None, refusal="I cannot.")),
        "finish_filter": _choice(finish_reason="content_filter", message=_message("par")),
        "parts": _choice(finish_reason="stop", message=_message([{"type": "text", "text": "hi"}])),
    }

    def __init__(self, **knobs: Any) -> None:
        super().__init__(OpenAIKnobs(), **knobs)
        self._numbers = itertools.count(1)
        self._requests, self._tokens = Window(), Window()
        self._batch_apis = {
            "openai": FileBatches(self.batches, self.knobs, self._answered_later),
            "openrouter": InlineBatches(self.batches, self.knobs, self._answered_later),
        }

    @property
    def base_url(self) -> str:
        """What an OpenAI client takes."""
        return self.url + "/v1"

    async def route(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/v1/chat/completions":
            return await self.answer(self._prompt(request, await request.json()), request)
        if request.path == "/v1/models":
            data = [{"id": name, "object": "model", **self._tells()} for name in self.knobs.models]
            return web.json_response({"object": "list", "data": data})
        if request.path.startswith(("/v1/files", "/v1/batches")):
            return await self._batch_apis[self.knobs.batch_api].route(request)
        if request.path == "/props" and self.knobs.server == "llama-server":
            return web.json_response(self._props())
        if request.path == "/tokenize" and self.knobs.server == "vllm":
            return web.json_response(self._tokenized(await request.json()))
        return web.json_response({"error": {"message": "no such route"}}, status=404)

    def _tells(self) -> dict[str, Any]:
        return {"max_model_len": self.knobs.window} if self.knobs.server == "vllm" else {}

    def _props(self) -> dict[str, Any]:
        return {
            "default_generation_settings": {"n_ctx": self.knobs.window},
            "chat_template": self.knobs.template,
            "modalities": {"vision": True, "audio": False},
        }

    def _tokenized(self, asked: dict[str, Any]) -> dict[str, Any]:
        said = [message["content"] for message in asked["messages"]]
        pieces = [self.knobs.template, *said, self.knobs.template]
        shown = {"token_strs": pieces} if asked.get("return_token_strs") else {}
        tokens = list(range(len(pieces)))
        return {"count": len(tokens), "max_model_len": self.knobs.window, "tokens": tokens, **shown}

    def _answered_later(self, request: web.BaseRequest, asked: Asked, fault: str) -> Worked:
        return self.worked(self._prompt(request, asked.body), request, fault)

    def _prompt(self, request: web.BaseRequest, body: dict[str, Any]) -> Prompt:
        texts = [_words(message["content"]) for message in body["messages"]]
        form = body.get("response_format") or {}
        limit = body.get("max_tokens") or body.get("max_completion_tokens") or 4096
        read = sum(map(self.tokens, texts))
        schema = form.get("json_schema", {}).get("schema")
        key = request.headers.get("Idempotency-Key")
        return Prompt(body["model"], texts, key, limit, schema, read, body)

    def refused(self, prompt: Prompt, request: web.BaseRequest) -> Fault | None:
        knobs = self.knobs
        if knobs.api_key and request.headers.get("Authorization") != f"Bearer {knobs.api_key}":
            return self.faults["401"]
        if knobs.models and prompt.model not in knobs.models:
            return self.faults["404"]
        if knobs.context and prompt.input_tokens > knobs.context:
            return self.faults["context"]
        return self._unknown_field(prompt) or self._over_limit(prompt)

    def _unknown_field(self, prompt: Prompt) -> Fault | None:
        knobs, body = self.knobs, prompt.body
        if prompt.model in knobs.no_schema_models and "response_format" in body:
            return _error(400, "Unknown parameter: response_format", param="response_format")
        if prompt.model in knobs.renamed_limit_models and "max_tokens" in body:
            said = "'max_tokens' is not supported with this model. Use 'max_completion_tokens'."
            return _error(400, said, param="max_tokens", code="unsupported_parameter")
        if prompt.model in knobs.no_temperature_models and "temperature" in body:
            return _error(400, "Only the default is supported", param="temperature")
        return None

    def _over_limit(self, prompt: Prompt) -> Fault | None:
        knobs, now = self.knobs, time.monotonic()
        amount, span = prompt.input_tokens + prompt.max_tokens, knobs.window_s
        waits = (
            self._requests.wait(1, knobs.rpm, now, span) if knobs.rpm else 0.0,
            self._tokens.wait(amount, knobs.tpm, now, span) if knobs.tpm else 0.0,
        )
        if any(waits):
            self.record.over_limit += 1
            said = f"Rate limit reached, try again in {max(waits):.3f}s"
            wait = f"{max(waits):.3f}"
            return _error(429, said, code="rate_limit_exceeded", retry_after=wait)
        if knobs.rpm:
            self._requests.add(1, now)
        if knobs.tpm:
            prompt.counted = self._tokens.add(amount, now)
        return None

    def headers(self) -> dict[str, str]:
        family = self.knobs.rate_headers
        if not family:
            return {}
        knobs, now = self.knobs, time.monotonic()
        requests = knobs.rpm - self._requests.used(now, knobs.window_s)
        tokens = knobs.tpm - self._tokens.used(now, knobs.window_s)
        states = {"requests": (knobs.rpm, requests), "tokens": (knobs.tpm, tokens)}
        return _openai_headers(states) if family == "openai" else anthropic_headers(states)

    def reply(self, prompt: Prompt, text: str, tokens: int, cut: bool) -> dict[str, Any]:
        if prompt.counted and self.knobs.tpm_corrects:
            self._tokens.correct(prompt.counted, prompt.input_tokens + tokens)
        finish = "length" if cut else "stop"
        body: dict[str, Any] = {
            "id": f"chatcmpl-{next(self._numbers)}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": prompt.model,
            "choices": [
                {"index": 0, "message": _message(text, refusal=None), "finish_reason": finish}
            ],
        }
        if self.knobs.logprobs and prompt.body.get("logprobs"):
            likely = {"token": text[:4], "logprob": -0.1}
            body["choices"][0]["logprobs"] = {"content": [likely]}
        if self.knobs.usage:
            body["usage"] = self._usage(prompt.input_tokens, tokens)
        if self.knobs.timings:
            body["timings"] = {"prompt_n": 1, "prompt_ms": 125.0, "predicted_ms": 375.0}
        return body

    def _usage(self, read: int, written: int) -> dict[str, Any]:
        usage: dict[str, Any] = {
            "prompt_tokens": read,
            "completion_tokens": written,
            "total_tokens": read + written,
            "prompt_tokens_details": {"cached_tokens": read // 2},
            "completion_tokens_details": {"reasoning_tokens": 0},
        }
        return {**usage, "cost": float(self.knobs.cost)} if self.knobs.cost else usage


def _openai_headers(states: dict[str, tuple[int, float]]) -> dict[str, str]:
    found = {}
    for what, (limit, left) in states.items():
        found[f"x-ratelimit-limit-{what}"] = str(limit)
        found[f"x-ratelimit-remaining-{what}"] = str(max(0, int(left)))
        found[f"x-ratelimit-reset-{what}"] = "1m30.5s"
    return found


if __name__ == "__main__":
    main(OpenAIStub())
