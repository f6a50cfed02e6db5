"""What an answer may have copied from the examples that its model was shown. Pure."""

from functools import lru_cache

from worker.run.verify.fold import folded

SHORTEST = 4
"""Characters of a value that two texts do not have in common by chance."""


def is_an_examples(said: str, examples: frozenset[str]) -> bool:
    """Whether the answer of an example says just this. `examples`: what all of them say."""
    return on_one_line(said) in _on_one_line(examples)


def on_one_line(said: str) -> str:
    """Folded words, however they are broken over lines."""
    return " ".join(folded(said).split())


@lru_cache(maxsize=256)
def _on_one_line(examples: frozenset[str]) -> frozenset[str]:
    return frozenset(map(on_one_line, examples))
