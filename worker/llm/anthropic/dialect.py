"""The body of a Messages request, and what each model accepts of it: learnt from refusals, once.

Older models know no structured output, the newest cannot be kept from thinking.
"""

from enum import StrEnum
from typing import Any

from worker.llm.anthropic.schema import compilable
from worker.llm.engine import Message, Request, Trouble
from worker.llm.refusals import Refusals, schema_key
from worker.llm.turns import turns
from worker.llm.wordings import SCHEMA_REFUSED

_CACHED = {"cache_control": {"type": "ephemeral"}}
"""Ends the part of a prompt that is to be read from the cache. What is too short for one is passed
over at no cost (https://platform.claude.com/docs/en/build-with-claude/prompt-caching)."""


class Field(StrEnum):
    """A part of a request that not every model takes."""

    SCHEMA = "output_config"
    THINKING = "thinking"


class Dialect:
    """Builds request bodies, and remembers per model what was refused."""

    def __init__(self) -> None:
        self.refusals = Refusals()

    def body(self, request: Request) -> dict[str, Any]:
        """The body of a request, in the words that its model has accepted so far. It names no
        temperature: the API has none since its version 2026-10-21."""
        body: dict[str, Any] = {
            "model": request.model_name,
            "max_tokens": request.max_tokens,
            **_prompt(request),
        }
        if request.think is False and not self.refusals.holds(request, Field.THINKING):
            body["thinking"] = {"type": "disabled"}
        schema = self._schema(request)
        if schema is not None:
            body["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
        return body

    def learn(self, request: Request, sent: dict[str, Any], trouble: Trouble, said: str) -> bool:
        """Whether an error's text that came for the body `sent` taught something new."""
        what = _refused(request, sent, said) if trouble is Trouble.BAD_REQUEST else None
        return self.refusals.add(request, what)

    def _schema(self, request: Request) -> dict[str, Any] | None:
        if request.schema is None or self.refusals.holds_schema(request, Field.SCHEMA):
            return None
        return compilable(request.schema)


def _refused(request: Request, sent: dict[str, Any], said: str) -> str | None:
    """The part of what was sent that the model does not take."""
    if Field.SCHEMA in sent and SCHEMA_REFUSED.search(said):
        return schema_key(request)  # this schema only: the model may take others
    if Field.SCHEMA in sent and ("output_config" in said or "output format" in said):
        return Field.SCHEMA
    if Field.THINKING in sent and "thinking" in said:
        return Field.THINKING
    return None


def _prompt(request: Request) -> dict[str, Any]:
    """System and turns. The last of them that follows from the prompt's version alone is marked, so
    that all up to it is read from the cache the next time."""
    system = turns(message for message in request.messages if message.role == "system")
    said = turns(message for message in request.messages if message.role != "system")
    fixed = request.messages[: request.fixed]
    kept = turns(message for message in fixed if message.role != "system")
    # a turn that others go on with is not the same any more
    marked = sum(mine == theirs for mine, theirs in zip(kept, said, strict=False))
    messages = [_turn(turn, cached=place == marked) for place, turn in enumerate(said, 1)]
    if not system:
        return {"messages": messages}
    cached = bool(fixed) and not marked
    return {"system": [_block(system[0].content, cached=cached)], "messages": messages}


def _turn(turn: Message, *, cached: bool) -> dict[str, Any]:
    return {"role": turn.role, "content": [_block(turn.content, cached=cached)]}


def _block(text: str, *, cached: bool) -> dict[str, Any]:
    return {"type": "text", "text": text, **(_CACHED if cached else {})}
