"""Values on their way into Postgres' jsonb: money stays exact, ids stay ids."""

import json
from decimal import Decimal
from typing import Any
from uuid import UUID


def dumps(value: Any) -> str:
    """JSON for a jsonb parameter. Decimals and UUIDs go as strings, which Postgres casts."""
    return json.dumps(value, default=_plain, ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, (Decimal, UUID)):
        return str(value)
    raise TypeError(f"not JSON: {type(value).__name__}")
