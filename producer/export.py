"""Results as files: JSON lines, JSON, CSV for spreadsheets, Parquet for data people. Streamed."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from models.errors import ConfigError
from producer.query import RESULT_KEYS

Row = Mapping[str, Any]

PARQUET_BLOCK = 10_000
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def write_jsonl(rows: Iterable[Row], out: TextIO) -> None:
    """One object a line, the keys of the contract."""
    for row in rows:
        out.write(json.dumps(_contract(row), ensure_ascii=False) + "\n")


def write_json(rows: Iterable[Row], out: TextIO) -> None:
    """One array."""
    out.write("[")
    for number, row in enumerate(rows):
        out.write(",\n " if number else "\n ")
        out.write(json.dumps(_contract(row), ensure_ascii=False))
    out.write("\n]\n")


def write_csv(rows: Iterable[Row], out: TextIO, value_keys: list[str]) -> None:
    """A column per key of the answers, after the columns of the contract."""
    columns = [*RESULT_KEYS, *(f"value.{key}" for key in value_keys)]
    writer = csv.DictWriter(out, columns, extrasaction="ignore")
    writer.writeheader()
    for row in rows:
        writer.writerow(_flat(row, value_keys))


def write_parquet(rows: Iterable[Row], path: Path, value_keys: list[str]) -> None:
    """Every column as text or number. Raises ConfigError when pyarrow is not installed."""
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError as exc:
        raise ConfigError("--format parquet needs pyarrow: pip install 'docmill[parquet]'") from exc
    columns = [*RESULT_KEYS, *(f"value.{key}" for key in value_keys)]
    schema = arrow.schema([(name, _arrow_type(arrow, name)) for name in columns])
    with parquet.ParquetWriter(path, schema) as writer:
        for block in _blocks(_flat(row, value_keys, safe=False) for row in rows):
            writer.write_table(arrow.Table.from_pylist(block, schema=schema))


def _contract(row: Row) -> dict[str, Any]:
    return {key: row[key] for key in RESULT_KEYS}


def _flat(row: Row, value_keys: list[str], *, safe: bool = True) -> dict[str, Any]:
    guard = _unformulated if safe else _same
    flat = {key: guard(_cell(row[key])) for key in RESULT_KEYS}
    value = row["value"] if isinstance(row["value"], dict) else {}
    for key in value_keys:
        cell = _cell(value.get(key))
        flat[f"value.{key}"] = _unformulated(cell) if safe else _as_text(cell)
    return flat


def _same(cell: Any) -> Any:
    return cell


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value


def _as_text(cell: Any) -> str | None:
    return None if cell is None else str(cell)


def _unformulated(cell: Any) -> Any:
    """Text from documents must not run as a formula when the file is opened in a spreadsheet."""
    if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) and not _is_number(cell):
        return "'" + cell
    return cell


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", ""))
    except ValueError:
        return False
    return True


NUMBERS = {"batch", "chunk", "attempts", "input_tokens", "output_tokens", "latency_ms"}


def _arrow_type(arrow: Any, name: str) -> Any:
    if name in NUMBERS:
        return arrow.int64()
    return arrow.bool_() if name == "grounded" else arrow.string()


def _blocks(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while block := list(islice(rows, PARQUET_BLOCK)):
        yield block
