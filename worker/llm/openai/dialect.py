"""What each model accepts of a chat completion request: learnt from its refusals, once.

Models behind one address differ: reasoning models want `max_completion_tokens` and no
temperature, others know no `response_format` or not every JSON Schema. The schema stands in the
prompt as well, so leaving it out of the request loses a guard and not the instruction.
"""

import json
from typing import Any

from worker.llm.engine import Request
from worker.llm.openai.errors import names_field


class Dialect:
    """Builds request bodies, and remembers per model what was refused."""

    def __init__(self) -> None:
        self._refused: set[tuple[str, str]] = set()

    def body(self, request: Request) -> dict[str, Any]:
        """The body of a request, in the words that its model has accepted so far."""
        body: dict[str, Any] = {
            "model": request.model_name,
            "messages": [{"role": m.role, "content": m.content} for m in request.messages],
        }
        renamed = self._refuses(request, "max_tokens")
        body["max_completion_tokens" if renamed else "max_tokens"] = request.max_tokens
        if not self._refuses(request, "temperature"):
            body["temperature"] = request.temperature
        if request.schema is not None and not self._refuses_schema(request):
            schema = {"name": "answer", "schema": dict(request.schema), "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return body

    def learn(self, request: Request, sent: dict[str, Any], error: object) -> bool:
        """Whether the `error` of a 400 to the body `sent` taught something new.

        If so, a body built anew leaves out what was refused, and asking again makes sense.
        """
        what = _refused_field(sent, error)
        if what == "response_format" and names_field(error, "nvalid schema"):
            what = _schema_key(request)  # this schema only: the model may take others
        if not what:
            return False
        self._refused.add((request.model_name, what))
        return True

    def _refuses(self, request: Request, what: str) -> bool:
        return (request.model_name, what) in self._refused

    def _refuses_schema(self, request: Request) -> bool:
        if not self._refused:
            return False
        return self._refuses(request, "response_format") or self._refuses(
            request, _schema_key(request)
        )


def _refused_field(sent: dict[str, Any], error: object) -> str:
    if "response_format" in sent and names_field(error, "response_format", "json_schema"):
        return "response_format"
    if "max_tokens" in sent and names_field(error, "max_completion_tokens"):
        return "max_tokens"
    if "temperature" in sent and names_field(error, "temperature"):
        return "temperature"
    return ""


def _schema_key(request: Request) -> str:
    return json.dumps(dict(request.schema or {}), sort_keys=True)
