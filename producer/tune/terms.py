"""Whose answers may be trained on: providers' terms, as far as they speak of it. Pure.

A label that people only looked at is still the answer of the model that gave it.
"""

import re
from collections.abc import Mapping

FORBID: Mapping[str, re.Pattern[str]] = {
    "Anthropic": re.compile(r"\bclaude|\banthropic\b"),
    "OpenAI": re.compile(r"\bopenai/|\bgpt-(?!oss)|\bchatgpt|\bo[134](-|\b)"),
    "Google": re.compile(r"\bgemini"),
    "xAI": re.compile(r"\bgrok|\bx-ai\b"),
}
"""Words of model names, by the maker whose terms of service forbid, as far as is known, to train
models that compete with its own on its answers. A contract may say otherwise."""


def forbidding(model: str | None) -> str | None:
    """The maker whose terms forbid to train on a model's answers, by ENGINE/MODEL; None: none that
    is known, or nobody's answer."""
    name = (model or "").partition("/")[2].lower()
    return next((maker for maker, words in FORBID.items() if words.search(name)), None)
