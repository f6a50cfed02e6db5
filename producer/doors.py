"""What the longer commands do between parsing and printing."""

import base64
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from models.config import load_config
from models.settings import settings
from models.spec import Spec, load_schema, load_spec, make_spec
from producer import export, processes, query, render
from producer.money import Currency, currency
from producer.sources import Accepted, Source, gather
from producer.submit import submit as store

LOOK_S = 0.5
"""How often watch looks."""


def spec_from_options(
    spec: Path | None,
    asks: Sequence[str] | None,
    fields: str | None,
    schema: Path | None,
    task: str | None,
    scope: str | None,
    policy: str | None,
    name: str | None,
    priority: int | None,
    max_cost: Decimal | None,
    no_reuse: bool,
) -> Spec:
    """The batch's spec: from the file, with the options over it. Raises ConfigError."""
    options = {"policy": policy, "name": name, "priority": priority, "max_cost": max_cost}
    options["reuse"] = False if no_reuse else None
    given = {key: value for key, value in options.items() if value is not None}
    if spec is not None:
        checked = make_spec({"asks": [{"ask": "-"}], **given}, "options")
        return load_spec(spec).model_copy(update=checked.model_dump(include=set(given)))
    shape: dict[str, Any] = {"task": task, "scope": scope or "chunk"}
    if fields:
        shape["fields"] = [field.strip() for field in fields.split(",")]
    if schema:
        shape["schema"] = load_schema(schema)
    return make_spec({"asks": [{"ask": ask, **shape} for ask in asks or ()], **given}, "options")


def submit(spec: Spec, paths: Sequence[str], *, as_json: bool, follow: bool) -> int:
    """Store the batch and say so; exit code 1 when nothing could be submitted."""
    file_mb = load_config(settings().docmill_config).limits.file_mb
    result = store(spec, gather(paths, sys.stdin.buffer, file_mb))
    if as_json:
        _print_json(result.as_json())
    else:
        render.submitted(result)
    if result.batch is None:
        return 1
    return watch(result.batch, as_json) if follow else 0


def plan(spec: Spec, paths: Sequence[str], *, as_json: bool) -> int:
    """Read and cut the documents and count, without storing or sending any of them."""
    file_mb = load_config(settings().docmill_config).limits.file_mb
    sources = gather(paths, sys.stdin.buffer, file_mb)
    return processes.run_worker_module(
        "plan", *(["--json"] if as_json else []), lines=_plan_lines(spec, sources)
    )


def _plan_lines(spec: Spec, sources: Iterable[Source]) -> Iterator[str]:
    yield spec.model_dump_json(by_alias=True)
    for source in sources:
        if isinstance(source, Accepted):
            data = base64.b64encode(source.data).decode()
            document = {"path": source.path, "media_type": source.media_type, "data": data}
            yield json.dumps(document)
        else:
            render.refused(source)


def watch(batch: int, as_json: bool, check: Callable[[], None] | None = None) -> int:
    """Follow a batch to its end, whatever its jobs come to; `check` runs at each look."""
    if as_json:
        return _watch_lines(batch)
    with render.Progress(batch) as progress:
        while True:
            found = query.status(batch)
            progress.show(found, query.stages(batch))
            if query.is_over(found):
                break
            if check is not None:
                check()
            time.sleep(LOOK_S)
    _show_status(found)
    return 0


def status(batch: int) -> None:
    """Print how far a batch is, what it cost, and what went wrong."""
    _show_status(query.status(batch))


def _show_status(found: dict[str, Any]) -> None:
    batch = found["batch"]
    costs = query.costs_explained(batch, "model") if found["cost_unknown_calls"] else []
    stages, failures = query.stages(batch), query.failures(batch)
    render.status(found, stages, failures, costs, shown_currency())


def costs(batch: int | None, by: str) -> None:
    """Print the ledger summed up."""
    render.costs(query.costs_explained(batch, by), by, shown_currency())


def shown_currency() -> Currency | None:
    """The currency that docmill.toml wants beside USD. Raises ConfigError."""
    path = settings().docmill_config
    return currency(load_config(path).display, path.name)


def _watch_lines(batch: int) -> int:
    last: dict[str, Any] | None = None
    while True:
        found = query.status(batch)
        if found != last:
            _print_json(found)
            sys.stdout.flush()
            last = found
        if query.is_over(found):
            return 0
        time.sleep(LOOK_S)


def results(
    batch: int | None, filters: Mapping[str, str | None], form: str, out: Path | None
) -> None:
    """Print or write the answers in the form that was asked for."""
    rows = query.results(batch, **filters)
    if form == "table":
        render.results(rows)
        return
    if form == "parquet":
        assert out is not None
        export.write_parquet(rows, out, query.value_keys(batch))
        return
    with out.open("w", encoding="utf-8", newline="") if out else _Standard() as file:
        if form == "csv":
            export.write_csv(rows, file, query.value_keys(batch))
        else:
            {"json": export.write_json, "jsonl": export.write_jsonl}[form](rows, file)


class _Standard:
    """Standard output as a context that does not close it."""

    def __enter__(self) -> Any:
        return sys.stdout

    def __exit__(self, *_: object) -> None:
        sys.stdout.flush()


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")
