"""Values on their way into Postgres' jsonb: money stays exact, ids stay ids."""

import json
import re
from decimal import Decimal
from typing import Any
from uuid import UUID

UNSTORABLE = re.compile("(?<!\\\\)(?:\\\\\\\\)*\\\\u0000|[\ud800-\udfff]")
"""What an engine may write and Postgres' jsonb cannot hold: NUL and halves of characters."""


def dumps(value: Any) -> str:
    """JSON for a jsonb parameter. Decimals and UUIDs go as strings, which Postgres casts."""
    text = json.dumps(value, default=_plain, ensure_ascii=False)
    return UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def _plain(value: Any) -> Any:
    if isinstance(value, (Decimal, UUID)):
        return str(value)
    raise TypeError(f"not JSON: {type(value).__name__}")
