"""The training itself: all that needs the extra `tune` (torch, transformers, gguf)."""
