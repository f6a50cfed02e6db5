"""What servers of one's own tell of a model, beside what all OpenAI-compatible ones do. Pure.

llama-server: https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md (`/props`).
vLLM: vllm/entrypoints/serve/tokenize/protocol.py and `max_model_len` in its list of models.
"""

from typing import Any

from worker.llm.counts import count
from worker.llm.engine import Told

GREETING = {"role": "user", "content": "Hello"}


def by_llama_server(props: object) -> Told | None:
    """What `/props` says; None: no llama-server said it. The window is that of one slot."""
    said = _mapping(props)
    defaults = said.get("default_generation_settings")
    if not isinstance(defaults, dict):
        return None
    sees = _mapping(said.get("modalities")).get("vision")
    return Told(
        str(said.get("chat_template") or ""),
        count(defaults.get("n_ctx")),
        sees if isinstance(sees, bool) else None,
    )


def vllms_window(listing: object, model: str) -> int | None:
    """The window of a model in a list of models; None: it says nothing of it."""
    entries = _mapping(listing).get("data")
    listed = map(_mapping, entries if isinstance(entries, list) else [])
    named = (entry for entry in listed if entry.get("id") == model)
    return next((count(entry.get("max_model_len")) for entry in named), None)


def vllms_template(tokenized: object) -> str:
    """What is put around a greeting, marker by marker; empty where it is not told."""
    pieces = _mapping(tokenized).get("token_strs")
    return "".join(map(str, pieces)) if isinstance(pieces, list) else ""


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
