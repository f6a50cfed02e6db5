"""How a job's model is asked: all of its prompt but the ask, the form and the text."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from models.examples import Example, said
from worker.jsonb import canonical
from worker.llm.engine import Message
from worker.prompts.files import Prompt
from worker.prompts.profiles import Profile


@dataclass(frozen=True, slots=True)
class Shown:
    """The examples of an ask as one text's prompt shows them, in place of the prompt's own."""

    examples: tuple[Example, ...] = ()
    numbers: tuple[int, ...] = ()
    """Of each: its place among the ask's own, from 1, or the id of its row of gold."""
    gold: str | None = None
    """The gold set that they are from; None: they are the ask's own."""
    leaks: tuple[int, ...] = ()
    """Those that were left out, for they give this text's answer away."""
    no_room: tuple[int, ...] = ()
    """Those that were left out, for they leave the text too little of the model's window."""

    @property
    def is_left_out(self) -> bool:
        """Whether there was nothing that could be shown: the prompt's own are shown after all."""
        return not self.examples and bool(self.gold or self.leaks or self.no_room)

    def as_json(self) -> dict[str, Any]:
        """As the row of the answer tells it."""
        told = {
            "gold": self.gold,
            "shown": self.numbers,
            "leaks": self.leaks,
            "no_room": self.no_room,
        }
        return {key: value for key, value in told.items() if value or key == "shown"}


@dataclass(frozen=True, slots=True)
class Manner:
    """The prompt of a job without its ask and its text."""

    prompt: Prompt
    profile: Profile
    language: str | None = None
    """ISO 639-1 code of the text, which says in which language the prompt's own examples are."""
    shown: Shown | None = None
    """The ask's examples; None: the prompt's own."""

    @property
    def examples(self) -> tuple[Example, ...] | None:
        """Those that it shows in place of the prompt's own; None: the prompt's own."""
        return None if self.shown is None or self.shown.is_left_out else self.shown.examples

    @property
    def version(self) -> str:
        """Equal where all that comes before the request itself follows from the same words."""
        known = f"{self.prompt.version}{self.profile.version}{self._language}"
        if self.examples is None:
            return known
        shown = [(each.text, each.answer) for each in self.examples]
        return f"{known}+{hashlib.sha256(canonical(shown)).hexdigest()[:12]}"

    def as_json(self) -> dict[str, Any]:
        """As the row of the answer tells it."""
        examples = {} if self.shown is None else {"examples": self.shown.as_json()}
        return {"version": self.prompt.label, "profile": self.profile.name, **examples}

    @property
    def _shows_its_own(self) -> bool:
        return self.examples is None and self.profile.shots

    @property
    def _language(self) -> str:
        return self.language if self.language and self.language in self.prompt.languages else ""

    @property
    def chosen(self) -> int:
        """How many of its messages are examples that were chosen for this text alone."""
        return 2 * len(self.examples or ()) if self.shown is not None and self.shown.gold else 0

    @property
    def said(self) -> frozenset[str]:
        """What the answers of the examples say that it shows."""
        if self._shows_its_own:
            return _said_by_its_own(self.prompt, self._language)
        return frozenset(text for each in self.examples or () for text in _texts(each.answer))

    def opening(self, words: Mapping[str, str], schema: Mapping[str, Any]) -> tuple[Message, ...]:
        """What comes before the request: the rules, and examples. `words`: those of the request but
        the text; `schema`: what is asked for."""
        if self._shows_its_own:
            return _opening(self.prompt, self._language)
        return (
            Message("system", self.prompt.system),
            *(
                message
                for example in self.examples or ()
                for message in _turn(
                    self.prompt.request.format(**words, text=example.text.strip()),
                    narrowed(example.answer, schema),
                )
            ),
        )


@lru_cache(maxsize=128)
def _opening(prompt: Prompt, language: str) -> tuple[Message, ...]:
    messages = [Message("system", prompt.system)]
    for shot in prompt.shots_in(language):
        words = {key: value for key, value in shot.items() if key != "answer"}
        messages += _turn(prompt.request.format(**words), shot["answer"])
    return tuple(messages)


@lru_cache(maxsize=128)
def _said_by_its_own(prompt: Prompt, language: str) -> frozenset[str]:
    shots = prompt.shots_in(language)
    return frozenset(text for shot in shots for text in _texts(shot["answer"]))


def _texts(answer: Any) -> Iterator[str]:
    return (each for each in said(answer) if isinstance(each, str))


def _turn(request: str, answer: Any) -> tuple[Message, Message]:
    said = json.dumps(answer, ensure_ascii=False)
    return Message("user", request), Message("assistant", said)


def narrowed(answer: Any, schema: Any) -> Any:
    """The part of an example's answer that a schema asks for, in the schema's order."""
    fields = schema.get("properties") if isinstance(schema, Mapping) else None
    if not isinstance(answer, Mapping) or not isinstance(fields, Mapping):
        return answer
    return {name: narrowed(answer[name], fields[name]) for name in fields if name in answer}
