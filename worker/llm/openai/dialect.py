"""What each model accepts of a chat completion request: learnt from its refusals, once.

Models behind one address differ: reasoning models want `max_completion_tokens` and no
temperature, others know no `response_format`, not every JSON Schema, or no system message. The
schema stands in the prompt as well, so leaving it out of the request loses a guard and not the
instruction.
"""

import hashlib
from dataclasses import replace
from enum import StrEnum
from typing import Any

from worker.jsonb import canonical
from worker.llm.engine import Message, Request, Trouble
from worker.llm.openai.errors import Said
from worker.llm.wordings import SCHEMA_REFUSED, SYSTEM_ROLE_REFUSED

_MOST = 10_000
"""Refusals that are remembered; each schema is one. All are forgotten beyond, and learnt anew."""


class Field(StrEnum):
    """A part of a request that not every model takes."""

    SCHEMA = "response_format"
    MAX_TOKENS = "max_tokens"
    TEMPERATURE = "temperature"
    SYSTEM = "system"


class Dialect:
    """Builds request bodies, and remembers per model what was refused."""

    def __init__(self) -> None:
        self._refused: set[tuple[str, str]] = set()

    def body(self, request: Request) -> dict[str, Any]:
        """The body of a request, in the words that its model has accepted so far."""
        turns = _turns(request.messages, system=not self._refuses(request, Field.SYSTEM))
        body: dict[str, Any] = {
            "model": request.model_name,
            "messages": [{"role": turn.role, "content": turn.content} for turn in turns],
        }
        renamed = self._refuses(request, Field.MAX_TOKENS)
        body["max_completion_tokens" if renamed else "max_tokens"] = request.max_tokens
        if not self._refuses(request, Field.TEMPERATURE):
            body["temperature"] = request.temperature
        if request.schema is not None and not self._refuses_schema(request):
            schema = {"name": "answer", "schema": dict(request.schema), "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return body

    def learn(self, request: Request, sent: dict[str, Any], trouble: Trouble, body: object) -> bool:
        """Whether the error `body` that came for the body `sent` taught something new.

        If so, a body built anew leaves out what was refused, and asking again makes sense.
        """
        if trouble is not Trouble.BAD_REQUEST:
            return False
        what = _refused(request, sent, Said(body))
        if what is None:
            return False
        if len(self._refused) >= _MOST:
            self._refused.clear()
        self._refused.add((request.model_name, what))
        return True

    def _refuses(self, request: Request, what: str) -> bool:
        return (request.model_name, what) in self._refused

    def _refuses_schema(self, request: Request) -> bool:
        if not self._refused:
            return False
        return self._refuses(request, Field.SCHEMA) or self._refuses(request, _schema_key(request))


def _refused(request: Request, sent: dict[str, Any], said: Said) -> str | None:
    """The part of what was sent that the server does not take."""
    if "response_format" in sent and SCHEMA_REFUSED.search(said.message):
        return _schema_key(request)  # this schema only: the model may take others
    if "response_format" in sent and said.names(
        "response_format", "response format", "json_schema"
    ):
        return Field.SCHEMA
    if "max_tokens" in sent and said.names("max_completion_tokens"):
        return Field.MAX_TOKENS
    if "temperature" in sent and said.names("temperature"):
        return Field.TEMPERATURE
    system = any(turn["role"] == "system" for turn in sent["messages"])
    if system and SYSTEM_ROLE_REFUSED.search(said.message):
        return Field.SYSTEM
    return None


def _schema_key(request: Request) -> str:
    return hashlib.sha256(canonical(request.schema)).hexdigest()


def _turns(messages: tuple[Message, ...], *, system: bool) -> list[Message]:
    """What is said, in turns: nothing empty (Anthropic refuses that), no role twice in a row (Gemma
    and Mistral do), and without a system message as part of the first user's words."""
    turns: list[Message] = []
    for message in messages:
        role = "user" if message.role == "system" and not system else message.role
        if not message.content.strip():
            continue
        if turns and turns[-1].role == role:
            turns[-1] = replace(turns[-1], content=f"{turns[-1].content}\n\n{message.content}")
        else:
            turns.append(Message(role, message.content))
    return turns
