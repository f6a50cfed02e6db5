"""What each model on Replicate takes, and a prompt in those words. Pure.

Every model names its inputs as it likes. Most have `prompt`, `system_prompt`, `max_tokens` and
`temperature`; some want `messages`, or `max_new_tokens`, or take a `seed`. Replicate drops an input
that a model does not know without a word (replicate/cog#2943), or refuses it with 422. So the
model's own schema is read first, and a refusal corrects what was read.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, Self

from worker.llm.engine import Message, Request

_TEXT = ("messages", "prompt")
_LIMITS = ("max_tokens", "max_new_tokens", "max_completion_tokens")
"""The output limit by its names, the usual one first."""

_KNOWN = frozenset({*_TEXT, *_LIMITS, "system_prompt", "temperature", "seed"})
_INSTEAD = {"prompt": "messages", "max_tokens": "max_new_tokens"}
"""What may be meant where the usual name is refused."""

_REFUSED = re.compile(
    r"additional property '?(\w+)'? is not allowed|unexpected field '(\w+)'", re.IGNORECASE
)
_WANTED = re.compile(r"\b(\w+) is required", re.IGNORECASE)
_LEAST = re.compile(r"temperature\b.{0,20}greater than or equal to (\d+(?:\.\d+)?)", re.IGNORECASE)
_SPEAKER = {"system": "System", "user": "User", "assistant": "Assistant"}


@dataclass(frozen=True, slots=True)
class Takes:
    """The inputs of one model."""

    names: frozenset[str]
    refused: frozenset[str] = frozenset()
    """Names that it does not know by its own word."""
    least_temperature: float = 0.0

    @property
    def reads_text(self) -> bool:
        """Whether it takes a prompt at all."""
        return not self.names.isdisjoint(_TEXT)

    def input(self, request: Request) -> dict[str, Any]:
        """The `input` of a prediction."""
        body = self._prompt(request.messages)
        limit = next((name for name in _LIMITS if name in self.names), None)
        if limit is not None:
            body[limit] = request.max_tokens
        if "temperature" in self.names:
            body["temperature"] = max(request.temperature, self.least_temperature)
        if "seed" in self.names:
            body["seed"] = request.seed
        return body

    def _prompt(self, messages: tuple[Message, ...]) -> dict[str, Any]:
        if "messages" in self.names:
            return {"messages": [{"role": m.role, "content": m.content} for m in messages]}
        apart = "system_prompt" in self.names
        system = [m.content for m in messages if apart and m.role == "system"]
        turns = [m for m in messages if not (apart and m.role == "system")]
        body = {"prompt": _script(turns)}
        return {**body, "system_prompt": "\n\n".join(system)} if system else body

    def corrected(self, refusal: str) -> Self | None:
        """What a refusal teaches; None: nothing that is new. Each refused name stays refused, so
        asking again comes to an end."""
        unknown = {one or other for one, other in _REFUSED.findall(refusal)}
        refused = self.refused | (unknown & _KNOWN)
        wanted = {_INSTEAD[name] for name in unknown & _INSTEAD.keys()}
        wanted |= {name for name in _WANTED.findall(refusal) if name in _TEXT}
        least = _LEAST.search(refusal)
        warmth = float(least[1]) if least is not None else self.least_temperature
        found = type(self)((self.names | wanted) - refused, refused, warmth)
        return None if found == self else found


USUAL = Takes(frozenset({"prompt", "system_prompt", "max_tokens", "temperature"}))
"""Of a model whose schema cannot be read."""


def takes_in(content: bytes) -> Takes:
    """What a model takes, by the description of itself or of its version."""
    fields = _fields(content)
    if not fields:
        return USUAL
    names = {name for name, field in fields.items() if name in _KNOWN and _fits(name, field)}
    least = _object(fields.get("temperature")).get("minimum")
    return Takes(frozenset(names), least_temperature=least if isinstance(least, int | float) else 0)


def _fits(name: str, field: object) -> bool:
    # Some take a conversation as a text of their own making.
    return name != "messages" or _object(field).get("type") == "array"


def _fields(content: bytes) -> dict[str, Any]:
    try:
        found = _object(json.loads(content))
    except (ValueError, RecursionError):
        return {}
    schema = found.get("openapi_schema") or _object(found.get("latest_version")).get(
        "openapi_schema"
    )
    for part in ("components", "schemas", "Input", "properties"):
        schema = _object(schema).get(part)
    return _object(schema)


def _script(turns: list[Message]) -> str:
    """A conversation for a model that takes one text."""
    if all(turn.role != "assistant" for turn in turns):
        return "\n\n".join(turn.content for turn in turns)
    lines = [f"{_SPEAKER[turn.role]}: {turn.content}" for turn in turns]
    return "\n\n".join([*lines, "Assistant:"])


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
