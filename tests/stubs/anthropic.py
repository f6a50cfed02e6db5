"""Anthropic's Messages API on loopback. Its base URL is `url`; see server.py."""

import itertools
import json
from collections.abc import Iterator
from typing import Any, ClassVar

from aiohttp import web

from tests.stubs.anthropic_batches import ROOT, MessageBatches
from tests.stubs.batches import Asked, Worked
from tests.stubs.broken import Fault
from tests.stubs.knobs import AnthropicKnobs
from tests.stubs.limits import anthropic_headers
from tests.stubs.process import main
from tests.stubs.record import Prompt, hash_of
from tests.stubs.server import Stub

VERSION = "2026-10-21"
KNOWN = {"model", "max_tokens", "messages", "system", "thinking", "output_config"}
MOST_UNIONS = 16
BOUNDS = {"minimum", "maximum", "minLength", "maxLength", "maxItems", "pattern", "prefixItems"}


def _error(status: int, kind: str, message: str, *, code: str = "", **headers: str) -> Fault:
    error = {"type": kind, "message": message, "details": {"error_code": code} if code else None}
    body = {"type": "error", "error": error, "request_id": "req_1"}
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Fault(status, body, named, late=status in (500, 504))


def _bad(message: str) -> Fault:
    return _error(400, "invalid_request_error", message)


def _message(stop_reason: str, *content: dict[str, Any], **more: Any) -> Fault:
    usage = {"input_tokens": 7, "output_tokens": 3}
    body = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "usage": usage}
    body |= {"content": content, "stop_reason": stop_reason, **more}
    return Fault(200, body, late=True, billed=True)


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


class AnthropicStub(Stub):
    """Messages, models, the prompt cache and the faults of Anthropic's API."""

    knobs: AnthropicKnobs
    faults: ClassVar[dict[str, Fault]] = {
        "400": _bad("messages.0.content.0: odd"),
        "401": _error(401, "authentication_error", "invalid x-api-key"),
        "403": _error(403, "permission_error", "Your API key does not have permission"),
        "402": _error(402, "billing_error", "There is an issue with your payment information"),
        "404": _error(404, "not_found_error", "model: unheard-of"),
        "path": _error(404, "not_found_error", "Not Found"),
        "413": _error(413, "request_too_large", "Request exceeds the maximum size"),
        "429": _error(
            429, "rate_limit_error", "This request would exceed the rate limit", retry_after="0.1"
        ),
        "spend": _error(
            429, "rate_limit_error", "limit reached", code="enforced_spend_limit_reached"
        ),
        "own_spend": _bad(
            "You have reached your specified API usage limits. You will regain access on 2027-01-01"
        ),
        "credit": _bad("Your credit balance is too low to access the Anthropic API."),
        "on_hold": _error(
            400, "invalid_request_error", "This organization", code="organization_on_hold"
        ),
        "context": _bad("prompt is too long: 210000 tokens > 200000 maximum"),
        "room": _bad("input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000"),
        "max_tokens": _bad(
            "max_tokens: 100000 > 64000, which is the maximum allowed number of output tokens"
        ),
        "filter": Fault(
            400,
            _bad("Output blocked by content filtering policy").body,
            late=True,
            billed=True,
        ),
        "500": _error(500, "api_error", "Internal server error"),
        "503": _error(503, "api_error", "Service unavailable"),
        "504": _error(504, "timeout_error", "Request timed out"),
        "529": _error(529, "overloaded_error", "Overloaded"),
        "307": Fault(307, "elsewhere", (("location", "http://127.0.0.1:9/v1/"),)),
        "html": Fault(200, "<html>login</html>", late=True),
        "error200": Fault(200, _error(200, "overloaded_error", "Overloaded").body, late=True),
        "no_content": Fault(200, {"type": "message", "content": None}, late=True, billed=True),
        "refusal": _message(
            "refusal", stop_details={"type": "refusal", "explanation": "I cannot."}
        ),
        "refusal_late": _message("refusal", _text("par")),
        "window": _message("model_context_window_exceeded", _text("par")),
        "stop_sequence": _message("stop_sequence", _text("hi")),
        "no_text": _message("end_turn"),
        "parts": _message(
            "end_turn", {"type": "thinking", "thinking": "hm"}, _text("h"), _text("i")
        ),
    }

    def __init__(self, **knobs: Any) -> None:
        super().__init__(AnthropicKnobs(), **knobs)
        self._numbers = itertools.count(1)
        self._cached: set[str] = set()
        self._batch_api = MessageBatches(self.batches, self.knobs, self._answered_later)

    async def route(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path.startswith(ROOT):
            refusal = self._stranger(request)
            return (
                self._failed(request, refusal) if refusal else await self._batch_api.route(request)
            )
        if request.path == "/v1/messages":
            return await self.answer(self._prompt(await request.json()), request)
        if request.path == "/v1/models":
            data = [{"type": "model", "id": name} for name in self.knobs.models]
            return web.json_response({"data": data, "has_more": False})
        return self._failed(request, self.faults["path"])

    def _answered_later(self, request: web.BaseRequest, asked: Asked, fault: str) -> Worked:
        return self.worked(self._prompt(asked.body), request, fault)

    def _prompt(self, body: dict[str, Any]) -> Prompt:
        texts = [block["text"] for block in _blocks(body)]
        form = body.get("output_config", {}).get("format", {})
        read = sum(map(self.tokens, texts))
        return Prompt(
            body["model"], texts, None, body["max_tokens"], form.get("schema"), read, body
        )

    def refused(self, prompt: Prompt, request: web.BaseRequest) -> Fault | None:
        knobs = self.knobs
        if refusal := self._stranger(request):
            return refusal
        if knobs.models and prompt.model not in knobs.models:
            return self.faults["404"]
        if knobs.context and prompt.input_tokens > knobs.context:
            return self.faults["context"]
        said = self._wrong(prompt.body)
        return _bad(said) if said else None

    def _stranger(self, request: web.BaseRequest) -> Fault | None:
        """What is said to who has no key, or speaks another version."""
        key = self.knobs.api_key
        if key and request.headers.get("Authorization") != f"Bearer {key}":
            return self.faults["401"]
        known = request.headers.get("anthropic-version") == VERSION
        return None if known else _bad(f"anthropic-version: {VERSION} is required")

    def _wrong(self, body: dict[str, Any]) -> str:
        """What the API would say of a body that is not as it wants it."""
        if unknown := body.keys() - KNOWN:
            return f"{unknown.pop()}: Extra inputs are not permitted"
        roles = [message["role"] for message in body["messages"]]
        if roles != [("user", "assistant")[place % 2] for place in range(len(roles))] or not roles:
            return "messages: roles must alternate, and the first must be user"
        if not all(block["text"].strip() for block in _blocks(body)):
            return "messages: text content blocks must contain non-whitespace text"
        if "thinking" in body and body["model"] in self.knobs.thinking_models:
            return '"thinking.type.disabled" is not supported for this model. Thinking defaults to '
        if "output_config" in body and body["model"] in self.knobs.no_schema_models:
            return "output_config.format: Extra inputs are not permitted"
        schema = body.get("output_config", {}).get("format", {}).get("schema")
        return _wrong_schema(schema) if schema is not None else ""

    def headers(self) -> dict[str, str]:
        limits = {"requests": (50, 49.0), "input-tokens": (30_000, 29_000.0)}
        return anthropic_headers(limits) if self.knobs.rate_headers else {}

    def reply(self, prompt: Prompt, text: str, tokens: int, cut: bool) -> dict[str, Any]:
        body = {
            "id": f"msg_{next(self._numbers)}",
            "type": "message",
            "role": "assistant",
            "model": prompt.model,
            "content": [_text(text)],
            "stop_reason": "max_tokens" if cut else "end_turn",
            "stop_sequence": None,
        }
        if self.knobs.usage:
            body["usage"] = self._usage(prompt, tokens)
        return body

    def _usage(self, prompt: Prompt, written: int) -> dict[str, Any]:
        """Up to the last marked block a prompt is read from the cache, or written into it."""
        blocks = _blocks(prompt.body)
        marked = max((n for n, one in enumerate(blocks, 1) if "cache_control" in one), default=0)
        front = [block["text"] for block in blocks[:marked]]
        size = sum(map(self.tokens, front))
        if size < self.knobs.least_cached:
            size = 0
        key = hash_of([prompt.model, json.dumps(prompt.schema), *front])
        known = key in self._cached
        self._cached.add(key)
        return {
            "input_tokens": prompt.input_tokens - size,
            "cache_read_input_tokens": size if known else 0,
            "cache_creation_input_tokens": 0 if known else size,
            "output_tokens": written,
            "output_tokens_details": {"thinking_tokens": 0},
        }


def _blocks(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The text blocks of a prompt, in the order in which the model reads them."""
    turns = [block for message in body["messages"] for block in message["content"]]
    return [*body.get("system", []), *turns]


def _wrong_schema(schema: Any) -> str:
    """What is refused of a schema, as the API words it."""
    where = "output_config.format.schema"
    if isinstance(schema, list):
        return next(filter(None, map(_wrong_schema, schema)), "")
    if not isinstance(schema, dict):
        return ""
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        return f"{where}: For 'object' type, 'additionalProperties' must be explicitly set to false"
    if unknown := schema.keys() & BOUNDS:
        return f"{where}: property '{unknown.pop()}' is not supported"
    inner = [*schema.get("properties", {}).values(), schema.get("items"), schema.get("anyOf")]
    unions = [one for one in _schemas(schema) if isinstance(one.get("type"), list)]
    if len(unions) > MOST_UNIONS:
        return f"Schemas contains too many parameters with union types ({len(unions)} parameters"
    return _wrong_schema(inner)


def _schemas(value: Any) -> Iterator[dict[str, Any]]:
    """A schema and all that stand in it."""
    if isinstance(value, dict):
        yield value
    for each in value.values() if isinstance(value, dict) else value:
        if isinstance(each, dict | list):
            yield from _schemas(each)


if __name__ == "__main__":
    main(AnthropicStub())
