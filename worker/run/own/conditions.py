"""Works out the user's conditions of one answer, and says which values do not fulfil them. Pure.

simpleeval walks the tree that models/checks.py let through. Its values are this file's: fields as
they were given, numbers, days, words. Numbers and days are compared as they were meant.
"""

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from time import perf_counter
from typing import Any

import regex
from simpleeval import SimpleEval

from models.checks import AGGREGATES, Check, Format
from models.fields import FieldPath
from models.reasons import FieldCode
from worker.run.own.identifiers import is_valid
from worker.run.own.places import Item, follow, items
from worker.run.own.readings import Convention, Quantity, Reader, difference, forms
from worker.run.verify.fold import folded

LIMIT_S = 0.3
"""How long all checks of an answer may take: others wait meanwhile."""

_MOST_QUOTED = 40
"""Characters of a value that a reason quotes."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Values that do not fulfil a condition, or with which it cannot be worked out."""

    code: FieldCode
    about: str
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Given:
    """A field's value, and where in the answer it stands, or would stand."""

    path: str
    raw: Any
    format: Format | None = None


class _Uncheckable(Exception):
    """A condition that cannot be worked out. `path`: the value that it fails at."""

    def __init__(self, why: str, path: str | None = None) -> None:
        super().__init__(why)
        self.path = path


class _TooLong(Exception):
    """The time of all checks of the answer is up."""


class _Kind(StrEnum):
    NUMBER = "number"
    DAY = "date"
    FLAG = "true or false"
    WORDS = "text"


@dataclass(slots=True)
class Conditions:
    """The conditions of one answer. `formats`: of fields, by their keys."""

    answer: Mapping[str, Any]
    formats: Mapping[tuple[str, ...], Format]
    conventions: Sequence[Convention]
    today: date
    _reader: Reader = field(init=False)
    _evaluator: SimpleEval = field(init=False)
    _fields: Mapping[str, FieldPath] = field(init=False, default_factory=dict)
    _rows: tuple[str, ...] = field(init=False, default=())
    """The list that the check at hand is about, item by item."""
    _item: Item = field(init=False, default=("", None))
    _items: dict[tuple[str, ...], list[Item]] = field(init=False, default_factory=dict)
    _until: float = field(init=False)

    def __post_init__(self) -> None:
        self._reader = Reader(self.conventions[0])
        self._evaluator = self._make()
        self._until = perf_counter() + LIMIT_S

    def findings(self, check: Check) -> Iterator[Finding]:
        """What is wrong, or cannot be told, item by item where it is about a list."""
        self._fields, self._rows = check.fields, check.rows
        rows = self._list(check.rows) if check.rows else [("", self.answer)]
        try:
            for item in rows:
                self._item = item
                if (finding := self._finding(check)) is not None:
                    yield finding
        except _TooLong:
            fields = check.fields.values()
            heads = (follow("", self.answer, each.rows or each.rest)[0] for each in fields)
            about = f"{check.text}: takes too long"
            yield Finding(FieldCode.UNCHECKABLE, about, tuple(dict.fromkeys(heads)))

    def _finding(self, check: Check) -> Finding | None:
        try:
            holds = self._holds(check)
        except _Uncheckable as exc:
            paths = self._named(check) if exc.path is None else [exc.path]
            return Finding(FieldCode.UNCHECKABLE, f"{check.text}: {exc}", tuple(paths))
        except ArithmeticError:
            about = f"{check.text}: divides by zero, or has too many digits"
            return Finding(FieldCode.UNCHECKABLE, about, tuple(self._named(check)))
        return (
            None if holds else Finding(FieldCode.OWN_CHECK, check.text, tuple(self._named(check)))
        )

    def _holds(self, check: Check) -> bool:
        """Under every convention of the text."""
        found = set()
        for convention in self.conventions:
            self._reader = Reader(convention)
            found.add(bool(self._evaluator.eval(check.text, check.tree)))
            if not self._reader.doubted:
                break
        if len(found) > 1:
            raise _Uncheckable("its numbers or dates may be read in two ways")
        return found.pop()

    def _named(self, check: Check) -> list[str]:
        """Where the values stand that a condition names: of its own list those of this item."""
        return [path for each in check.fields.values() for path in self._places(each, check.rows)]

    def _places(self, named: FieldPath, rows: tuple[str, ...]) -> Iterator[str]:
        if not named.rows:
            yield follow("", self.answer, named.rest)[0]
            return
        if self._is_within(named.rows):
            yield follow(*self._item, named.rows[len(rows) :])[0]
            return
        found = [self._item] if named.rows == rows else self._list(named.rows)
        is_whole = not found or (not named.rest and isinstance(found[0][1], dict))
        if is_whole or rows not in ((), named.rows):  # of another list, item by item: it would grow
            yield follow("", self.answer, named.rows)[0]
            return
        yield from (follow(*item, named.rest)[0] for item in found)

    def _is_within(self, keys: tuple[str, ...]) -> bool:
        """Whether a list stands in each item of the one that the check is about."""
        size = len(self._rows)
        return 0 < size < len(keys) and keys[:size] == self._rows

    def _list(self, keys: tuple[str, ...]) -> list[Item]:
        if keys not in self._items:
            self._items[keys] = list(items(self.answer, keys))
        return self._items[keys]

    def _make(self) -> SimpleEval:
        made = SimpleEval(
            operators={
                ast.Add: self._add,
                ast.Sub: self._subtract,
                ast.Mult: lambda one, other: self._combine(one, other, Decimal.__mul__),
                ast.Div: lambda one, other: self._combine(one, other, Decimal.__truediv__),
                ast.USub: lambda one: self._as(one, Decimal.copy_negate),
                ast.Not: lambda holds: not holds,
                ast.Eq: self._equal,
                ast.NotEq: lambda one, other: not self._equal(one, other),
                ast.Lt: lambda one, other: self._order(one, other) < 0,
                ast.LtE: lambda one, other: self._order(one, other) <= 0,
                ast.Gt: lambda one, other: self._order(one, other) > 0,
                ast.GtE: lambda one, other: self._order(one, other) >= 0,
                ast.In: self._among,
                ast.NotIn: lambda one, others: not self._among(one, others),
            },
            functions={
                "abs": lambda one: self._as(one, Decimal.copy_abs),
                "round": self._round,
                "given": _is_given,
                "valid": lambda one, kind: is_valid(kind, self._said(one)),
                "matches": self._matches,
            },
            names={},
        )
        call = made.nodes[ast.Call]
        kept = (ast.UnaryOp, ast.BinOp, ast.BoolOp, ast.Compare)
        made.nodes = {
            **{kind: made.nodes[kind] for kind in kept},
            ast.Name: self._name,
            ast.Constant: _constant,
            ast.List: lambda node: [made._eval(each) for each in node.elts],
            ast.Call: lambda node: self._call(node, call),
        }
        return made

    def _name(self, node: ast.Name) -> Any:
        if perf_counter() > self._until:
            raise _TooLong
        if node.id not in self._fields:
            return self.today
        named = self._fields[node.id]
        base: Item = self._item if named.rows else ("", self.answer)
        path, raw = follow(*base, named.rest)
        return Given(path, raw, self.formats.get(named.keys))

    def _call(self, node: ast.Call, call: Callable[[ast.Call], Any]) -> Any:
        assert isinstance(node.func, ast.Name)
        return self._aggregate(node) if node.func.id in AGGREGATES else call(node)

    def _aggregate(self, node: ast.Call) -> Any:
        assert isinstance(node.func, ast.Name)
        name, inner, at = node.func.id, node.args[0], self._item
        keys = self._list_of(inner)
        if self._is_within(keys):
            below = keys[len(self._rows) :]
            rows, (path, raw) = list(items(at[1], below, at[0])), follow(*at, below)
        else:
            rows, (path, raw) = self._list(keys), follow("", self.answer, keys)
        if not rows and (raw is None or name in ("min", "max")):
            raise _Uncheckable("no value", path)
        if name == "count":
            return Quantity(Decimal(len(rows)))
        found = []
        try:
            for item in rows:
                self._item = item
                found.append(self._evaluator._eval(inner))
        finally:
            self._item = at
        return self._summed(found) if name == "sum" else self._outermost(name, found)

    def _list_of(self, inner: ast.expr) -> tuple[str, ...]:
        """The list that an aggregate goes through: models/checks.py saw that there is just one."""
        names = (each.id for each in ast.walk(inner) if isinstance(each, ast.Name))
        lists = (self._fields[name].rows for name in names if name in self._fields)
        return next(keys for keys in lists if keys)

    def _summed(self, found: Sequence[Any]) -> Quantity:
        total = Quantity(Decimal(0), is_worked_out=True)
        for each in found:
            total = self._combine(total, each, Decimal.__add__)
        return total

    def _outermost(self, name: str, found: Sequence[Any]) -> Any:
        best, sign = found[0], 1 if name == "max" else -1
        for each in found[1:]:
            best = each if self._order(each, best) * sign > 0 else best
        return best

    def _add(self, one: Any, other: Any) -> Quantity | date:
        if self._kind(one)[0] is _Kind.DAY:
            return self._day(one) + self._days(other)
        return self._combine(one, other, Decimal.__add__)

    def _subtract(self, one: Any, other: Any) -> Quantity | date:
        if self._kind(one)[0] is not _Kind.DAY:
            return self._combine(one, other, Decimal.__sub__)
        if self._kind(other)[0] is _Kind.DAY:
            return Quantity(Decimal((self._day(one) - self._day(other)).days))
        return self._day(one) - self._days(other)

    def _days(self, value: Any) -> timedelta:
        return timedelta(days=int(self._number(value).number))

    def _combine(
        self, one: Any, other: Any, how: Callable[[Decimal, Decimal], Decimal]
    ) -> Quantity:
        left, right = self._number(one), self._number(other)
        money = _same_currency(left, right)
        return Quantity(how(left.number, right.number), is_worked_out=True, currency=money)

    def _as(self, one: Any, how: Callable[[Decimal], Decimal]) -> Quantity:
        number = self._number(one)
        return replace(number, number=how(number.number))

    def _round(self, one: Any, places: Quantity | None = None) -> Quantity:
        number = self._number(one)
        last = Decimal(1).scaleb(-int(places.number) if places is not None else 0)
        rounded = number.number.quantize(last, ROUND_HALF_UP)
        return Quantity(rounded, is_worked_out=True, currency=number.currency)

    def _equal(self, one: Any, other: Any) -> bool:
        match self._common(one, other):
            case _Kind.FLAG:
                return _flag(one) is _flag(other)
            case _Kind.WORDS:
                return self._words(one) == self._words(other)
        return self._order(one, other) == 0

    def _order(self, one: Any, other: Any) -> int:
        match self._common(one, other):
            case _Kind.NUMBER:
                left, right = self._number(one), self._number(other)
                _same_currency(left, right)
                return difference(left, right)
            case _Kind.DAY:
                return (self._day(one) - self._day(other)).days
        neither = one if isinstance(one, Given) else other
        raise _no(neither, "number and no date")

    def _among(self, one: Any, others: Sequence[Any]) -> bool:
        return any(self._equal(one, each) for each in others)

    def _matches(self, one: Any, pattern: str) -> bool:
        left_s = max(self._until - perf_counter(), 0.001)
        try:
            found = regex.fullmatch(pattern, self._said(one), timeout=left_s, concurrent=True)
        except TimeoutError as exc:
            raise _TooLong from exc
        return found is not None

    def _common(self, one: Any, other: Any) -> _Kind:
        """As what two values are compared: one that is a number or a date for sure decides, and
        words are compared as words unless both are the same."""
        (left, left_is_sure), (right, right_is_sure) = self._kind(one), self._kind(other)
        if left is right:
            return left
        if left_is_sure and right_is_sure:
            raise _Uncheckable(f"a {left} and a {right} cannot be compared", _path(one, other))
        if left_is_sure or right_is_sure:
            return left if left_is_sure else right
        return _Kind.WORDS

    def _kind(self, value: Any) -> tuple[_Kind, bool]:
        """What a value is, and whether that is sure."""
        match value:
            case Quantity():
                return _Kind.NUMBER, True
            case date():
                return _Kind.DAY, True
            case bool() | Given(raw=bool()):
                return _Kind.FLAG, True
            case Given(format=Format.DATE):
                return _Kind.DAY, True
            case Given(format=Format.NUMBER | Format.CURRENCY) | Given(raw=int() | float()):
                return _Kind.NUMBER, True
            case Given(raw=str() as words) | (str() as words):
                found = forms(words)
                if found.number is not None:
                    return _Kind.NUMBER, False
                return (_Kind.DAY if found.date is not None else _Kind.WORDS), False
        raise _no(value, "number, date or text")

    def _number(self, value: Any) -> Quantity:
        if isinstance(value, Quantity):
            return value
        raw, format = (value.raw, value.format) if isinstance(value, Given) else (value, None)
        if (found := self._reader.number(raw, format)) is None:
            raise _no(value, "number")
        return found

    def _day(self, value: Any) -> date:
        if isinstance(value, date):
            return value
        raw = value.raw if isinstance(value, Given) else value
        if (found := self._reader.day(raw)) is None:
            raise _no(value, "date")
        return found

    def _words(self, value: Any) -> str:
        said = value if isinstance(value, str) else self._said(value)
        return " ".join(folded(said).split())

    def _said(self, value: Given) -> str:
        if isinstance(value.raw, (bool, dict, list)) or not _is_given(value):
            raise _no(value, "text")
        return str(value.raw).strip()


def _constant(node: ast.Constant) -> Any:
    """A number of a condition. Signs are written before it."""
    if isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
        return Quantity(Decimal(repr(node.value)))
    return node.value


def _is_given(value: Given) -> bool:
    raw = value.raw.strip() if isinstance(value.raw, str) else value.raw
    return isinstance(raw, (bool, int, float)) or bool(raw)


def _flag(value: Any) -> bool:
    raw = value.raw if isinstance(value, Given) else value
    if not isinstance(raw, bool):
        raise _no(value, "true or false")
    return raw


def _same_currency(one: Quantity, other: Quantity) -> str | None:
    if None not in (one.currency, other.currency) and one.currency != other.currency:
        raise _Uncheckable(f"{one.currency} and {other.currency} cannot be put together")
    return one.currency or other.currency


def _path(*values: Any) -> str | None:
    return next((each.path for each in values if isinstance(each, Given)), None)


def _no(value: Any, kind: str) -> _Uncheckable:
    """The value is missing, or is something else than what is called for."""
    raw = value.raw if isinstance(value, Given) else value
    if isinstance(value, Given) and not _is_given(value):
        return _Uncheckable("no value", value.path)
    said = str(raw)
    said = f"{said[:_MOST_QUOTED]}…" if len(said) > _MOST_QUOTED else said
    return _Uncheckable(f"“{said}” is no {kind}", _path(value))
