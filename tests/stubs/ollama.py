"""An Ollama server on loopback; see server.py."""

import asyncio
import json
from typing import Any, ClassVar

import orjson
from aiohttp import web

from tests.stubs.broken import Fault
from tests.stubs.knobs import OllamaKnobs
from tests.stubs.process import main
from tests.stubs.record import Prompt
from tests.stubs.server import Stub

VERSION = "0.33.0"
_MOMENT = "2026-08-21T12:00:00.000000000Z"
_DETAILS = {
    "parent_model": "",
    "format": "gguf",
    "family": "gemma3",
    "families": ["gemma3"],
    "parameter_size": "268.10M",
    "quantization_level": "Q4_K_M",
}
_TOO_LONG = (
    "the prompt is longer than the context length currently available to the model; "
    "reduce the prompt or increase the context length"
)
_UNFINISHED = {
    "model": "m",
    "created_at": _MOMENT,
    "message": {"role": "assistant", "content": "x"},
}


def _error(status: int, text: str, *, late: bool = False) -> Fault:
    return Fault(status, {"error": text}, late=late)


def _says(text: str, reason: str = "stop") -> Fault:
    """An answer that is none, and whole all the same to whoever looks at the status alone."""
    counts = {"prompt_eval_count": 9, "prompt_eval_duration": 1, "eval_count": 9}
    ended = {"done": True, "done_reason": reason, "total_duration": 2, "eval_duration": 1, **counts}
    message = {"role": "assistant", "content": text}
    return Fault(200, {**_UNFINISHED, "message": message, **ended}, late=True, billed=True)


class OllamaStub(Stub):
    """`/api/chat` with its scheduler (loads, reloads, eviction), and the listings."""

    knobs: OllamaKnobs
    faults: ClassVar[dict[str, Fault]] = {
        "503": _error(503, "server busy, please try again.  maximum pending requests exceeded"),
        "500": _error(500, "something went wrong", late=True),
        "died": _error(
            500,
            "model runner has unexpectedly stopped, this may be due to resource limitations",
            late=True,
        ),
        "502": _error(502, "bad gateway", late=True),
        "499": _error(499, "request canceled"),
        "format": _error(500, 'invalid format: "x"; expected "json" or a valid JSON Schema object'),
        "400": _error(400, "missing request body"),
        "no_chat": _error(400, '"m" does not support chat'),
        "memory": _error(
            500, "model requires more system memory (5.6 GiB) than is available (2.1 GiB)"
        ),
        "unknown_host": Fault(403, ""),
        "401": _error(401, "unauthorized"),
        "403": _error(403, "forbidden"),
        "404": _error(404, "model 'm' not found"),
        "429": Fault(429, {"error": "rate limited"}, (("retry-after", "0.1"),)),
        "context_text": _error(400, _TOO_LONG),
        "error200": Fault(
            200,
            {"error": "an error was encountered while running the model"},
            late=True,
            billed=True,
        ),
        "loop": Fault(200, {**_UNFINISHED, "done": False}, late=True, billed=True),
        "no_metrics": Fault(200, {**_UNFINISHED, "done": True, "done_reason": "stop"}, late=True),
        "loaded": Fault(
            200,
            {**_UNFINISHED, "done": True, "done_reason": "load", "total_duration": 1},
            late=True,
        ),
        "no_message": Fault(
            200, {"done": True, "done_reason": "stop", "total_duration": 1}, late=True
        ),
        "prose": _says("The letter is from Asha, who lives in Pune."),
        "echo": _says('{"sender": "string or null", "city": "string or null"}'),
        "names": _says('{"sender": "sender", "city": "city"}'),
        "copied": _says('{"sender": "The Green Circle", "city": null}'),
        "other_schema": _says('{"name": "Asha"}'),
        "empty": _says(""),
        "thinks": _says("<think>The sender may be Asha. But"),
        "thinks_in_vain": _says("<think>It may be Asha.</think>"),
        "runs_away": _says('{"sender": "' + "Pune, " * 60 + "Pune", "length"),
        "white_space": _says('{"sender": "Asha"' + "\n\t" * 80, "length"),
        "empty_at_the_limit": _says("", "length"),
        "html": Fault(200, "<html>login</html>", late=True),
        "array": Fault(200, [], late=True),
    }

    def __init__(self, **knobs: Any) -> None:
        super().__init__(OllamaKnobs(), **knobs)
        self._loaded: dict[str, int] = {}  # model -> num_ctx, used longest ago first
        self._load = asyncio.Lock()
        self._pending = 0

    async def route(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path
        if path == "/api/chat":
            return await self.answer(self._prompt(orjson.loads(await request.read())), request)
        if path == "/api/show":
            return self._show((await request.json()).get("model", ""))
        listings: dict[str, Any] = {
            "/api/version": {"version": VERSION},
            "/api/tags": {"models": [self._listed(name) for name in self.knobs.models]},
            "/api/ps": {"models": [self._running(name) for name in self._loaded]},
        }
        if path in listings:
            return web.json_response(listings[path])
        return web.Response(status=200 if path == "/" else 404, text="Ollama is running")

    def _words(self, prompt: Prompt) -> str:
        drawn = self.knobs.ignores_seed and prompt.body["options"]["temperature"] > 0
        said = super()._words(prompt)
        return f"{said} {self._random.random()}" if drawn and prompt.schema is None else said

    def _prompt(self, body: dict[str, Any]) -> Prompt:
        texts = [message["content"] for message in body["messages"]]
        limit = body.get("options", {}).get("num_predict", 4096)
        if self.knobs.drops_system and body["messages"][0]["role"] == "system":
            texts = texts[1:]
        schema = body.get("format")
        if self.knobs.ignores_format or (self.knobs.needs_thinking and "think" in body):
            schema = None
        return Prompt(body["model"], texts, None, limit, schema, sum(map(self.tokens, texts)), body)

    def refused(self, prompt: Prompt, request: web.BaseRequest) -> Fault | None:
        knobs = self.knobs
        if knobs.models and prompt.model not in knobs.models:
            return _error(404, f"model '{prompt.model}' not found")
        if knobs.refuses_format and "format" in prompt.body:
            return self.faults["format"]
        if prompt.input_tokens <= self._num_ctx(prompt) or knobs.truncation in ("half", "full"):
            return self._queue_full(prompt)
        if knobs.truncation == "reject_text":
            return _error(400, _TOO_LONG)
        return _error(400, _too_long(prompt.input_tokens, self._num_ctx(prompt)))

    def _queue_full(self, prompt: Prompt) -> Fault | None:
        fits = self._loaded.get(prompt.model) == self._num_ctx(prompt)
        return None if fits or self._pending < self.knobs.max_queue else self.faults["503"]

    async def before(self, prompt: Prompt) -> Fault | None:
        downs = self.downs
        if self._loaded.get(prompt.model) != self._num_ctx(prompt):
            await self._scheduled(prompt)
        if self.downs > downs:
            await asyncio.Event().wait()  # it went down with the server that it had come to
        if self.knobs.deadly and any(self.knobs.deadly in text for text in prompt.texts):
            self.record.deaths += 1
            await self.go_down(self.knobs.down_s)
        if prompt.model in self._loaded:  # now the one used last
            self._loaded[prompt.model] = self._loaded.pop(prompt.model)
        return None

    async def _scheduled(self, prompt: Prompt) -> None:
        self._pending += 1
        try:
            async with self._load:
                if self._loaded.get(prompt.model) == self._num_ctx(prompt):
                    return  # another request has loaded it meanwhile
                self.record.loads += 1
                self.record.reloads += prompt.model in self._loaded
                await asyncio.sleep(self.knobs.load_delay)
                self._loaded.pop(prompt.model, None)
                self._loaded[prompt.model] = self._num_ctx(prompt)
                while len(self._loaded) > self.knobs.max_loaded:
                    self._loaded.pop(next(iter(self._loaded)))
        finally:
            self._pending -= 1

    def reply(self, prompt: Prompt, text: str, tokens: int, cut: bool) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": prompt.model,
            "created_at": _MOMENT,
            "message": {"role": "assistant", "content": text},
            "done": True,
            "done_reason": "length" if cut else "stop",
            "total_duration": 600_000_000,
            "load_duration": 1_000_000,
            "prompt_eval_duration": 125_000_000,
            "eval_duration": 375_000_000,
        }
        if self.knobs.logprobs and prompt.body.get("logprobs"):
            body["logprobs"] = [{"token": text[:4], "logprob": -0.1}]
        if self.knobs.usage:
            body |= {"prompt_eval_count": self._read(prompt), "eval_count": tokens}
        return body

    def _num_ctx(self, prompt: Prompt) -> int:
        asked = int(prompt.body.get("options", {}).get("num_ctx", 4096))
        return min(asked, self.knobs.context_length)

    def _read(self, prompt: Prompt) -> int:
        window = self._num_ctx(prompt)
        if prompt.input_tokens <= window:
            return prompt.input_tokens
        return window // 2 + 2 if self.knobs.truncation == "half" else window

    def _listed(self, name: str) -> dict[str, Any]:
        same = {"modified_at": _MOMENT, "size": 241_410_208, "digest": "0" * 64}
        return {"name": name, "model": name, **same, "details": _DETAILS}

    def _running(self, name: str) -> dict[str, Any]:
        here = {"expires_at": _MOMENT, "size_vram": 0, "context_length": self._loaded[name]}
        return {**self._listed(name), **here}

    def _show(self, name: str) -> web.Response:
        if name not in self.knobs.models:
            return web.json_response({"error": f"model '{name}' not found"}, status=404)
        window = self.knobs.context_length
        info = {"general.architecture": "gemma3", "gemma3.context_length": window}
        template = self.knobs.template
        words = {"license": "", "modelfile": "", "parameters": "", "template": template}
        able = ["completion", *(["vision"] if self.knobs.vision else [])]
        more = {"capabilities": able, "modified_at": _MOMENT}
        return web.json_response({**words, "details": _DETAILS, "model_info": info, **more})


def _too_long(tokens: int, window: int) -> str:
    """llama-server's error as Ollama passes it on: JSON in a string."""
    said = (
        f"request ({tokens} tokens) exceeds the available context size ({window} tokens), "
        "try increasing it"
    )
    inner = {"code": 400, "message": said, "type": "exceed_context_size_error"}
    return json.dumps({"error": {**inner, "n_prompt_tokens": tokens, "n_ctx": window}})


if __name__ == "__main__":
    main(OllamaStub())
