"""Adapters as files: a GGUF for llama.cpp, a folder for peft and vLLM."""

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from safetensors.numpy import save_file

from worker.tune.names import LINEAR, architecture, gguf_name, peft_name

Weights = dict[str, np.ndarray[Any, Any]]
"""Matrices A (rank x inputs) and B (outputs x rank), by their layer's name and `.A` or `.B`."""


def write_gguf(path: Path, weights: Weights, model_type: str, alpha: int, title: str) -> None:
    """What `--lora` of llama.cpp takes, in half precision. Raises InputError for a model that no
    such file is written for."""
    draft = path.with_suffix(".new")
    writer = gguf.GGUFWriter(draft, architecture(model_type))
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, float(alpha))
    writer.add_name(title)
    for name, matrix in sorted(weights.items()):
        layer, _, which = name.rpartition(".")
        writer.add_tensor(f"{gguf_name(layer)}.lora_{which.lower()}", matrix.astype(np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    draft.replace(path)


def write_folder(folder: Path, weights: Weights, rank: int, alpha: int, base: str) -> None:
    """The same weights as peft writes them."""
    folder.mkdir(parents=True, exist_ok=True)
    named = {}
    for name, matrix in weights.items():
        layer, _, which = name.rpartition(".")
        named[peft_name(layer, which)] = np.ascontiguousarray(matrix.astype(np.float32))
    save_file(named, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    layers = {name.rpartition(".")[0].rpartition(".")[2] for name in weights}
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": rank,
        "lora_alpha": alpha,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": sorted(layers & {key.rpartition(".")[2] for key in LINEAR}),
    }
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=1), "utf-8")
