"""Answers that only repeat what the model was shown: the schema's own words, or an example's.

Both fit the schema, and small models give them where they have nothing to say (VAREX, arXiv
2603.15118: below 4B parameters this comes before misreading). Pure.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from models.words import TaskType
from worker.calls.answer import Invalid
from worker.llm.grammar import grammar
from worker.prompts.manner import Manner
from worker.prompts.sketch import sketch
from worker.run.verify.copied import SHORTEST, is_an_examples, on_one_line

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
    text, said = text.casefold(), list[_Said]()
    _collect(value, grammar(schema).schema, "", said)
    if _echoes_schema(said, text):
        return Invalid(SCHEMA_ECHO, "it repeats the form's words, give the text's own values")
    if how.prompt.name != TaskType.CLASSIFICATION and _copies_example(how, said, text):
        return Invalid(COPIED_EXAMPLE, "it repeats the example's answer, read the text below it")
    return None


class _Said(NamedTuple):
    """A text of an answer, its schema and the name of its field."""

    text: str
    schema: Mapping[str, Any]
    key: str


def _collect(value: Any, schema: Any, key: str, found: list[_Said]) -> None:
    """The texts that no enum allows."""
    node = schema if isinstance(schema, dict) else {}
    if isinstance(value, dict):
        fields = node.get("properties", {})
        for name, inner in value.items():
            _collect(inner, fields.get(name), name, found)
    elif isinstance(value, list):
        for inner in value:
            _collect(inner, node.get("items"), key, found)
    elif isinstance(value, str) and "enum" not in node:
        found.append(_Said(value, node, key))


def _echoes_schema(said: Sequence[_Said], text: str) -> bool:
    """One value that says what it should hold, and does not stand in the text, is enough; names of
    fields may be right, so it takes nothing but them."""
    folded = [one.text.strip().casefold() for one in said]
    pairs = list(zip(folded, said, strict=True))
    if any(one not in text and _is_the_forms(one, leaf.schema) for one, leaf in pairs):
        return True
    return bool(said) and all(one == leaf.key.casefold() for one, leaf in pairs)


def _is_the_forms(said: str, schema: Mapping[str, Any]) -> bool:
    described = str(schema.get("description", "")).strip().casefold()
    return said in SAYS_NOTHING | ({described} - {""}) or said == sketch(schema).casefold()


def _copies_example(how: Manner, said: Sequence[_Said], text: str) -> bool:
    from_examples = [leaf.text for leaf in said if is_an_examples(leaf.text, how.said)]
    if not from_examples:
        return False
    text = on_one_line(text)  # a value may be broken over two lines of it
    copied = [line for line in map(on_one_line, from_examples) if line not in text]
    # a user's examples may well come to the same conclusion as many texts
    may_agree = how.examples is not None and how.prompt.name in MAY_AGREE
    if not may_agree and any(len(line) >= A_SENTENCE for line in copied):
        return True
    return len(copied) == len(said) and any(len(line) >= SHORTEST for line in copied)
