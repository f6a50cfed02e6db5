"""What a stub has seen."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


def hash_of(texts: Iterable[str]) -> str:
    """The hash of a prompt, from the contents of its messages in order."""
    return hashlib.sha256("\n".join(texts).encode("utf-8", "replace")).hexdigest()


@dataclass
class Prompt:
    """One request for an answer, as it arrived."""

    model: str
    texts: list[str]
    key: str | None
    max_tokens: int
    schema: dict[str, Any] | None
    input_tokens: int
    body: dict[str, Any]
    outcome: str = "waiting"
    counted: list[float] | None = None
    """The entry in the window of tokens."""

    def entry(self, keep_text: bool) -> dict[str, Any]:
        """The line of the log."""
        line = {"hash": hash_of(self.texts), "model": self.model, "key": self.key}
        return {**line, "text": "\n".join(self.texts)} if keep_text else line


@dataclass
class Record:
    """Counts since the start or the last reset."""

    requests: int = 0
    answered: int = 0
    cancelled: int = 0
    in_flight: int = 0
    max_in_flight: int = 0
    repeats: int = 0
    """Requests whose Idempotency-Key had been seen before."""
    over_limit: int = 0
    """Requests beyond rpm or tpm, each answered 429."""
    billed_input: int = 0
    billed_output: int = 0
    loads: int = 0
    reloads: int = 0
    """Loads of a model that was loaded already, for a changed num_ctx."""
    probes: int = 0
    """Questions about what it does; they count nowhere else."""
    deaths: int = 0
    """Times that a prompt took the server down."""
    outcomes: Counter[str] = field(default_factory=Counter)
    """How requests ended: `ok` or the name of the fault or refusal."""
    prompts: Counter[str] = field(default_factory=Counter)
    keys: Counter[str] = field(default_factory=Counter)
    log: list[dict[str, Any]] = field(default_factory=list)

    def arrived(self, prompt: Prompt, keep_text: bool) -> None:
        """Count a prompt, its hash and its key."""
        line = prompt.entry(keep_text)
        self.requests += 1
        self.prompts[line["hash"]] += 1
        self.log.append(line)
        if prompt.key:
            self.repeats += prompt.key in self.keys
            self.keys[prompt.key] += 1

    def saw(self, text: str) -> bool:
        """Whether a text arrived in any prompt; needs the knob `keep_texts`."""
        return any(text in line["text"] for line in self.log)

    def totals(self) -> dict[str, Any]:
        """The counts as JSON, without the lines of the log."""
        plain = {name: value for name, value in vars(self).items() if isinstance(value, int)}
        return {
            **plain,
            "outcomes": dict(self.outcomes),
            "distinct_prompts": len(self.prompts),
            "most_of_one_prompt": max(self.prompts.values(), default=0),
            "distinct_keys": len(self.keys),
        }
