"""From an engine's text to a value that matches the schema, or to what is wrong with it."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jsonschema_rs import Draft202012Validator

from models.schema import place, validator
from worker.jsonb import canonical
from worker.llm.engine import Completion, Finish

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""NUL and halves of characters: JSON can spell them, no database stores them."""
CHARS_PER_TOKEN = 1.2
"""Digits and Indian scripts come to little more than one character a token; a bound string must end
before the output limit whatever it is made of."""


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
    """Parse and validate. Categories: truncated, content_filter, invalid_json, schema_mismatch."""
    if completion.finish is Finish.CONTENT_FILTER:
        return Invalid("content_filter", "the provider's filter cut the answer off")
    try:
        value = _parsed(_unfenced(completion.text))
    except (ValueError, RecursionError) as exc:
        if completion.finish is Finish.LENGTH:
            return Invalid("truncated", "the answer ran into its output limit")
        return Invalid("invalid_json", f"not JSON ({exc})")
    try:
        problem = next(_validator(canonical(schema)).iter_errors(value), None)
    except ValueError as exc:
        return Invalid("schema_mismatch", f"cannot be checked: {exc}")
    if problem is not None:
        where = place(problem) or "the answer: "
        return Invalid("schema_mismatch", f"{where}{problem.message[:300]}")
    return Valid(value)


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


def _unfenced(text: str) -> str:
    """Models like to wrap JSON in a Markdown code fence."""
    bare = text.strip()
    if not (bare.startswith("```") and bare.endswith("```") and "\n" in bare):
        return bare
    return bare[bare.index("\n") : -3].strip()


_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)


@lru_cache(maxsize=512)
def _validator(schema: bytes) -> Draft202012Validator:
    return validator(json.loads(schema))


def bounded(schema: Mapping[str, Any], max_tokens: int) -> dict[str, Any]:
    """The schema for generation with every free string bounded, for models that ramble.

    Only what the engine generates is bounded so; answers are checked against the user's schema.
    """
    strings = max(1, _count_strings(schema))
    most = max(24, int(max_tokens * CHARS_PER_TOKEN / strings) - 16)
    result: dict[str, Any] = _bound(schema, most)
    return result


def _count_strings(node: Any) -> int:
    if isinstance(node, Mapping):
        return int(_is_free_string(node)) + sum(map(_count_strings, node.values()))
    return sum(map(_count_strings, node)) if isinstance(node, list) else 0


def _is_free_string(node: Mapping[str, Any]) -> bool:
    kinds = node.get("type")
    is_string = kinds == "string" or (isinstance(kinds, list) and "string" in kinds)
    return is_string and "enum" not in node and "maxLength" not in node


def _bound(node: Any, most: int) -> Any:
    if isinstance(node, Mapping):
        copy = {key: _bound(value, most) for key, value in node.items()}
        return {**copy, "maxLength": most} if _is_free_string(node) else copy
    return [_bound(item, most) for item in node] if isinstance(node, list) else node
