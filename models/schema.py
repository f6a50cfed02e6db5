"""Answer schemas: JSON Schema of draft 2020-12, which answers are checked with."""

from typing import Any, NoReturn

from jsonschema_rs import Draft202012Validator, ValidationError


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    """What checks values against the schema. Raises ValueError, saying what is wrong and where, if
    it is none or a $ref leads nowhere in it: nothing is fetched to check an answer."""
    try:
        return Draft202012Validator(schema, retriever=_fetch)
    except ValidationError as exc:
        raise ValueError(f"not a JSON Schema: {place(exc)}{exc.message}") from exc
    except ValueError as exc:  # YAML has dates, and may be nested without end
        raise ValueError(f"not a JSON Schema: {exc}; put dates in quotes") from exc


def place(problem: ValidationError) -> str:
    """Where in the value it is, as a/1: and a space."""
    path = "/".join(map(str, problem.instance_path))
    return f"{path}: " if path else ""


def _fetch(uri: str) -> NoReturn:
    raise ValueError(f"{uri} is outside of the schema")
