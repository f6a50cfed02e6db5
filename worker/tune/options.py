"""What a training is told, and what it says of itself when it is done."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """How to train. The defaults are the recipe of the adapter that ships (docs/adapter.md)."""

    base: Path | None = None
    """A GGUF file, or a folder as Hugging Face lays models out. None: the embedded model."""
    adapter: Path | None = None
    """A GGUF adapter of that base to go on from. None: a new one, which changes nothing yet."""
    steps: int | None = None
    """Batches to learn from. None: one pass over the pairs, or as many as `minutes` hold."""
    minutes: float | None = None
    """Ends the training however far it is; the learning rate falls to nothing by then."""
    batch: int = 6
    rank: int = 16
    alpha: int = 32
    learning_rate: float = 7e-4
    longest: int = 1536
    """Tokens of a prompt with its answer. Longer pairs are left out: a cut one teaches to stop."""
    save_every_s: float = 120.0
    threads: int | None = None
    """CPU threads; None: as many as torch finds right."""
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Trained:
    """An adapter, and how it came about."""

    gguf: Path
    """For llama.cpp, llama-server and the embedded engine."""
    folder: Path
    """The same weights as peft and vLLM read them."""
    base: str
    base_sha256: str
    began_with: str | None
    """SHA-256 of the adapter that it began with."""
    pairs: int
    pairs_sha256: str
    left_out: int
    """Pairs that were longer than `longest`."""
    steps: int
    examples: int
    """Pairs seen, counted as often as they were seen."""
    minutes: float
    first_loss: float
    last_loss: float
    """Of pairs that were kept apart, in nats a token of the answer."""
