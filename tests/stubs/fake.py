"""An engine without a model: deterministic answers, for tests of what stands around engines."""

import asyncio
import json
import re
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn
from zlib import crc32

from worker.llm.engine import Completion, EngineError, Finish, Health, Request, Trouble, Usage

_WORD = re.compile(r"\w+")
_TAIL_CHARS = 2000  # as much of a prompt as answers are made of


@dataclass(frozen=True)
class Hang:
    """In a script: the call is never answered."""


@dataclass
class FakeEngine:
    """Answers from a script, then with made-up answers that fit the schema.

    `script` holds what the next calls get, in order: a text, a Completion, an EngineError that
    is raised, or Hang. `delay_s` is the time of every call in seconds. `requests` keeps every
    Request that arrived; `in_flight` and `most_in_flight` count them while they run.
    """

    script: deque[str | Completion | EngineError | Hang] = field(default_factory=deque)
    models: tuple[str, ...] = ("fake",)
    delay_s: float = 0.0
    timeout_s: float = 600.0
    reports_usage: bool = True
    requests: list[Request] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    closed: bool = False

    async def complete(self, request: Request) -> Completion:
        """Answer one prompt. Raises the EngineError whose turn it is in the script."""
        if self.closed:
            raise EngineError(Trouble.UNAVAILABLE, "fake: this engine has been closed")
        self.requests.append(request)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return await self._answer(request)
        finally:
            self.in_flight -= 1

    async def health(self) -> Health:
        """Always well until closed."""
        return Health(ok=not self.closed, detail="fake", models=self.models, version="0")

    async def close(self) -> None:
        """Answer nothing from now on."""
        self.closed = True

    async def _answer(self, request: Request) -> Completion:
        if request.model_name not in self.models:
            raise EngineError(Trouble.MODEL_NOT_FOUND, f"fake: no model {request.model_name!r}")
        turn = self.script.popleft() if self.script else made_up_text(request)
        if isinstance(turn, Hang):
            await self._time_out()
        await asyncio.sleep(self.delay_s)
        if isinstance(turn, EngineError):
            raise turn
        return self._completion(request, turn) if isinstance(turn, str) else turn

    async def _time_out(self) -> NoReturn:
        await asyncio.sleep(self.timeout_s)
        raise EngineError(Trouble.TIMEOUT, "fake: no answer in time", maybe_billed=True)

    def _completion(self, request: Request, text: str) -> Completion:
        words = text.split(" ")
        cut = len(words) > request.max_tokens
        words = words[: request.max_tokens]
        read = sum(len(message.content.split()) for message in request.messages)
        usage = Usage(input_tokens=read, output_tokens=len(words))
        return Completion(
            text=" ".join(words),
            finish=Finish.LENGTH if cut else Finish.STOP,
            latency_ms=round(self.delay_s * 1000),
            usage=usage if self.reports_usage else Usage(),
            model_answered=request.model_name,
        )


def made_up_text(request: Request) -> str:
    """The made-up answer to a request: JSON where it has a schema, else words of the prompt."""
    prompt = request.messages[-1].content if request.messages else ""
    if request.schema is None:
        return " ".join(prompt_words(prompt)[-12:])
    return json.dumps(made_up(request.schema, prompt), ensure_ascii=False)


def prompt_words(prompt: str) -> list[str]:
    """The words near the end of a prompt, where the document's text stands."""
    text = prompt.rpartition("Text:\n")[2]  # what stands before it are words of the form
    return _WORD.findall(text[-_TAIL_CHARS:]) or ["nothing"]


def made_up(schema: Mapping[str, Any], prompt: str) -> Any:
    """A value that fits a JSON Schema, the same for the same prompt; texts are the prompt's words.

    Known: type, enum, const, anyOf, oneOf, allOf, $ref to $defs, properties, items, minItems,
    minimum, maximum, minLength, maxLength and the formats date and date-time.
    """
    return _Maker(schema, prompt).value(schema, "$")


class _Maker:
    def __init__(self, root: Mapping[str, Any], prompt: str) -> None:
        self._root = root
        self._words = prompt_words(prompt)
        self._seed = crc32(prompt.encode("utf-8", "replace"))

    def value(self, schema: Mapping[str, Any], path: str) -> Any:
        schema = self._resolved(schema)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._pick(schema["enum"], path)
        for choice in ("anyOf", "oneOf"):
            if choice in schema:
                return self.value(self._pick(schema[choice], path), path)
        return self._typed(schema, self._type(schema, path), path)

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in schema:
            target: Any = self._root
            for step in str(schema["$ref"]).removeprefix("#/").split("/"):
                target = target[step]
            schema = target
        for part in schema.get("allOf", ()):
            schema = {**schema, **self._resolved(part)}
        return schema

    def _type(self, schema: Mapping[str, Any], path: str) -> str:
        named = schema.get("type", "object" if "properties" in schema else "string")
        return str(named if isinstance(named, str) else self._pick(named, path))

    def _typed(self, schema: Mapping[str, Any], kind: str, path: str) -> Any:
        if kind == "object":
            fields = schema.get("properties", {})
            return {name: self.value(part, f"{path}.{name}") for name, part in fields.items()}
        if kind == "array":
            count = max(1, schema.get("minItems", 1))
            return [self.value(schema.get("items", {}), f"{path}[{i}]") for i in range(count)]
        if kind in ("integer", "number"):
            return self._number(schema, path)
        if kind == "boolean":
            return bool(self._hash(path) % 2)
        return None if kind == "null" else self._text(schema, path)

    def _number(self, schema: Mapping[str, Any], path: str) -> int:
        low = int(schema.get("minimum", 0))
        high = int(schema.get("maximum", low + 100))
        return low + self._hash(path) % (high - low + 1)

    def _text(self, schema: Mapping[str, Any], path: str) -> str:
        formats = {"date": "2024-01-31", "date-time": "2024-01-31T12:00:00Z"}
        if schema.get("format") in formats:
            return formats[schema["format"]]
        start = self._hash(path) % len(self._words)
        text = " ".join(self._words[start : start + 2])
        return text.ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength")]

    def _pick(self, choices: Iterable[Any], path: str) -> Any:
        listed = list(choices)
        return listed[self._hash(path) % len(listed)]

    def _hash(self, path: str) -> int:
        return crc32(path.encode(), self._seed)
