"""Prompts: the words live in one YAML file per task, the assembly here.

The fixed part (system, examples, then the ask) comes first and the text last, so that an engine
that keeps its prompt cache reads only the text anew. Each file's hash is part of the request key:
a changed prompt is a new request.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Any
from uuid import UUID

import yaml

from models.words import TaskType
from worker.jsonb import dumps
from worker.llm.engine import Message
from worker.prompts.sketch import sketch
from worker.tokens import Script, estimate, measure


@dataclass(frozen=True, slots=True)
class Prompt:
    """One file of this folder."""

    system: str
    shots: tuple[Mapping[str, Any], ...]
    schema: Mapping[str, Any] | None
    request: str
    version: str


REQUEST = "Task: {ask}\nAnswer as: {form}\nText:\n{text}"
REPAIR = "That is not a valid answer: {problem}. Answer again with nothing but JSON as: {form}"

IN_WORDS = "Answer with nothing but JSON that is valid by this JSON Schema:\n{schema}"

FORMS = b"4"
"""To be raised when `form`, or how parts of a long document are put together, is changed."""

WORDS = (REQUEST.encode(), REPAIR.encode(), FORMS)

CLASSIFY_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"task": {"enum": [str(task) for task in TaskType]}},
    "required": ["task"],
    "additionalProperties": False,
}


@cache
def prompt(name: str) -> Prompt:
    """The prompt of a task type, `classify` or SECOND_READING."""
    source = resources.files(__package__).joinpath(f"{name}.yaml").read_bytes()
    raw = yaml.safe_load(source)
    return Prompt(
        system=raw["system"],
        shots=tuple(raw["shots"]),
        schema=raw.get("schema"),
        request=raw.get("request", REQUEST),
        version=hashlib.sha256(b"\0".join([source, *WORDS])).hexdigest()[:12],
    )


@cache
def _fixed(name: str) -> tuple[Message, ...]:
    chosen = prompt(name)
    messages = [Message("system", chosen.system)]
    for shot in chosen.shots:
        words = {key: value for key, value in shot.items() if key != "answer"}
        messages.append(Message("user", chosen.request.format(**words)))
        messages.append(Message("assistant", json.dumps(shot["answer"], ensure_ascii=False)))
    return tuple(messages)


def task_messages(
    task: TaskType, ask: str, text: str, schema: Mapping[str, Any]
) -> tuple[Message, ...]:
    """The prompt for one job."""
    request = REQUEST.format(ask=ask.strip(), form=form(schema), text=text.strip())
    return (*_fixed(task), Message("user", request))


SECOND_READING = "second_reading"
"""The prompt of fields that were in question, whichever words an ask has for them."""


def reading_messages(
    ask: str, text: str, schema: Mapping[str, Any], fields: Iterable[str]
) -> tuple[Message, ...]:
    """The prompt that reads fields a second time. It names them, and not what was read first."""
    words = {"fields": ", ".join(fields), "ask": ask.strip(), "form": form(schema)}
    request = prompt(SECOND_READING).request.format(**words, text=text.strip())
    return (*_fixed(SECOND_READING), Message("user", request))


@lru_cache(maxsize=1024)
def prompt_tokens(task: TaskType, ask: str, answer_form: str) -> int:
    """Tokens, as estimated, of everything in a job's prompt but its text."""
    request = REQUEST.format(ask=ask.strip(), form=answer_form, text="")
    return estimate(request) + sum(estimate(message.content) for message in _fixed(task))


@lru_cache(maxsize=1024)
def prompt_units(task: TaskType, ask: str, answer_form: str) -> Mapping[Script, float]:
    """The same in units of each script, for a model whose rates are known."""
    request = REQUEST.format(ask=ask.strip(), form=answer_form, text="")
    found: Counter[Script] = Counter()
    for text in (request, *(message.content for message in _fixed(task))):
        found.update(measure(text))
    return found


def classify_messages(ask: str) -> tuple[Message, ...]:
    """The prompt that finds an ask's task type. It shows nothing of any document."""
    request = prompt("classify").request.format(ask=" ".join(ask.split())[:600])
    return (*_fixed("classify"), Message("user", request))


def without_system(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """For a model that is never shown a system message: it stands in the first user's words."""
    system, first, *others = messages
    return (Message("user", f"{system.content}\n\n{first.content}"), *others)


def in_words(schema: Mapping[str, Any]) -> str:
    """A JSON Schema as it stands in the prompt of a model that keeps to none."""
    return IN_WORDS.format(schema=dumps(schema).decode())


def repair_messages(
    messages: tuple[Message, ...], answer: str, problem: str, schema: Mapping[str, Any]
) -> tuple[Message, ...]:
    """The one repair try: the bad answer, what is wrong with it, and the form again."""
    complaint = REPAIR.format(problem=problem, form=form(schema))
    return (*messages, Message("assistant", answer[:2000]), Message("user", complaint))


def form(schema: Mapping[str, Any]) -> str:
    """A JSON Schema as a person would sketch it: {"total": string or null, ...}."""
    return _form(dumps(schema))


@lru_cache(maxsize=1024)
def _form(schema: bytes) -> str:
    return sketch(json.loads(schema))


def fixed_tokens(task: TaskType, ask: str, schema: Mapping[str, Any] | None) -> int:
    """Tokens of a job's prompt besides its text, as estimated."""
    return prompt_tokens(task, ask, form(schema or prompt(task).schema or {}))


def classify_key(ask: str, schema: Mapping[str, Any] | None, model_name: str) -> UUID:
    """Equal for asks that would get the same verdict from the same model."""
    version = prompt("classify").version
    parts = json.dumps([version, model_name, ask, schema], ensure_ascii=False, sort_keys=True)
    return UUID(bytes=hashlib.sha256(parts.encode("utf-8", "surrogatepass")).digest()[:16])
