"""The prompts that ship: a folder for each, a file for each of its versions.

Each file's hash is part of the request key: a changed prompt is a new request.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

import yaml

from models.errors import ConfigError
from models.words import TaskType

REQUEST = "Task: {ask}\nAnswer as: {form}\nText:\n{text}"
REPAIR = "That is not a valid answer: {problem}. Answer again with nothing but JSON as: {form}"

FORMS = b"4"
"""To be raised when `form`, or how parts of a long document are put together, is changed."""

WORDS = (REQUEST.encode(), REPAIR.encode(), FORMS)

SECOND_READING = "second_reading"
"""The prompt of fields that were in question, whichever words an ask has for them."""

PAGE = "page"
"""The prompt of a page that a model is shown."""


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    """One version of a prompt; there is one object of each."""

    name: str
    number: int
    system: str
    shots: tuple[Mapping[str, Any], ...]
    schema: Mapping[str, Any] | None
    request: str
    version: str
    """Of its words."""
    languages: Mapping[str, tuple[Mapping[str, Any], ...]]
    """Its examples in other languages than English, by their ISO 639-1 codes."""

    def shots_in(self, language: str | None) -> tuple[Mapping[str, Any], ...]:
        """Its examples for texts in a language."""
        return self.languages.get(language or "", self.shots)

    @property
    def label(self) -> str:
        """As people name it: extraction/2."""
        return f"{self.name}/{self.number}"


def prompt(name: str, number: int | None = None) -> Prompt:
    """The prompt of a task type, `classify`, SECOND_READING or PAGE; without a number the
    current one. Raises ConfigError where there is no such version."""
    return _prompt(name, current()[name] if number is None else number)


@cache
def _prompt(name: str, number: int) -> Prompt:
    if number not in (known := numbers(name)):
        there_are = ", ".join(map(str, known))
        raise ConfigError(
            f"there is no version {number} of the prompt {name}; there are {there_are}"
        )
    source = _file(name, f"{number}.yaml").read_bytes()
    raw = yaml.safe_load(source)
    return Prompt(
        name,
        number,
        system=raw["system"],
        shots=tuple(raw["shots"]),
        schema=raw.get("schema"),
        request=raw.get("request", REQUEST),
        version=hashlib.sha256(b"\0".join([source, *WORDS])).hexdigest()[:12],
        languages={code: tuple(shots) for code, shots in raw.get("languages", {}).items()},
    )


@cache
def numbers(name: str) -> tuple[int, ...]:
    """The versions of a prompt, the oldest first."""
    found = (file.name.removesuffix(".yaml") for file in _file(name).iterdir())
    return tuple(sorted(int(number) for number in found if number.isdecimal()))


@cache
def current() -> Mapping[str, int]:
    """The version of each prompt that counts unless another is named."""
    found: Mapping[str, int] = yaml.safe_load(_file("current.yaml").read_bytes())
    return found


def check(named: Mapping[TaskType, int]) -> None:
    """Raises ConfigError where docmill.toml names a version that there is not."""
    for task, number in named.items():
        prompt(task, number)


def words_of(name: str, number: int) -> str:
    """A version as its file has it. Raises ConfigError where there is none."""
    prompt(name, number)
    return _file(name, f"{number}.yaml").read_text("utf-8")


def _file(*parts: str) -> Traversable:
    return resources.files(__package__).joinpath(*parts)


def task_schema(task: TaskType) -> Mapping[str, Any]:
    """What an answer to a task looks like where its ask does not say; in all versions the same."""
    schema = prompt(task).schema
    assert schema is not None
    return schema
