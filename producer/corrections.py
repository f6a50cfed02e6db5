"""What people make of the values of an answer: corrected, absent from the text, or confirmed.

Pure. `edit` are what somebody wants; `rule` makes of them the rows that are stored, or says what is
wrong with them. The answer itself is never written over.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from models.bounds import NOT_STORED
from models.errors import InputError
from models.reasons import FieldOutcome
from models.words import Ruling
from producer.lines import read_json

Path = tuple[str, ...]
"""The steps to a value: keys of objects, and numbers of items from 0."""

Checks = Mapping[str, Mapping[str, Any]]
"""What the checks of an answer's values came to, by field."""

MOST_NAMED = 12
"""Fields that an error names."""

MOST_VALUE_CHARS = 100_000
"""Of one value, as JSON."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it stands, with the corrections so far."""

    job: int
    batch: int
    value: Mapping[str, Any]
    schema: Mapping[str, Any] | None
    """None: the ask has none of its own, and every value keeps its kind."""
    call: Any
    """The id of the call that gave it."""
    last: int = 0
    """The id of the newest correction; 0: there is none."""
    rulings: Mapping[str, Mapping[str, Any]] | None = None
    """{field: {ruling, by, at}}, as the column `corrected` of results: the last about each."""
    fields: Checks | None = None
    """What the checks of its values came to."""
    claimed_by: str | None = None
    """Who reviews it at this moment."""


@dataclass(frozen=True, slots=True)
class Text:
    """A value as somebody typed it: which kind it is, the schema says."""

    typed: str


@dataclass(frozen=True, slots=True)
class Edit:
    """A value that somebody wants: a Text, or the JSON value itself."""

    path: Path
    new: Any


@dataclass(frozen=True, slots=True)
class Correction:
    """A row about one value."""

    path: Path
    ruling: Ruling
    old: Any
    new: Any

    @property
    def field(self) -> str:
        """The path as spans and checks name it."""
        return named(self.path)

    def as_json(self) -> dict[str, Any]:
        """The object that `correct --json` prints."""
        return {"field": self.field, "ruling": self.ruling, "old": self.old, "new": self.new}


def named(path: Path) -> str:
    """A path as spans and checks name it."""
    return ".".join(path)


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value of an answer that holds no further ones, an empty list among them."""
    if isinstance(value, (dict, list)) and value:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from leaves(item, (*path, str(key)))
    elif path:
        yield path, value


def find(answer: Answer, field: str) -> Path:
    """The steps to a field of an answer, or to one that it left out and the schema names. Raises
    InputError."""
    if (path := _steps(answer.value, field)) is not None:
        return path
    if field in (answer.schema or {}).get("properties", {}):
        return (field,)
    if field in (answer.fields or {}) and (left_out := _left_out(answer.value, field)):
        return left_out
    known = list(dict.fromkeys(named(path) for path, _ in leaves(answer.value)))
    more = f" and {len(known) - MOST_NAMED} more" if len(known) > MOST_NAMED else ""
    raise InputError(
        f"job {answer.job} has no field {field!r}; it has {', '.join(known[:MOST_NAMED])}{more}"
    )


def _steps(value: Any, field: str) -> Path | None:
    """A key may hold a dot itself, so that each key that fits is tried."""
    if isinstance(value, list):
        value = {str(index): item for index, item in enumerate(value)}
    if not isinstance(value, dict):
        return None
    if field in value:
        return (field,)
    for key, item in value.items():
        inner = _steps(item, field[len(key) + 1 :]) if field.startswith(f"{key}.") else None
        if inner is not None:
            return (key, *inner)
    return None


def _left_out(value: Any, field: str) -> Path | None:
    """The steps to what an object leaves out; None where a list or a value bars the way."""
    path = tuple(field.split("."))
    for step in path:
        if isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        elif isinstance(value, dict):
            value = value.get(step)
        else:
            return path if value is None else None
    return path


def differences(old: Any, new: Any, path: Path = ()) -> Iterator[Edit]:
    """What turns one answer into another. Raises InputError where a field is missing."""
    if isinstance(old, dict) and isinstance(new, dict):
        if missing := [key for key in old if key not in new]:
            raise InputError(f"{named((*path, missing[0]))} is missing; write null where the text "
                             "does not say it")  # fmt: skip
        for key, item in new.items():
            yield from differences(old.get(key), item, (*path, key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, item in enumerate(new):
            yield from differences(old[index], item, (*path, str(index)))
    elif not same(old, new):
        yield Edit(path, new)


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal: 1 is 1.0, and not true."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, (dict, list)) and type(one) is type(other):
        return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    return bool(one == other)


def rule(answer: Answer, edits: Sequence[Edit], *, confirm: bool = False) -> list[Correction]:
    """The rows that edits come to; `confirm`: every other value that nobody has ruled on is right.

    Raises InputError where the ask's schema does not allow a value.
    """
    schema = answer.schema or kept_kinds(answer.value)
    value: Any = dict(answer.value)
    made: list[Correction] = []
    for edit in edits:
        old = at(value, edit.path)
        new = _typed(edit, old, value, schema)
        _refuse_unstorable(edit.path, new)
        if not same(old, new):
            _refuse_nowhere(edit.path, value)
            value = _with(value, edit.path, new)
        made.append(Correction(edit.path, _ruling(answer, edit.path, old, new), old, new))
    if problem := _new_problem(schema, answer.value, value):
        raise InputError(problem)
    if confirm:
        known = {**(answer.rulings or {}), **{each.field: each.as_json() for each in made}}
        made += [
            Correction(path, Ruling.CONFIRMED, item, item)
            for path, item in _to_vouch_for(value, answer.fields)
            if not _is_ruled(path, known)
        ]
    return made


def _to_vouch_for(value: Any, checks: Checks | None) -> Iterator[tuple[Path, Any]]:
    """Every value of an answer, and whatever else the checks speak of: a list as a whole, a field
    that is left out."""
    yield from leaves(value)
    known = {named(path) for path, _ in leaves(value)}
    for field in checks or {}:
        if field not in known:
            path = _steps(value, field) or tuple(field.split("."))
            yield path, at(value, path)


def _ruling(answer: Answer, path: Path, old: Any, new: Any) -> Ruling:
    """What an edit comes to. A list that was made another one, or null, stays so when it is
    accepted: what the checks say of its values is about those that are gone."""
    if not same(old, new):
        return Ruling.ABSENT if new is None else Ruling.CORRECTED
    before = (answer.rulings or {}).get(named(path), {}).get("ruling")
    if before == Ruling.ABSENT or (before == Ruling.CORRECTED and isinstance(new, (dict, list))):
        return Ruling(before)
    return Ruling.CONFIRMED


def _refuse_nowhere(path: Path, value: Any) -> None:
    if len(path) > 1 and not isinstance(at(value, path[:-1]), (dict, list)):
        raise InputError(f"{named(path)}: {named(path[:-1])} is null; correct that, as JSON")


def _typed(edit: Edit, old: Any, value: Any, schema: Mapping[str, Any]) -> Any:
    """What somebody typed as a value that the schema allows: as text or as JSON, first in the
    kind that the value had."""
    if not isinstance(edit.new, Text):
        return edit.new
    typed = edit.new.typed
    candidates = [typed, *_as_json(typed)]
    if old is not None and not isinstance(old, str):
        candidates.reverse()
    if typed.strip() == "null":
        candidates = [None]
    problems = [_new_problem(schema, value, _with(value, edit.path, new)) for new in candidates]
    for new, problem in zip(candidates, problems, strict=True):
        if problem is None or same(old, new):
            return new
    raise InputError(problems[0])


def _as_json(typed: str) -> list[Any]:
    """What a text is as JSON, if it is any; spreadsheets write TRUE."""
    words = typed.strip()
    try:
        return [read_json(words.lower() if words.lower() in ("true", "false") else words)]
    except ValueError:
        return []


def _new_problem(schema: Mapping[str, Any], old: Any, new: Any) -> str | None:
    """What the schema does not allow in the new value, and was not wrong in the old one already."""
    from models.schema import place  # loads the compiled schemas: no look at a batch needs them

    checks = _validator(json.dumps(schema, sort_keys=True))
    known = {(tuple(each.instance_path), each.message) for each in checks.iter_errors(old)}
    for each in checks.iter_errors(new):
        if (tuple(each.instance_path), each.message) not in known:
            return f"{place(each) or 'the answer: '}{each.message[:300]}"
    return None


@lru_cache(maxsize=128)
def _validator(schema: str) -> Any:
    from models.schema import validator

    return validator(json.loads(schema))


def kept_kinds(value: Any) -> dict[str, Any]:
    """The schema of values that keep their kind, or are null."""
    if isinstance(value, dict):
        fields = {key: kept_kinds(item) for key, item in value.items()}
        closed = {"required": list(value), "additionalProperties": False}
        return {"type": "object", "properties": fields, **closed}
    if isinstance(value, list):
        kinds = [kept_kinds(item) for item in value]
        return {"type": "array", "items": {"anyOf": kinds} if kinds else {}}
    if value is None:
        return {}
    kind = {bool: "boolean", str: "string"}.get(type(value), "number")
    return {"type": [kind, "null"]}


def at(value: Any, path: Path) -> Any:
    """The value at a path; None where there is none."""
    for step in path:
        if isinstance(value, list):
            value = value[int(step)] if step.isdecimal() and int(step) < len(value) else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value


def _with(value: Any, path: Path, new: Any) -> Any:
    """A copy of a value with another one at this path."""
    if not path:
        return new
    step, *rest = path
    if isinstance(value, list):
        changed = list(value)
        changed[int(step)] = _with(value[int(step)], tuple(rest), new)
        return changed
    inside = value or {}
    return {**inside, step: _with(inside.get(step), tuple(rest), new)}


def _refuse_unstorable(path: Path, new: Any) -> None:
    try:
        written = json.dumps(new, ensure_ascii=False, allow_nan=False)
    except ValueError as exc:
        raise InputError(f"{named(path)}: not a JSON value: {exc}") from exc
    if len(written) > MOST_VALUE_CHARS:
        raise InputError(
            f"{named(path)}: longer than {MOST_VALUE_CHARS:,} characters, found {len(written):,}"
        )
    texts = (text for steps, item in leaves(new, path) for text in (*steps, item))
    if any(isinstance(text, str) and NOT_STORED.search(text) for text in texts):
        raise InputError(f"{named(path)}: holds a character that cannot be stored")


def is_settled(answer: Answer) -> bool:
    """Whether people and checks vouch for all of an answer, and people for some of it.

    A value, or a list as a whole, is settled when a person ruled on it, or the checks call it sure;
    null also where the checks have nothing to say.
    """
    rulings, checks = answer.rulings or {}, answer.fields or {}
    return bool(rulings) and all(
        _is_ruled(path, rulings)
        or checks.get(named(path), {}).get("outcome") == FieldOutcome.SURE
        or (item is None and answer.fields is not None and named(path) not in checks)
        for path, item in _to_vouch_for(answer.value, answer.fields)
    )


def _is_ruled(path: Path, rulings: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether a person ruled on a value, or put another one in place of what it stood in. Who
    accepts a list says that it has all its items, and nothing of them. docmill_harm says the same
    in Postgres."""
    above = (rulings.get(named(path[:end]), {}) for end in range(1, len(path)))
    return named(path) in rulings or any(
        each.get("ruling") in (Ruling.CORRECTED, Ruling.ABSENT) for each in above
    )


def unruled(
    checks: Checks | None, rulings: Mapping[str, Mapping[str, Any]] | None
) -> dict[str, Mapping[str, Any]]:
    """What the checks say of the values that nobody has ruled on."""
    return {
        field: check
        for field, check in (checks or {}).items()
        if not _is_ruled(tuple(field.split(".")), rulings or {})
    }


def open_fields(answer: Answer) -> list[str]:
    """The fields that a person should look at, the worst first: what is not accepted, or where
    nothing is to be, what the checks called wrong or could not tell; and nobody has ruled on."""
    rest = unruled(answer.fields, answer.rulings)
    doubtful = [field for field, check in rest.items() if is_for_review(check)]
    return sorted(doubtful, key=lambda field: _sureness(rest[field]))


def is_for_review(check: Mapping[str, Any]) -> bool:
    """Whether a person should look at a value; docmill_harm says the same in Postgres."""
    accepted = check.get("accepted")
    return check["outcome"] != FieldOutcome.SURE if accepted is None else not accepted


def _sureness(check: Mapping[str, Any]) -> float:
    """How likely it is right, where that is known, else what its outcome says."""
    if check.get("confidence") is not None:
        return float(check["confidence"])
    return float(check["outcome"] != FieldOutcome.WRONG)
