"""Answer schemas: JSON Schema of draft 2020-12, which answers are checked with."""

from typing import Any, NoReturn

from jsonschema_rs import Draft202012Validator, FancyRegexOptions, ValidationError

PATTERNS = FancyRegexOptions(backtrack_limit=100_000)
"""A pattern may look around itself, but is given up after so many steps back, less than a tenth
of a second in an answer of 8,000 characters: whoever checks has other answers to check."""


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    """What checks values against the schema. Raises ValueError, saying what is wrong and where, if
    it is none or a $ref leads nowhere in it: nothing is fetched to check an answer."""
    try:
        return Draft202012Validator(schema, retriever=_fetch, pattern_options=PATTERNS)
    except ValidationError as exc:
        raise ValueError(f"not a JSON Schema: {place(exc)}{exc.message}") from exc
    except ValueError as exc:
        hint = "; put dates in quotes" if "Unsupported type" in str(exc) else ""  # YAML has dates
        raise ValueError(f"not a JSON Schema: {exc}{hint}") from exc


def place(problem: ValidationError) -> str:
    """Where in the value it is, as a/1: and a space."""
    path = "/".join(map(str, problem.instance_path))
    return f"{path}: " if path else ""


def _fetch(uri: str) -> NoReturn:
    raise ValueError(f"{uri} is outside of the schema")
