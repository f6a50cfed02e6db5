"""Answers that only repeat what the model was shown: the schema's own words, or an example's.

Both fit the schema, and small models give them where they have nothing to say (VAREX, arXiv
2603.15118: below 4B parameters this comes before misreading). Pure.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from models.words import TaskType
from worker.calls.answer import Invalid
from worker.llm.grammar import grammar
from worker.prompts.manner import Manner
from worker.prompts.sketch import sketch
from worker.run.verify.rules import SHORTEST_COPIED

SCHEMA_ECHO, COPIED_EXAMPLE = "schema_echo", "copied_example"

SAYS_NOTHING = frozenset(
    {"string", "number", "integer", "boolean", "object", "array", "null", "value", "any value"}
)

A_SENTENCE = 20
"""Characters of a value that no other text brings about: one is enough."""

MAY_AGREE = frozenset({TaskType.SUMMARY, TaskType.REASONING, TaskType.SIMPLE_CODE})
"""Tasks whose answers are not taken from the text word for word."""


def echo(
    how: Manner, value: Mapping[str, Any], schema: Mapping[str, Any], text: str
) -> Invalid | None:
    """What is wrong with an answer that fits its schema; None: it says something. `how`: its model
    was asked."""
    text, form = text.casefold(), grammar(schema).schema
    if _echoes_schema(value, form, text):
        return Invalid(SCHEMA_ECHO, "it repeats the form's words, give the text's own values")
    if how.prompt.name != TaskType.CLASSIFICATION and _copies_example(how, value, form, text):
        return Invalid(COPIED_EXAMPLE, "it repeats the example's answer, read the text below it")
    return None


def _echoes_schema(value: Mapping[str, Any], schema: Mapping[str, Any], text: str) -> bool:
    """One value that says what it should hold, and does not stand in the text, is enough; names of
    fields may be right, so it takes nothing but them."""
    said = [(one.strip().casefold(), *about) for one, *about in _strings(value, schema)]
    if any(one not in text and _is_the_forms(one, about) for one, about, _ in said):
        return True
    return bool(said) and all(one == key.casefold() for one, _, key in said)


def _strings(value: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[tuple[str, Any, str]]:
    return (leaf for leaf in _leaves(value, schema, "") if isinstance(leaf[0], str))


def _leaves(value: Any, schema: Any, key: str) -> Iterator[tuple[Any, Any, str]]:
    """Each value that is not null and that no enum allows, with its schema and the name of its
    field."""
    node = schema if isinstance(schema, dict) else {}
    if isinstance(value, dict):
        fields = node.get("properties", {})
        for name, inner in value.items():
            yield from _leaves(inner, fields.get(name), name)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, node.get("items"), key)
    elif value is not None and "enum" not in node:
        yield value, node, key


def _is_the_forms(said: str, schema: Mapping[str, Any]) -> bool:
    described = str(schema.get("description", "")).strip().casefold()
    return said in SAYS_NOTHING | ({described} - {""}) or said == sketch(schema).casefold()


def _copies_example(
    how: Manner, value: Mapping[str, Any], schema: Mapping[str, Any], text: str
) -> bool:
    said = [_one_line(leaf) for leaf, _, _ in _strings(value, schema)]
    shown = _shown(how.said)
    copied = [leaf for leaf in said if leaf in shown]
    if not copied:
        return False
    text = _one_line(text)  # a value may be broken over two lines of it
    # a user's examples may well come to the same conclusion as many texts
    may_agree = how.examples is not None and how.prompt.name in MAY_AGREE
    if not may_agree and any(len(one) >= A_SENTENCE and one not in text for one in copied):
        return True
    tells = any(len(leaf) >= SHORTEST_COPIED for leaf in copied)
    elsewhere = any(leaf in text for leaf in copied)
    return tells and len(copied) == len(said) and not elsewhere


@lru_cache(maxsize=256)
def _shown(said: frozenset[str]) -> frozenset[str]:
    return frozenset(map(_one_line, said))


def _one_line(text: str) -> str:
    return " ".join(text.casefold().split())
