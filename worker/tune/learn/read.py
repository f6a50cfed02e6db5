"""An adapter's GGUF file as weights to go on from."""

from pathlib import Path
from typing import Any

import gguf
import numpy as np

from models.errors import InputError
from worker.tune.names import gguf_name


def read_gguf(path: Path, layers: list[str], rank: int, alpha: int) -> dict[str, Any]:
    """The matrices A and B of these layers of a model, float32, by the layer's name and `.A` or
    `.B`. Raises InputError for a file that is no adapter of those layers, rank and alpha."""
    try:
        reader = gguf.GGUFReader(path)
    except (OSError, ValueError) as exc:
        raise InputError(f"{path} cannot be read as an adapter: {exc}") from exc
    kept = reader.get_field(gguf.Keys.Adapter.LORA_ALPHA)
    if kept is None:
        raise InputError(f"{path} is no LoRA adapter; give an adapter.gguf")
    found = {tensor.name: tensor.data for tensor in reader.tensors}
    named = {
        f"{layer}.{matrix}": f"{gguf_name(layer)}.lora_{matrix.lower()}"
        for layer in layers
        for matrix in "AB"
    }
    if missing := sorted(set(named.values()) ^ found.keys()):
        raise InputError(
            f"{path} is an adapter of another model: {missing[0]} is in one of the two alone"
        )
    ranks = {found[f"{gguf_name(layer)}.lora_a"].shape[0] for layer in layers}
    if ranks != {rank} or kept.contents() != alpha:
        raise InputError(
            f"{path} has rank {max(ranks)} and alpha {kept.contents():g}, not {rank} and {alpha}: "
            "go on with those"
        )
    return {name: np.array(found[tensor], dtype=np.float32) for name, tensor in named.items()}
