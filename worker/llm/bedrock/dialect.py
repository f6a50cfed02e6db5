"""What a Converse request says, and what of it each model takes: learnt from refusals, once.

Converse is one API over many makers' models. Some know no schema (`outputConfig`), no temperature,
or no system prompts. Pure but for what is remembered.
"""

import json
import re
from enum import StrEnum
from typing import Any

from worker.llm.bedrock.errors import Said
from worker.llm.engine import Request, Trouble
from worker.llm.refusals import Refusals, schema_key
from worker.llm.turns import turns
from worker.llm.wordings import SCHEMA_REFUSED, SYSTEM_ROLE_REFUSED

_ABOUT_SCHEMAS = re.compile(r"output_?config|text_?format|json_?schema|structured output", re.I)
"""Converse names its own field; Claude behind it says `output_config.format`."""


class Field(StrEnum):
    """A part of a request that not every model takes."""

    SCHEMA = "outputConfig"
    TEMPERATURE = "temperature"
    SYSTEM = "system"


class Dialect:
    """Builds request bodies, and remembers per model what was refused."""

    def __init__(self) -> None:
        self.refusals = Refusals()

    def body(self, request: Request) -> dict[str, Any]:
        """The body of a request, as its model has accepted it so far."""
        refused = self.refusals
        said = turns(request.messages, system=not refused.holds(request, Field.SYSTEM))
        limits: dict[str, Any] = {"maxTokens": request.max_tokens}
        if not refused.holds(request, Field.TEMPERATURE):
            limits["temperature"] = request.temperature
        body: dict[str, Any] = {
            "messages": [
                {"role": turn.role, "content": [{"text": turn.content}]}
                for turn in said
                if turn.role != "system"
            ],
            "inferenceConfig": limits,
        }
        if system := [{"text": turn.content} for turn in said if turn.role == "system"]:
            body["system"] = system
        if request.schema is not None and not refused.holds_schema(request, Field.SCHEMA):
            schema = json.dumps(dict(request.schema), ensure_ascii=False)
            structure = {"jsonSchema": {"name": "answer", "schema": schema}}
            body["outputConfig"] = {"textFormat": {"type": "json_schema", "structure": structure}}
        return body

    def learn(self, request: Request, sent: dict[str, Any], trouble: Trouble, said: Said) -> bool:
        """Whether the refusal of the body `sent` taught something new."""
        what = _refused(request, sent, said.message) if trouble is Trouble.BAD_REQUEST else None
        return self.refusals.add(request, what)


def _refused(request: Request, sent: dict[str, Any], said: str) -> str | None:
    """The part of what was sent that the model does not take."""
    if "outputConfig" in sent and SCHEMA_REFUSED.search(said):
        return schema_key(request)  # this schema only: the model may take others
    if "outputConfig" in sent and _ABOUT_SCHEMAS.search(said):
        return Field.SCHEMA
    if "temperature" in sent["inferenceConfig"] and "temperature" in said:
        return Field.TEMPERATURE
    if "system" in sent and SYSTEM_ROLE_REFUSED.search(said):
        return Field.SYSTEM
    return None
