"""What an eval compares: models, each with a way to ask it. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_LABEL = re.compile(r"(\S+)(?: prompt (\d+))?(?: examples (\d+))?")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model, a version of its prompt, and how many rows of gold it is shown."""

    place: str
    """ENGINE/MODEL."""
    prompt: int | None = None
    """None: the version that counts."""
    examples: int = 0
    """0: the prompt's own examples."""

    @property
    def label(self) -> str:
        """As figures name it; eval_answers.sql writes it, too."""
        prompt = "" if self.prompt is None else f" prompt {self.prompt}"
        return f"{self.place}{prompt}{f' examples {self.examples}' if self.examples else ''}"


def candidate(label: str) -> Candidate:
    """The candidate that figures name so. No name of an engine or a model holds a space."""
    match = _LABEL.fullmatch(label)
    if match is None:  # what a replayed batch answered then
        return Candidate(label)
    return Candidate(match[1], int(match[2]) if match[2] else None, int(match[3] or 0))


def candidates(
    places: Sequence[str], prompts: Sequence[int], examples: Sequence[int]
) -> Iterator[Candidate]:
    """Every model with each version and each number of examples; of the plainest first."""
    for place in places:
        for prompt in prompts or (None,):
            for most in sorted(set(examples)) or (0,):
                yield Candidate(place, prompt, most)
