"""make bench: every figure, side by side in one run, as a table and as JSON.

python -m benchmarks [--smoke] [--only f,g] [--out benchmarks/out/bench.json]
"""

import argparse
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import (
    escalation,
    field_checks,
    fleet,
    footprint,
    hosts,
    journal,
    limits,
    occupancy,
    own_checks,
    reading,
    real_model,
    routing,
    scale,
    strokes,
    throughput,
    tokens,
    urgent,
)
from benchmarks.rig import Measured


def main() -> None:
    """Run what was asked for. The exit code says only that it ran: figures are for reading."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="tiny sizes: does it run at all?")
    parser.add_argument("--only", help="letters of the parts; all of them when left out")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/out/bench.json"))
    chosen = parser.parse_args()
    results = []
    parts = chosen.only.split(",") if chosen.only else None
    for measured in _all(parts, smoke=chosen.smoke):
        print(f"{measured.name}: {measured.figure:.3g} {measured.unit}", flush=True)
        results.append(measured)
    _show(results)
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps([{**asdict(m), "ok": m.ok} for m in results], indent=1))


def _all(parts: list[str] | None, *, smoke: bool) -> Iterator[Measured]:
    runs: dict[str, Iterable[Measured]] = {
        "a": throughput.run(40 if smoke else 4000),
        "b": occupancy.run([(0.05, 4)], 1.0) if smoke else occupancy.run(occupancy.CELLS),
        "c": limits.run(limits.CASES[:1], (2,), 3.0, 6.0) if smoke else limits.run(limits.CASES),
        "d": reading.run(4, 100) if smoke else reading.run(),
        "e": urgent.run(1_000 if smoke else 100_000),
        "f": footprint.run(200 if smoke else 100_000),
        "g": real_model.run(1, 3) if smoke else real_model.run(5, 10),
        "h": scale.run_sizes(scale.TINY, scale.TINIEST) if smoke else scale.run_sizes(),
        "j": journal.run(2, 4) if smoke else journal.run(600, 1024),
        "k": strokes.run(1_000, 2_000, 2_000) if smoke else strokes.run(200_000, 1_000_000, 20_000),
        "l": hosts.run(2.0, 3.0) if smoke else hosts.run(),
        "m": fleet.run(2.0, 4, 3.0) if smoke else fleet.run(),
        "n": field_checks.run(10) if smoke else field_checks.run(),
        "o": routing.run(60, 2) if smoke else routing.run(),
        "p": own_checks.run(1) if smoke else own_checks.run(),
        "q": escalation.run(10) if smoke else escalation.run(),
        "r": tokens.run(50) if smoke else tokens.run(),
    }
    for part in parts or runs:
        yield from runs[part]


def _show(results: list[Measured]) -> None:
    table = Table("figure", "measured", "bar", "")
    for one in results:
        bar = "" if one.bar is None else f"{'<=' if one.at_most else '>='} {one.bar:g}"
        mark = {True: "ok", False: "short", None: ""}[one.ok]
        table.add_row(one.name, f"{one.figure:,.3g} {one.unit}", bar, mark)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
