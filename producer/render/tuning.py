"""Tuned models: their pairs, their verdicts, how they are served."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from producer.render.terminal import Row, plain_table
from producer.tune.export import CHATML, MANIFEST, PAIRS, WHY
from producer.tune.registry import Verdict
from producer.tune.serve import Served

HEADINGS = ("model", "served as", "tuned from", "adapter", "data", "eval", "right", "state", "by")


def exported(made: Mapping[str, Any], folder: Path) -> Iterator[str]:
    """What `tune export` wrote, and of what."""
    yield f"{made['rows']} pairs for {made['model']} in {folder}: {PAIRS}, {CHATML}, {MANIFEST}"
    for why, count in made["left_out"].items():
        yield f"{count} rows left out: they {WHY[why]}"
    examples = "with" if made["examples"] else "without"
    yield f"prompts as workers send them, {examples} examples; data {made['data_hash'][:8]}"
    if made["asked"] == "assumed":
        yield (
            f"{made['model']} did not answer: its prompts are those of a model that reads system "
            "messages and keeps to schemas. Export again while it is served, to be sure"
        )


def judged(number: int, base: str, tuned: str, found: Verdict) -> Iterator[str]:
    """A tuned model beside its base."""
    for task, one in found.tasks.items():
        low, high = one.interval
        yield (
            f"{task}: {tuned} is right {one.value:+.3f} [{low:+.3f}, {high:+.3f}] against {base}"
            f" on the same {one.n} texts (p = {one.p:.3g})"
        )
    said = "better than its base" if found.better else "not better than its base beyond chance"
    yield f"model {number} of the registry: {said}"


def served(found: Served) -> Iterator[str]:
    """What to do so that an engine serves a tuned model."""
    for path in found.written:
        yield f"wrote {path}"
    yield from found.made.commands
    if found.made.toml:
        yield f"\n# docmill.toml\n{found.made.toml}"
    if found.known is None:
        yield (
            "It was not measured yet, and has no work: load it, then\n"
            f"  docmill tune eval --gold NAME --base ENGINE/MODEL --tuned {found.place} "
            f"--training {found.folder}"
        )
        return
    anyway = "" if found.known["better"] else " although it is not better than its base"
    yield f"model {found.known['model']} of the registry is noted as served{anyway}"
    if found.tasks:
        yield "\n# docmill.toml, so that it has the work; then `docmill config apply`"
        yield found.tasks


def table(rows: Sequence[Row]) -> Table:
    """The registry, newest first."""
    made = plain_table()
    made.caption = "right: the tuned one, its base, then any others"
    for heading in HEADINGS:
        made.add_column(heading, overflow="fold")
    for row in rows:
        made.add_row(*map(escape, cells(row)))
    return made


def cells(row: Row) -> list[str]:
    """A row of the registry, under HEADINGS."""
    return [
        str(row["model"]),
        row["place"],
        row["base"],
        (row["adapter_hash"] or "unknown")[:8],
        (row["data_hash"] or "unknown")[:8],
        str(row["eval"] or "deleted"),
        "; ".join(_right(task, found, row) for task, found in row["scores"].items()),
        _state(row),
        ", ".join(row["served_by"]) or "nobody",
    ]


def _right(task: str, found: Mapping[str, Mapping[str, int]], row: Row) -> str:
    """The tuned one, its base, then the others that were measured."""
    first = [place for place in (row["place"], row["base"]) if place in found]
    others = [place for place in found if place not in first]
    shares: Sequence[str] = [
        f"{found[place]['right']}/{found[place]['n']}" for place in (*first, *others)
    ]
    return f"{task} {', '.join(shares)}"


def _state(row: Row) -> str:
    if row["served_at"] is None:
        return "better" if row["better"] else "not better"
    return "served anyway" if row["anyway"] else "served"
