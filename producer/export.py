"""Results as files: JSON lines, JSON, CSV for spreadsheets, Parquet for data people. Streamed."""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from models.errors import ConfigError
from models.terminal import to_json
from models.words import Ruling
from producer.query import DOCUMENT_KEYS, RESULT_KEYS, AnswerKeys

Row = Mapping[str, Any]

PARQUET_BLOCK = 10_000

BYTE_ORDER_MARK = "\ufeff"
"""Without it spreadsheets take the UTF-8 of a CSV for the signs of another encoding."""

SIGN = r"[=+\-@＝＋－＠﹦﹢﹣﹫]"
FORMULA = re.compile(rf"[\t\r\n]|[\s\ufeff\u200b]*{SIGN}")
"""What makes a spreadsheet calculate a cell (OWASP, "CSV Injection"), also after what it trims."""

QUOTED_SIGN = re.compile(f'"({SIGN})')
"""A text in JSON that begins so: a quote that ends one is followed by none of these signs."""

NUMBER = re.compile(r"[+-]?(\d[\d,]*(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
"""A number may begin with a sign: it stays one."""


def write_jsonl(rows: Iterable[Row], out: TextIO) -> None:
    """One object a line, the keys of the contract."""
    for row in rows:
        out.write(to_json(_contract(row)) + "\n")


def write_json(rows: Iterable[Row], out: TextIO) -> None:
    """One array."""
    _write_array(map(_contract, rows), out)


def write_documents(rows: Iterable[Row], out: TextIO) -> None:
    """What became of each document, as one array."""
    _write_array(({key: row[key] for key in DOCUMENT_KEYS} for row in rows), out)


def _write_array(rows: Iterable[Row], out: TextIO) -> None:
    out.write("[")
    for number, row in enumerate(rows):
        out.write(",\n " if number else "\n ")
        out.write(to_json(row))
    out.write("\n]\n")


def write_csv(rows: Iterable[Row], out: TextIO, keys: AnswerKeys) -> None:
    """Columns for the answers' own keys after those of the contract; for spreadsheets."""
    columns = _columns(keys)
    out.write(BYTE_ORDER_MARK)
    writer = csv.DictWriter(out, columns, extrasaction="ignore")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: csv_cell(cell) for key, cell in _flat(row, keys).items()})


def write_parquet(rows: Iterable[Row], path: Path, keys: AnswerKeys) -> None:
    """Every column as text or number. Raises ConfigError when pyarrow is not installed."""
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError as exc:
        raise ConfigError("--format parquet needs pyarrow: pip install 'docmill[parquet]'") from exc
    schema = arrow.schema([(name, _arrow_type(arrow, name)) for name in _columns(keys)])
    with parquet.ParquetWriter(path, schema) as writer:
        for block in _blocks(_flat(row, keys) for row in rows):
            cells = [{key: _parquet_cell(key, cell) for key, cell in row.items()} for row in block]
            writer.write_table(arrow.Table.from_pylist(cells, schema=schema))


def _contract(row: Row) -> dict[str, Any]:
    return {key: row[key] for key in RESULT_KEYS}


def _columns(keys: AnswerKeys) -> list[str]:
    own = [f"value.{key}" for key in keys.values]
    return [*RESULT_KEYS, *own, *(f"normalised.{key}" for key in keys.normalised)]


def _flat(row: Row, keys: AnswerKeys) -> dict[str, Any]:
    value = row["value"] if isinstance(row["value"], dict) else {}
    answers = {f"value.{key}": value.get(key) for key in keys.values}
    forms = {f"normalised.{key}": _normalised(row, key) for key in keys.normalised}
    return {**_contract(row), **answers, **forms}


def _normalised(row: Row, field: str) -> Any:
    """Of the value as it was given: nothing beside one that a person changed."""
    ruling = (row["corrected"] or {}).get(field, {}).get("ruling", Ruling.CONFIRMED)
    check = (row["fields"] or {}).get(field, {})
    return check.get("normalised") if ruling == Ruling.CONFIRMED else None


def csv_cell(value: Any) -> Any:
    """Text from documents must not run as a formula when the file is opened in a spreadsheet, nor
    a text in JSON where commas and quotes are not what the spreadsheet parts cells by."""
    if isinstance(value, (dict, list)):
        return QUOTED_SIGN.sub(lambda sign: f'"\\u{ord(sign[1]):04x}', _json(value))
    if isinstance(value, str) and FORMULA.match(value) and not NUMBER.fullmatch(value):
        return f"'{value}"
    return value


def unguarded(cell: str) -> str:
    """A cell without the guard that `csv_cell` may have put in front."""
    text = cell.removeprefix("'")
    return text if cell != text and csv_cell(text) == cell else cell


def _parquet_cell(name: str, value: Any) -> Any:
    if isinstance(value, (dict, list)):
        return _json(value)
    return str(value) if name.startswith("value.") and value is not None else value


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


FLAGS = {"grounded", "accepted"}
NUMBERS = {"batch", "job", "chunk", "attempts", "input_tokens", "output_tokens", "latency_ms"}


def _arrow_type(arrow: Any, name: str) -> Any:
    if name in NUMBERS:
        return arrow.int64()
    return arrow.bool_() if name in FLAGS else arrow.string()


def _blocks(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while block := list(islice(rows, PARQUET_BLOCK)):
        yield block
