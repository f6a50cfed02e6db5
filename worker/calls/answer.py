"""From an engine's text to a value that matches the schema, or to what is wrong with it."""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jsonschema_rs import Draft202012Validator

from models.schema import place, validator
from worker.jsonb import canonical
from worker.llm.engine import Completion, Finish

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""NUL and halves of characters: JSON can spell them, no database stores them."""


@dataclass(frozen=True, slots=True)
class Valid:
    """The answer, parsed and matching its schema."""

    value: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Invalid:
    """What is wrong with an answer, in words that also go into the repair prompt."""

    category: str
    problem: str


def check(completion: Completion, schema: Mapping[str, Any]) -> Valid | Invalid:
    """The JSON object that an answer comes to, or what is wrong with it.

    An answer that is nothing but JSON is taken as it stands. Else the objects that stand in it are
    looked at: between prose, fences and notes, after the thinking. One of them must match, however
    often it is said; two different ones that match are no answer. Time is linear in its length.

    Categories: truncated, loop, empty, content_filter, invalid_json, schema_mismatch.
    """
    if completion.finish is Finish.CONTENT_FILTER:
        return Invalid("content_filter", "the provider's filter cut the answer off")
    said = after_thinking(completion.text)
    try:
        whole = _parsed(said)
    except (ValueError, RecursionError) as exc:
        return _chosen(_objects(said), schema, _unreadable(completion, said, exc))
    if isinstance(whole, dict):
        return matching(whole, schema)
    return _chosen(_objects(said), schema, matching(whole, schema))


_LONGEST_REFRAIN, _TIMES, _RUNAWAY_CHARS = 60, 48, 200
"""A table may have a few equal rows, and a list a few zeros: they are no loop."""


def _unreadable(completion: Completion, said: str, exc: Exception) -> Invalid:
    """What is wrong with an answer that is no JSON."""
    if went_round(completion):
        return Invalid("loop", "the answer says the same again and again")
    if completion.finish is Finish.LENGTH:
        return Invalid("truncated", "the answer ran into its output limit")
    if not said:
        return Invalid("empty", "there is no answer")
    return Invalid("invalid_json", f"not JSON ({exc})")


def went_round(completion: Completion) -> bool:
    """Whether its model said the same again and again until it was cut off."""
    if completion.finish is Finish.LOOP:
        return True
    return completion.finish is not Finish.STOP and _runs_away(completion.text)


def _runs_away(text: str) -> bool:
    """Whether it ends in the same few characters again and again. White space may come to an end,
    with more room."""
    return not text[-1:].isspace() and any(
        _ends_in_a_refrain(text, size) for size in range(1, _LONGEST_REFRAIN + 1)
    )


def _ends_in_a_refrain(text: str, size: int) -> bool:
    wanted = max(_TIMES * size, _RUNAWAY_CHARS)
    end = text[-wanted:]
    return len(end) == wanted and end[size:] == end[:-size]


def matching(value: Any, schema: Mapping[str, Any]) -> Valid | Invalid:
    """A value that matches a schema, or what is wrong with it. Category: schema_mismatch."""
    try:
        problem = next(_validator(canonical(schema)).iter_errors(value), None)
    except ValueError as exc:
        return Invalid("schema_mismatch", f"cannot be checked: {exc}")
    if problem is not None:
        where = place(problem) or "the answer: "
        return Invalid("schema_mismatch", f"{where}{problem.message[:300]}")
    return Valid(value)


def _chosen(
    found: Sequence[dict[str, Any]], schema: Mapping[str, Any], otherwise: Valid | Invalid
) -> Valid | Invalid:
    """The one object that matches. `otherwise`: what is wrong with an answer that holds none."""
    judged = [matching(value, schema) for value in found]
    valid = {canonical(each.value): each for each in judged if isinstance(each, Valid)}
    if len(valid) > 1:
        return Invalid("invalid_json", "it holds different answers, give one JSON object alone")
    if valid:
        return next(iter(valid.values()))
    if judged and isinstance(otherwise, Invalid) and otherwise.category == "invalid_json":
        return judged[-1]
    return otherwise


_THOUGHT = re.compile(r"<(/?)(?:think|thinking|thought|reasoning)>", re.IGNORECASE)


def after_thinking(text: str) -> str:
    """Without what a model thinks aloud before it answers, which may hold drafts of the answer."""
    text = text.strip("\ufeff \t\r\n")
    if text.startswith("{"):
        return text  # what looks like thinking is a part of the answer
    ends = [mark.end() for mark in _THOUGHT.finditer(text) if mark[1]]
    if ends:
        return text[ends[-1] :].strip()
    return "" if _THOUGHT.match(text) else text


_MOST_OBJECTS = 100
"""Different objects in one answer; more than that are no answer."""

_MARK = re.compile(r'\\.|["{}]', re.DOTALL)
_KEY = re.compile(r'\s*["}]')


def _objects(text: str) -> list[dict[str, Any]]:
    """The JSON objects that stand in a text, each once."""
    found: dict[str, dict[str, Any] | None] = {}
    for span in _spans(text):
        if span not in found:
            found[span] = _object(span)
            if len(found) > _MOST_OBJECTS:
                return []
    return [value for value in found.values() if value is not None]


def _object(span: str) -> dict[str, Any] | None:
    try:
        value: dict[str, Any] = _parsed(span)
    except (ValueError, RecursionError):
        return None
    return value


def _spans(text: str) -> Iterator[str]:
    """From each outer brace to the one that closes it.

    A brace that no key follows is prose. What stands in an object that is cut off or never closed
    is a part of an answer, and no answer.
    """
    depth, start, quoted = 0, 0, False
    for mark in _MARK.finditer(text):
        sign = mark[0]
        if depth == 0:
            if sign == "{" and _KEY.match(text, mark.end()):
                depth, start, quoted = 1, mark.start(), False
        elif sign == '"':
            quoted = not quoted
        elif sign == "{" and not quoted:
            depth += 1
        elif sign == "}" and not quoted:
            depth -= 1
            if depth == 0:
                yield text[start : mark.end()]


def _parsed(text: str) -> Any:
    """JSON that Postgres can hold: no NaN, infinity, NUL or half character. Raises ValueError."""
    value = _DECODER.decode(text)
    if not _storable(value):
        raise ValueError("holds a character that no database stores")
    return value


def _storable(value: Any) -> bool:
    if isinstance(value, str):
        return UNSTORABLE.search(value) is None
    if isinstance(value, dict):
        return all(_storable(key) and _storable(item) for key, item in value.items())
    return not isinstance(value, list) or all(map(_storable, value))


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits} is too large")
    return number


# Not strict: models write line breaks and tabs into their strings as they are.
_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite, strict=False)


@lru_cache(maxsize=512)
def _validator(schema: bytes) -> Draft202012Validator:
    return validator(json.loads(schema))
