"""What Postgres really did for a statement: every scan of it, and of the triggers and functions
that it set off, with the rows that it looked at. By auto_explain, which comes with Postgres."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg

from tests.rows import Connection

SETTINGS = (
    "LOAD 'auto_explain'",
    "SET auto_explain.log_min_duration = 0",
    "SET auto_explain.log_nested_statements = on",
    "SET auto_explain.log_analyze = on",
    "SET auto_explain.log_buffers = on",
    "SET auto_explain.log_timing = off",
    "SET auto_explain.log_format = json",
    "SET auto_explain.log_level = notice",
)


@dataclass(frozen=True, slots=True)
class Scan:
    """One look into a table or an index."""

    kind: str
    table: str | None
    index: str | None
    rows: float
    """That it looked at, those among them that it had no use for."""
    keyed: bool
    """Whether it looked for a key, or for a range of keys."""
    pages: int
    """Of 8 KiB, that it looked at, whether they were in memory or not."""

    def __str__(self) -> str:
        return f"{self.kind} of {self.index or self.table}: {self.rows:.0f} rows"


@dataclass(slots=True)
class Looked:
    """All that a block of statements did."""

    scans: list[Scan] = field(default_factory=list)

    def of(self, *tables: str) -> list[Scan]:
        """The looks into these tables."""
        return [scan for scan in self.scans if scan.table in tables]


@contextmanager
def explained(db: Connection) -> Iterator[Looked]:
    """What the statements of this block do on this session."""
    for setting in SETTINGS:
        db.execute(setting)
    looked = Looked()

    def hear(notice: psycopg.errors.Diagnostic) -> None:
        _, is_plan, plan = (notice.message_primary or "").partition("plan:\n")
        if is_plan:
            _add(looked, json.loads(plan)["Plan"])

    db.add_notice_handler(hear)
    try:
        yield looked
        db.execute("SET auto_explain.log_min_duration = -1")
    finally:
        db.remove_notice_handler(hear)


def _add(looked: Looked, plan: dict[str, Any]) -> None:
    looked.scans += (_scan(node) for node in _nodes(plan) if _is_scan(node))


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", []):
        yield from _nodes(below)


def _is_scan(node: dict[str, Any]) -> bool:
    return "Relation Name" in node or "Index Name" in node


def _scan(node: dict[str, Any]) -> Scan:
    seen = node.get("Actual Rows", 0) + sum(
        node.get(f"Rows Removed by {what}", 0) for what in ("Filter", "Index Recheck")
    )
    kind = node["Node Type"]
    return Scan(
        kind,
        node.get("Relation Name"),
        node.get("Index Name"),
        seen * node.get("Actual Loops", 0),
        # the index scan below a bitmap's says what it read
        "Index Cond" in node or "TID Cond" in node or kind in ("Bitmap Heap Scan", "ModifyTable"),
        node.get("Shared Hit Blocks", 0) + node.get("Shared Read Blocks", 0),
    )
