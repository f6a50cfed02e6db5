"""Gold: texts with their right answers, to measure models with and to train them on.

A row is train or held by its document alone, once and for ever: whoever adds the same document
again, to whichever set, gets the same split.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from psycopg.rows import dict_row
from psycopg.types.json import Json

from models.bounds import NOT_STORED
from models.database import Connection, ready_connection
from models.errors import InputError, NotFound
from models.schema import place, validator
from models.spec import check_schema, fields_schema
from models.sql import load_sql
from models.words import SEPARATOR, Split, TaskType, split_of
from producer.corrections import Answer, is_settled, kept_kinds, leaves
from producer.lines import Problems, json_lines
from producer.query import FETCH, Row, every, in_order, one, require

BLOCK = 200
"""Rows that are stored at a time: each holds a text."""

NAME = re.compile(r"[^\s/\\.-][^\s/\\]{0,79}")
DIGEST = re.compile(r"[0-9a-f]{64}")

OWN = "own"
"""The licence of documents that were submitted, unless it is said."""


@dataclass(frozen=True, slots=True)
class Gold:
    """A text with its right answer. `document` is the SHA-256 of its document in hex."""

    document: str
    task: str
    ask: str
    schema: Mapping[str, Any] | None
    """None: the task's own."""
    text: str
    value: Mapping[str, Any]
    source: str
    licence: str
    local_only: bool = False
    language: str | None = None
    model: str | None = None
    """Whose answer people looked at."""
    job: int | None = None
    """The job with whose purge it goes."""

    @property
    def split(self) -> Split:
        """What it may be used for."""
        return split_of(self.document)

    @property
    def key(self) -> str:
        """Equal for rows that ask the same of the same text."""
        return key_of(self.ask, self.schema, self.text)


def key_of(ask: str, schema: Mapping[str, Any] | None, text: str) -> str:
    """Equal for the same question about the same text."""
    asked = json.dumps([ask, schema, text], sort_keys=True)
    return hashlib.sha256(asked.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds for the lines of a file that do not say it themselves."""

    ask: str | None = None
    task: str | None = None
    source: str | None = None
    licence: str | None = None
    local_only: bool = False


@dataclass(slots=True)
class Added:
    """What became of rows that were to be added. `unsettled`: jobs with values that nobody vouches
    for."""

    fresh: int = 0
    replaced: int = 0
    unsettled: int = 0
    first_unsettled: int | None = None


def set_name(given: str) -> str:
    """The name of a gold set. Raises InputError."""
    if not NAME.fullmatch(given) or NOT_STORED.search(given):
        raise InputError(
            "a gold set's name has 1 to 80 characters, no space or slash, and begins with no dot "
            f"or dash; found {given[:90]!r}"
        )
    return given


def read_row(row: Mapping[str, Any], defaults: Defaults) -> Gold:
    """A labelled line as a row of gold. Raises InputError."""
    text = _word(row, "text", None)
    value, task, own = _labelled(row)
    schema = row.get("schema", own)
    _check(value, schema)
    gold = Gold(
        document=_document(row.get("document"), text),
        task=_task(row.get("task", defaults.task or task)),
        ask=_word(row, "ask", defaults.ask),
        schema=schema,
        text=text,
        value=value,
        source=_word(row, "source", defaults.source),
        licence=_word(row, "licence", defaults.licence),
        local_only=defaults.local_only or row.get("local_only") is True,
        language=row.get("language") and _word(row, "language", None),
        model=row.get("model") and _word(row, "model", None),
    )
    if row.get("split", gold.split) != gold.split:
        raise InputError(
            f"its document is {gold.split} by its hash, once and for ever; found {row['split']!r}"
        )
    return gold


def _word(row: Mapping[str, Any], key: str, default: str | None) -> str:
    found = row.get(key, default)
    if found is None:
        raise InputError(f'needs "{key}", in the line or as --{key}')
    if not isinstance(found, str) or not found.strip() or NOT_STORED.search(found):
        raise InputError(f'"{key}" must be text that can be stored, found {str(found)[:40]!r}')
    return found


def _labelled(row: Mapping[str, Any]) -> tuple[dict[str, Any], str, dict[str, Any] | None]:
    """The answer, the task that it is of where nothing is said, and its schema."""
    if ("fields" in row) == ("label" in row):
        raise InputError('needs "fields" or "label", one of the two')
    if "label" in row:
        return {"label": _word(row, "label", None)}, TaskType.CLASSIFICATION, None
    fields = row["fields"]
    if not isinstance(fields, dict) or not fields:
        raise InputError('"fields" must be an object with the right values')
    texts = (part for path, item in leaves(fields) for part in (*path, item))
    if any(isinstance(part, str) and NOT_STORED.search(part) for part in texts):
        raise InputError('"fields" holds a character that cannot be stored')
    plain = all(item is None or isinstance(item, str) for item in fields.values())
    schema = fields_schema(tuple(fields)) if plain else kept_kinds(fields)
    return fields, TaskType.EXTRACTION, schema


def _check(value: Any, schema: Any) -> None:
    if schema is None:
        return
    try:
        if not isinstance(schema, dict):
            raise ValueError("must be an object")
        check_schema(schema)
        problem = next(validator(schema).iter_errors(value), None)
    except ValueError as exc:
        raise InputError(f'"schema": {exc}') from exc
    if problem is not None:
        raise InputError(f"{place(problem) or 'the answer: '}{problem.message[:300]}")


def _document(given: Any, text: str) -> str:
    if given is None:
        return hashlib.sha256(text.encode()).hexdigest()
    if not isinstance(given, str) or not DIGEST.fullmatch(given):
        raise InputError('"document" must be the SHA-256 of the document, in hex')
    return given


def _task(given: Any) -> str:
    if given not in list(TaskType):
        raise InputError(f'"task" must be one of {", ".join(TaskType)}; found {given!r}')
    return str(given)


def as_json(row: Row) -> dict[str, Any]:
    """A row as `gold export` writes it and `gold import` reads it."""
    named = (row["schema"] or {}).get("properties", {})
    value = in_order(row["value"], {key: place for place, key in enumerate(named)})
    labelled = row["task"] == TaskType.CLASSIFICATION and row["schema"] is None
    answer = {"label": value["label"]} if labelled and set(value) == {"label"} else None
    rest = {key: item for key, item in row.items() if key not in ("value", "text", "ask")}
    return {"text": row["text"], "ask": row["ask"], **(answer or {"fields": value}), **rest}


def add_batch(name: str, batch: int, by: str, *, licence: str = OWN, keep: bool = False) -> Added:
    """Add the answers of a batch that people vouch for; `keep`: they stay when it is purged. Raises
    NotFound."""
    require(batch)
    added, after = Added(), 0
    while rows := every(
        "gold_candidates", batch=batch, after=after, most=BLOCK, separator=SEPARATOR
    ):
        after = rows[-1]["job"]
        settled = [row for row in rows if _is_settled(row, added)]
        with ready_connection() as connection:
            made = [_of_job(row, licence, keep) for row in settled]
            _store(connection, name, made, by, added)
    return added


def _is_settled(row: Row, added: Added) -> bool:
    answer = Answer(
        row["job"],
        row["batch"],
        row["value"],
        row["schema"],
        row["call"],
        rulings=row["rulings"],
        fields=row["fields"],
    )
    if is_settled(answer):
        return True
    added.unsettled += 1
    added.first_unsettled = added.first_unsettled or answer.job
    return False


def _of_job(row: Row, licence: str, keep: bool) -> Gold:
    kept = ("document", "task", "ask", "schema", "text", "value", "local_only", "language", "model")
    return Gold(
        **{key: row[key] for key in kept},
        source=f"batch {row['batch']}, job {row['job']}",
        licence=licence,
        job=None if keep else row["job"],
    )


def import_file(name: str, path: Path, by: str, defaults: Defaults) -> Added:
    """Add labelled JSON lines. Raises InputError that names each line which cannot be used; then
    nothing is stored."""
    added, problems = Added(), Problems(path)
    with (
        path.open(encoding="utf-8-sig") as file,
        ready_connection() as connection,
        connection.transaction(),
    ):
        try:
            rows = _each_once(_read(json_lines(file, problems), defaults, problems), problems)
            while block := list(islice(rows, BLOCK)):
                _store(connection, name, block, by, added)
                if problems.are_enough:
                    break
        except UnicodeDecodeError as exc:
            raise InputError(f"{path}: not UTF-8: {exc}") from exc
        problems.refuse()
    return added


def _read(
    lines: Iterator[tuple[int, dict[str, Any]]], defaults: Defaults, problems: Problems
) -> Iterator[tuple[int, Gold]]:
    for number, row in lines:
        try:
            yield number, read_row(row, defaults)
        except InputError as exc:
            problems.add(number, exc)


def _each_once(rows: Iterator[tuple[int, Gold]], problems: Problems) -> Iterator[Gold]:
    """A text that is asked the same twice has one right answer."""
    seen: dict[str, tuple[int, str]] = {}
    for number, row in rows:
        answer = json.dumps(row.value, sort_keys=True)
        first, earlier = seen.setdefault(row.key, (number, answer))
        if first == number:
            yield row
        elif earlier != answer:
            problems.add(number, f"asks the same as line {first}, with another answer")


def _store(connection: Connection, name: str, rows: Sequence[Gold], by: str, added: Added) -> None:
    once = {row.key: row for row in rows}  # of equal ones the last
    made = [{**asdict(row), "key": row.key, "split": row.split} for row in once.values()]
    params = {"name": name, "added_by": by, "rows": Json(made)}
    with connection.cursor(row_factory=dict_row) as cursor:
        for row in cursor.execute(load_sql("producer", "gold_add"), params):
            added.fresh += row["fresh"]
            added.replaced += not row["fresh"]


def sets() -> list[Row]:
    """Every gold set: its rows, how they are split, tasks and licences."""
    return every("gold_sets")


def require_set(name: str) -> None:
    """Raises NotFound when there is no such set."""
    if not any(row["name"] == name for row in sets()):
        raise NotFound(f"there is no gold set {name}; `docmill gold list` shows those that are")


def refuse_examples(name: str, ask: str) -> None:
    """Raises NotFound where there is no such set, InputError where it has no row that could be an
    example of an answer to this ask."""
    require_set(name)
    asked = every("gold_shows", name=name, ask=ask)
    if not asked or not asked[0]["is_same"]:
        others = ", ".join(repr(row["ask"][:80]) for row in asked) or "nothing"
        raise InputError(
            f"examples: gold set {name} has no train row that was asked {ask[:80]!r}, word for "
            f"word; its train rows were asked {others}"
        )


def rows_of(name: str, split: Split | None = None) -> Iterator[dict[str, Any]]:
    """The rows of a set, streamed, as `gold export` writes them. Raises NotFound."""
    require_set(name)
    return _streamed({"name": name, "split": split})


def _streamed(params: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    with (
        ready_connection() as connection,
        connection.transaction(),
        connection.cursor("gold", row_factory=dict_row) as cursor,
    ):
        cursor.itersize = FETCH
        for row in cursor.execute(load_sql("producer", "gold_rows"), params):
            yield as_json(row)


def remove(name: str) -> int:
    """Take a set away, those of its rows that were to stay too; how many rows. Raises NotFound."""
    row = one("gold_remove", name=name)
    if row is None or not row["rows"]:
        raise NotFound(f"there is no gold set {name}; `docmill gold list` shows those that are")
    return int(row["rows"])
