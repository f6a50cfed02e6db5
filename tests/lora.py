"""A LoRA of the embedded model as a GGUF file, made by hand: small, and of known effect."""

import struct
from pathlib import Path

# Of Gemma 3 270M: hidden size, and the width of all heads of a layer's queries.
HIDDEN, QUERIES, LAYERS = 640, 1024, 18
ALIGNMENT = 32
_STRING, _FLOAT32, _F32_TENSOR = 8, 6, 0


def write_lora(path: Path, *, strength: float, layers: int = LAYERS) -> Path:
    """Write an adapter of rank 1 for the queries of every layer; at strength 0 it changes nothing.

    The format is GGUF version 3: header, metadata, a table of tensors, their data.
    """
    tensors: list[tuple[str, tuple[int, int], list[float]]] = []
    for layer in range(layers):
        name = f"blk.{layer}.attn_q.weight"
        tensors.append((f"{name}.lora_a", (HIDDEN, 1), [strength] * HIDDEN))
        tensors.append((f"{name}.lora_b", (1, QUERIES), [strength] * QUERIES))
    words = {
        "general.architecture": "gemma3",
        "general.type": "adapter",
        "adapter.type": "lora",
    }
    head = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(words) + 1)
    for key, word in words.items():
        head += _text(key) + struct.pack("<I", _STRING) + _text(word)
    head += _text("adapter.lora.alpha") + struct.pack("<If", _FLOAT32, 1.0)
    offset, data = 0, b""
    for name, shape, numbers in tensors:
        head += _text(name) + struct.pack("<IQQIQ", 2, *shape, _F32_TENSOR, offset)
        data += _aligned(struct.pack(f"<{len(numbers)}f", *numbers))
        offset = len(data)
    path.write_bytes(_aligned(head) + data)
    return path


def _text(word: str) -> bytes:
    raw = word.encode()
    return struct.pack("<Q", len(raw)) + raw


def _aligned(raw: bytes) -> bytes:
    return raw + b"\0" * (-len(raw) % ALIGNMENT)
