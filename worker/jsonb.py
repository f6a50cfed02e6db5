"""Values on their way to engines and into Postgres' jsonb: money stays exact, ids stay ids."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
from psycopg.types.json import Jsonb

UNSTORABLE = re.compile("(?<!\\\\)(?:\\\\\\\\)*\\\\u0000|[\ud800-\udfff]")
"""What an engine may write and Postgres' jsonb cannot hold: NUL and halves of characters."""

NUL = b"\\u0000"


def as_json(rows: Sequence[Any]) -> Jsonb:
    """Rows, which are dataclasses or dictionaries, as one jsonb parameter."""
    return Jsonb(list(rows))


def dumps(value: Any) -> bytes:
    """JSON for a jsonb parameter. Decimals and UUIDs go as strings, which Postgres casts."""
    try:
        said = orjson.dumps(value, default=_plain)
    except orjson.JSONEncodeError:  # half a character, or a whole number beyond 64 bits
        said = NUL
    if NUL not in said:
        return said
    text = json.dumps(value, default=_plain, ensure_ascii=False)
    return UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text).encode()


def canonical(value: Any) -> bytes:
    """The same bytes for equal values, whatever they hold: for hashing."""
    try:
        return orjson.dumps(value, default=_plain, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        text = json.dumps(value, default=_plain, ensure_ascii=False, sort_keys=True)
        return text.encode("utf-8", "surrogatepass")


def _plain(value: Any) -> Any:
    if isinstance(value, (Decimal, UUID)):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):  # orjson does these by itself
        return asdict(value)
    raise TypeError(f"not JSON: {type(value).__name__}")
