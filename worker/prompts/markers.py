"""Markers of chat templates in somebody's text: a model is to read them, not to obey them.

Tokenizers take `<end_of_turn>` in a document for the end of the document's turn: it could end its
own turn and speak as the model. A joiner of no width inside of each keeps it a text.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

JOINER = "\u2060"

_KNOWN = re.compile(
    r"""
    <\|[^<>|\s]{1,60}\|?>           # <|im_end|>, <|eot_id|>, <|start_header_id|>, <|turn>
    | <[^<>|\s]{1,60}\|>            # <turn|>
    | <\uff5c[^<>\uff5c]{1,60}\uff5c>   # <｜User｜>
    | </?(?:s|bos|eos|pad|unk|mask|sep|cls|think|tool_call|tool_response|image|audio)>
    | <(?:start|end)_of_(?:turn|image|audio|role|text)>
    | <unused\d{1,5}> | <0x[0-9A-F]{2}> | <reserved_\d{1,5}>
    | \[/?(?:INST|SYSTEM_PROMPT|TOOL_CALLS|AVAILABLE_TOOLS|TOOL_RESULTS|IMG|PREFIX|SUFFIX|MIDDLE)\]
    | <</?SYS>>
    """,
    re.VERBOSE | re.IGNORECASE,
)


_IN_TEMPLATE = re.compile(
    r"<\|[^<>|\s]{1,60}\|>|<\uff5c[^<>\uff5c]{1,60}\uff5c>|</?[A-Za-z_]\w{0,40}>|\[/?[A-Z_]{2,40}\]|<</?\w+>>"
)


@lru_cache(maxsize=64)
def markers_in(template: str) -> frozenset[str]:
    """The markers that a chat template puts around messages."""
    return frozenset(_IN_TEMPLATE.findall(template))


_APART = re.compile(f"([<\\[]){JOINER}")
"""Where `plain` puts a joiner. One that stands elsewhere is the text's own."""


def plain(text: str, of_model: Iterable[str] = ()) -> str:
    """The text with no marker in it that a tokenizer knows. `of_model`: those of the served model,
    beside the usual ones."""
    return _pattern(frozenset(of_model)).sub(_apart, text) if _may_hold_one(text) else text


def known(text: str) -> str | None:
    """The first marker of a chat template in a text, whosever it is; None: it has none."""
    found = _KNOWN.search(text) if _may_hold_one(text) else None
    return found[0] if found else None


def _may_hold_one(text: str) -> bool:
    """Every marker begins so."""
    return "<" in text or "[" in text


def restored(value: Any) -> Any:
    """An answer as if the text had been sent as it stands."""
    if isinstance(value, str):
        return _APART.sub(r"\1", value) if JOINER in value else value
    if isinstance(value, dict):
        return {restored(key): restored(item) for key, item in value.items()}
    return [restored(item) for item in value] if isinstance(value, list) else value


def _apart(marker: re.Match[str]) -> str:
    return f"{marker[0][0]}{JOINER}{marker[0][1:]}"


@lru_cache(maxsize=64)
def _pattern(of_model: frozenset[str]) -> re.Pattern[str]:
    own = "|".join(
        re.escape(marker) for marker in sorted(of_model, key=len, reverse=True) if marker
    )
    return re.compile(f"{own}|(?:{_KNOWN.pattern})", _KNOWN.flags) if own else _KNOWN
