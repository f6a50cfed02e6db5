"""What each model accepts of a chat completion request: learnt from its refusals, once.

Models behind one address differ: reasoning models want `max_completion_tokens` and no
temperature, others know no `response_format`, not every JSON Schema, or no system message.
"""

from base64 import b64encode
from enum import StrEnum
from typing import Any

from worker.llm.engine import Message, Request, Trouble
from worker.llm.openai.errors import Said
from worker.llm.refusals import Refusals, schema_key
from worker.llm.turns import turns
from worker.llm.wordings import SCHEMA_REFUSED, SYSTEM_ROLE_REFUSED


class Field(StrEnum):
    """A part of a request that not every model takes."""

    SCHEMA = "response_format"
    MAX_TOKENS = "max_tokens"
    TEMPERATURE = "temperature"
    SYSTEM = "system"


class Dialect:
    """Builds request bodies, and remembers per model what was refused."""

    def __init__(self, *, seeds: bool = False) -> None:
        self.refusals = Refusals()
        self._seeds = seeds
        """Whether draws are told their seed. Not every gateway takes one."""

    def body(self, request: Request) -> dict[str, Any]:
        """The body of a request, in the words that its model has accepted so far."""
        refused = self.refusals
        said = turns(request.messages, system=not refused.holds(request, Field.SYSTEM))
        body: dict[str, Any] = {
            "model": request.model_name,
            "messages": [{"role": turn.role, "content": _content(turn)} for turn in said],
        }
        renamed = refused.holds(request, Field.MAX_TOKENS)
        body["max_completion_tokens" if renamed else "max_tokens"] = request.max_tokens
        if not refused.holds(request, Field.TEMPERATURE):
            body["temperature"] = request.temperature
        if self._seeds and request.temperature > 0:
            body["seed"] = request.seed
        if request.logprobs:
            body["logprobs"] = True
        if request.schema is not None and not refused.holds_schema(request, Field.SCHEMA):
            schema = {"name": "answer", "schema": dict(request.schema), "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return body

    def learn(self, request: Request, sent: dict[str, Any], trouble: Trouble, body: object) -> bool:
        """Whether the error `body` that came for the body `sent` taught something new."""
        what = _refused(request, sent, Said(body)) if trouble is Trouble.BAD_REQUEST else None
        return self.refusals.add(request, what)


def _content(turn: Message) -> str | list[dict[str, Any]]:
    """Words alone, or parts where something is shown."""
    if not turn.images:
        return turn.content
    shown = (b64encode(image).decode() for image in turn.images)
    urls = [
        {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{each}"}}
        for each in shown
    ]
    return [{"type": "text", "text": turn.content}, *urls]


def _refused(request: Request, sent: dict[str, Any], said: Said) -> str | None:
    """The part of what was sent that the server does not take."""
    if "response_format" in sent and SCHEMA_REFUSED.search(said.message):
        return schema_key(request)  # this schema only: the model may take others
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
