"""Prompts: the words live in files, a version each (files.py), the assembly here.

The fixed part (system, examples, then the ask) comes first and the text last, so that an engine
that keeps its prompt cache reads only the text anew. How a job's model is asked is a Manner: which
version, which family of models, which examples.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any
from uuid import UUID

from models.examples import Examples, Own
from models.words import TaskType
from worker.jsonb import dumps
from worker.llm.engine import Message
from worker.prompts.choose import GOLD_TOKENS
from worker.prompts.files import REPAIR, SECOND_READING, prompt, task_schema
from worker.prompts.manner import Manner, Shown
from worker.prompts.profiles import USUAL, profile, profile_of
from worker.prompts.sketch import sketch
from worker.tokens import Script, estimate, measure

IN_WORDS = "Answer with nothing but JSON that is valid by this JSON Schema:\n{schema}"

CLASSIFY_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"task": {"enum": [str(task) for task in TaskType]}},
    "required": ["task"],
    "additionalProperties": False,
}


def usual(name: str) -> Manner:
    """A prompt as most models are shown it."""
    return Manner(prompt(name), profile(USUAL))


def manner(
    name: str,
    model: str,
    language: str | None = None,
    shown: Shown | None = None,
    number: int | None = None,
    *,
    examples: bool = True,
) -> Manner:
    """A prompt as a model is shown it for a text in a language. `examples`: whether it may carry
    examples of its own, as EngineConfig.carries_examples says. Raises ConfigError where it has no
    such version."""
    return Manner(prompt(name, number), profile_of(model, examples=examples), language, shown)


def task_messages(
    task: TaskType, ask: str, text: str, schema: Mapping[str, Any], how: Manner | None = None
) -> tuple[Message, ...]:
    """The prompt for one job."""
    return _messages(how or usual(task), {"ask": ask.strip()}, text, schema)


def reading_messages(
    ask: str,
    text: str,
    schema: Mapping[str, Any],
    fields: Iterable[str],
    how: Manner | None = None,
) -> tuple[Message, ...]:
    """The prompt that reads fields a second time. It names them, and not what was read first."""
    words = {"fields": ", ".join(fields), "ask": ask.strip()}
    return _messages(how or usual(SECOND_READING), words, text, schema)


def _messages(
    how: Manner, words: Mapping[str, str], text: str, schema: Mapping[str, Any]
) -> tuple[Message, ...]:
    words = {**words, "form": form(schema)}
    request = Message("user", how.prompt.request.format(**words, text=text.strip()))
    messages = (*how.opening(words, schema), request)
    return messages if how.profile.system == "own" else without_system(messages)


def prompt_tokens(how: Manner, ask: str, schema: Mapping[str, Any]) -> int:
    """Tokens, as estimated, of everything in a job's prompt but its text."""
    if how.examples is None:
        return _prompt_tokens(_bare(how), ask, form(schema))
    return sum(map(estimate, _texts(how, ask, form(schema), schema)))


def prompt_units(how: Manner, ask: str, schema: Mapping[str, Any]) -> Mapping[Script, float]:
    """The same in units of each script, for a model whose rates are known."""
    if how.examples is None:
        return _prompt_units(_bare(how), ask, form(schema))
    return _measured(_texts(how, ask, form(schema), schema))


def _bare(how: Manner) -> Manner:
    """Without the examples of its ask, of which none can be shown."""
    return how if how.shown is None else replace(how, shown=None)


@lru_cache(maxsize=1024)
def _prompt_tokens(how: Manner, ask: str, answer_form: str) -> int:
    return sum(map(estimate, _texts(how, ask, answer_form, {})))


@lru_cache(maxsize=1024)
def _prompt_units(how: Manner, ask: str, answer_form: str) -> Mapping[Script, float]:
    return _measured(_texts(how, ask, answer_form, {}))


def _measured(texts: Iterable[str]) -> Mapping[Script, float]:
    found: Counter[Script] = Counter()
    for text in texts:
        found.update(measure(text))
    return found


def _texts(how: Manner, ask: str, answer_form: str, schema: Mapping[str, Any]) -> Iterator[str]:
    """All that a prompt says but the text."""
    words = {"ask": ask.strip(), "form": answer_form}
    if how.prompt.name == SECOND_READING:
        words["fields"] = ", ".join(schema.get("properties", ()))
    yield how.prompt.request.format(**words, text="")
    for message in how.opening(words, schema):
        yield message.content


def classify_messages(ask: str, *, examples: bool = True) -> tuple[Message, ...]:
    """The prompt that finds an ask's task type. It shows nothing of any document. `examples`: as
    EngineConfig.carries_examples says of its model."""
    how = manner("classify", "", examples=examples)
    request = how.prompt.request.format(ask=" ".join(ask.split())[:600])
    return (*how.opening({}, CLASSIFY_SCHEMA), Message("user", request))


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


def fixed_tokens(
    how: Manner, ask: str, schema: Mapping[str, Any] | None, examples: Examples | None = None
) -> int:
    """Tokens of a job's prompt besides its text, as estimated, before anybody knows which examples
    of its ask the text is shown: at most so many."""
    wanted = schema or task_schema(TaskType(how.prompt.name))
    if isinstance(examples, Own):
        return prompt_tokens(replace(how, shown=Shown(examples.examples)), ask, wanted)
    return prompt_tokens(how, ask, wanted) + (GOLD_TOKENS if examples is not None else 0)


def classify_key(ask: str, schema: Mapping[str, Any] | None, model_name: str) -> UUID:
    """Equal for asks that would get the same verdict from the same model."""
    version = prompt("classify").version
    parts = json.dumps([version, model_name, ask, schema], ensure_ascii=False, sort_keys=True)
    return UUID(bytes=hashlib.sha256(parts.encode("utf-8", "surrogatepass")).digest()[:16])
