"""What weights are called: in transformers, in llama.cpp's GGUF and in peft's folders."""

import re

from models.errors import InputError

LINEAR = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.qkv_proj": "attn_qkv",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "mlp.gate_up_proj": "ffn_up",
}
"""The linear layers of a block, as transformers and as GGUF call them. Phi has some of them in
one."""

ARCHITECTURES = {"gemma3_text": "gemma3", "gemma3": "gemma3", "gemma2": "gemma2"} | {
    "phi3": "phi3",
    "qwen2": "qwen2",
    "qwen3": "qwen3",
}
"""By transformers' `model_type`. llama.cpp turns the rows of llama's and mistral's queries and keys
around; an adapter of theirs would need it too, and is made with llama.cpp's own converter."""

_LAYER = re.compile(r"layers\.(\d+)\.(.+)$")


def architecture(model_type: str) -> str:
    """llama.cpp's word for a model. Raises InputError for one that no adapter is written for."""
    if model_type not in ARCHITECTURES:
        known = ", ".join(sorted(set(ARCHITECTURES.values())))
        raise InputError(
            f"no GGUF adapter is written for models of the type {model_type} (written for: "
            f"{known}); the folder that vLLM loads is written for all"
        )
    return ARCHITECTURES[model_type]


def is_linear(name: str) -> bool:
    """Whether a module of a model in transformers gets an adapter."""
    found = _LAYER.search(name)
    return found is not None and found[2] in LINEAR and "vision" not in name


def gguf_name(name: str) -> str:
    """`model.layers.3.self_attn.q_proj` as `blk.3.attn_q.weight`."""
    found = _LAYER.search(name)
    if found is None or found[2] not in LINEAR:
        raise KeyError(name)
    return f"blk.{found[1]}.{LINEAR[found[2]]}.weight"


def peft_name(name: str, matrix: str) -> str:
    """`model.layers.3.self_attn.q_proj` and A as peft's folders have it."""
    return f"base_model.model.{name}.lora_{matrix}.weight"
