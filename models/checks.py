"""What a user checks in an ask's answers beyond their schema: conditions, and formats of fields.

A condition is written as in `total == sum(items.amount)`, `date <= today` or `iban valid`. It is
read here, where a spec is checked, and again by the worker that works it out
(worker/run/own/conditions.py). Only what stands in this file is in the language.
"""

import ast
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any, NoReturn, Self

import regex

from models.fields import FieldPath, field_names, find_field

MOST_CHECKS = 50
"""Of an ask."""

MOST_CHARS = 300
MOST_NODES = 100
"""Of a condition: its characters, and the values, names and signs in it."""

TODAY = "today"
"""Stands for the day of the submit, unless a field has that name."""

AGGREGATES = frozenset({"sum", "count", "min", "max"})
"""They take a list, or what is worked out of each of its items, and give one value."""

PREDICATES = {"given": (1, 1), "valid": (1, 2), "matches": (2, 2)}
"""They hold or do not: how many values each takes, at least and at most."""

FUNCTIONS = {"abs": (1, 1), "round": (1, 2)}
"""They make a number of a number."""

NUMBER_KINDS: Mapping[str, str] = {
    "aadhaar": "in_.aadhaar",
    "bic": "bic",
    "ean": "ean",
    "gstin": "in_.gstin",
    "iban": "iban",
    "isbn": "isbn",
    "isin": "isin",
    "lei": "lei",
    "luhn": "luhn",
    "pan": "in_.pan",
    "vat": "vatin",
}
"""Numbers that `valid` knows, each with the module of python-stdnum that does."""


class Format(StrEnum):
    """What a field's value is, beside its words in the text."""

    DATE = "date"
    NUMBER = "number"
    CURRENCY = "currency"


@dataclass(frozen=True, slots=True)
class OwnChecks:
    """What the user checks in the answers to an ask."""

    checks: tuple[str, ...]
    formats: tuple[tuple[str, Format], ...]
    """Of fields, by their names."""
    today: date
    """The day of the submit, at the place of whoever submitted."""

    def as_json(self) -> dict[str, Any]:
        """As the column asks.checks holds it."""
        return {
            "checks": list(self.checks),
            "formats": dict(self.formats),
            "today": self.today.isoformat(),
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Self:
        """From the column asks.checks."""
        formats = tuple((name, Format(each)) for name, each in said["formats"].items())
        return cls(tuple(said["checks"]), formats, date.fromisoformat(said["today"]))


@dataclass(frozen=True, slots=True)
class Check:
    """A condition that was read. In `tree` each field is one Name."""

    text: str
    tree: ast.expr
    fields: Mapping[str, FieldPath]
    rows: tuple[str, ...]
    """The list whose items it is about, one by one; none: it is about the answer."""


def read_check(text: str, schema: Mapping[str, Any]) -> Check:
    """Read a condition about answers of this schema. Raises ValueError, saying what is wrong with
    it and what to do."""
    said = " ".join(text.splitlines()).strip()
    if len(said) > MOST_CHARS:
        raise ValueError(f"longer than {MOST_CHARS} characters; make two checks of it")
    reader = _Reader(schema)
    tree = reader.condition(_parsed(said))
    if not reader.fields:
        raise ValueError("names no field, so it says nothing about an answer")
    return Check(said, tree, reader.fields, reader.list_of(tree))


def read_format(name: str, schema: Mapping[str, Any]) -> FieldPath:
    """Where the field stands whose format is given. Raises ValueError where there is none."""
    found = find_field(schema, name)
    return found if found is not None else _no_field(schema, name)


_STRING = re.compile(r"""[rR]?("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""")
_VALID = re.compile(r"([^\s()\"']+)\s+valid(?:\s+(\w+))?")
_WORD = re.compile(r"[^\W_]+")
HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
"""Between two words of a name that capitals part, as in dueDate."""

_COMPARED = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_WORKED_OUT = (ast.Add, ast.Sub, ast.Mult, ast.Div)


def _parsed(said: str) -> ast.expr:
    match = _VALID.fullmatch(said)
    if match is not None:
        kind = f", {match[2]!r}" if match[2] else ""
        said = f"valid(field({match[1]!r}){kind})"
    # a backslash in a pattern is a backslash, as it is in YAML
    python = _STRING.sub(r"r\1", said)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(python, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as exc:
        raise ValueError(
            "cannot be read; a check is a condition such as total == sum(items.amount), "
            'date <= today, iban valid or matches(number, "INV-[0-9]+"); field("...") names a '
            "field whose name is no single word"
        ) from exc
    if sum(1 for _ in ast.walk(tree)) > MOST_NODES:
        raise ValueError(f"holds more than {MOST_NODES} values, names and signs; make two of it")
    return tree


@dataclass(slots=True)
class _Reader:
    """Lets through what the language has, with each field as one name."""

    schema: Mapping[str, Any]
    fields: dict[str, FieldPath] = field(default_factory=dict)

    def condition(self, node: ast.expr) -> ast.expr:
        """What holds or does not."""
        match node:
            case ast.BoolOp(op, values):
                return ast.BoolOp(op, [self.condition(each) for each in values])
            case ast.UnaryOp(ast.Not() as op, operand):
                return ast.UnaryOp(op, self.condition(operand))
            case ast.Compare(left, ops, others):
                pairs = zip(ops, others, strict=True)
                return ast.Compare(self.value(left), ops, [self._other(*each) for each in pairs])
            case ast.Call(ast.Name(name)) if name in PREDICATES:
                return self._call(node, name, PREDICATES[name])
        _refuse(node, "is no condition; compare it with something, as in total > 0")

    def value(self, node: ast.expr) -> ast.expr:
        """What can be compared."""
        match node:
            case ast.Constant(bool() | int() | float() | str()):
                return node
            case ast.Constant(None):
                _refuse(node, "cannot be compared; given(total) says whether there is a value")
            case ast.UnaryOp(ast.USub() as op, operand):
                return ast.UnaryOp(op, self.value(operand))
            case ast.BinOp(left, op, right) if isinstance(op, _WORKED_OUT):
                return ast.BinOp(self.value(left), op, self.value(right))
            case ast.Name() | ast.Attribute():
                return self._name(_dotted(node))
            case ast.Call(ast.Name("field"), [ast.Constant(str() as name)], []):
                return self._name(name)
            case ast.Call(ast.Name(name)) if name in AGGREGATES:
                return self._aggregate(node, name)
            case ast.Call(ast.Name(name)) if name in FUNCTIONS:
                return self._call(node, name, FUNCTIONS[name])
        known = ", ".join(sorted({*AGGREGATES, *PREDICATES, *FUNCTIONS, "field"}))
        _refuse(
            node, f"is not known here; there are + - * /, comparisons, and, or, not, in, {known}"
        )

    def list_of(self, node: ast.expr) -> tuple[str, ...]:
        """The list that the fields of an expression stand in, those of its aggregates aside. Raises
        ValueError where they stand in several."""
        lists = {self.fields[name].rows for name in _names_in(node) if name in self.fields}
        lists.discard(())
        if len(lists) > 1:
            named = " and ".join(sorted(".".join(keys) for keys in lists))
            raise ValueError(f"goes through two lists, {named}; sum, count, min or max one of them")
        return lists.pop() if lists else ()

    def _other(self, op: ast.cmpop, node: ast.expr) -> ast.expr:
        """What stands behind a sign of comparison."""
        if isinstance(op, _COMPARED):
            return self.value(node)
        if not isinstance(op, (ast.In, ast.NotIn)):
            _refuse(node, "is compared by identity; write == or !=")
        if not isinstance(node, (ast.List, ast.Tuple)):
            _refuse(node, 'is no list; write the values out, as in status in ["open", "paid"]')
        return ast.List([self.value(each) for each in node.elts], ast.Load())

    def _name(self, name: str) -> ast.Name:
        found = find_field(self.schema, name)
        if found is not None:
            self.fields[name] = found
        elif name.lower() in ("true", "false"):
            _refuse(ast.Name(name), f"is written {name.capitalize()}")
        elif name != TODAY:
            _no_field(self.schema, name)
        return ast.Name(name, ast.Load())

    def _call(self, node: ast.Call, name: str, arity: tuple[int, int]) -> ast.Call:
        least, most = arity
        if node.keywords or not least <= len(node.args) <= most:
            _refuse(node, f"takes {least if least == most else f'{least} or {most}'} values")
        args = [self.value(each) for each in node.args]
        about = args[0].id if isinstance(args[0], ast.Name) else ""
        if name in PREDICATES and about not in self.fields:
            _refuse(node, "is about a field")
        match name, args:
            case "valid", [named, *kind]:
                args = [named, ast.Constant(_kind(about, kind))]
            case "matches", [_, pattern]:
                _check_pattern(node, pattern)
            case "round", [_, ast.Constant(int() as places)] if 0 <= places <= 9:
                pass
            case "round", [_, _]:
                _refuse(node, "rounds to 0 to 9 places")
        return ast.Call(ast.Name(name, ast.Load()), args, [])

    def _aggregate(self, node: ast.Call, name: str) -> ast.Call:
        if node.keywords or len(node.args) != 1:
            _refuse(node, "takes a list, as in sum(items.amount)")
        inner = self.value(node.args[0])
        if any(
            isinstance(each, ast.Call) and _called(each) in AGGREGATES for each in ast.walk(inner)
        ):
            _refuse(node, "holds another sum, count, min or max")
        if not self.list_of(inner):
            _refuse(node, "takes a list, and names none")
        return ast.Call(ast.Name(name, ast.Load()), [inner], [])


def _called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else ""


def _names_in(node: ast.expr) -> Iterator[str]:
    """The names of an expression, those within aggregates aside."""
    match node:
        case ast.Name(name):
            yield name
        case ast.Call(ast.Name(name), args):
            if name not in AGGREGATES:
                for each in args:
                    yield from _names_in(each)
        case _:
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.expr):
                    yield from _names_in(child)


def _dotted(node: ast.expr) -> str:
    match node:
        case ast.Name(name):
            return name
        case ast.Attribute(inner, name):
            return f"{_dotted(inner)}.{name}"
    _refuse(node, "has no fields")


def _kind(about: str, said: list[ast.expr]) -> str:
    """Of which kind a number must be: said, or else what its field's name says."""
    known = ", ".join(NUMBER_KINDS)
    match said:
        case [ast.Constant(str() as kind)] if kind.lower() in NUMBER_KINDS:
            return kind.lower()
        case [other]:
            _refuse(other, f"is no kind of number that is known here; there are {known}")
    words = _WORD.findall(HUMP.sub(" ", about.rpartition(".")[2]).lower())
    kinds: list[str] = [word for word in words if word in NUMBER_KINDS]
    if len(kinds) != 1:
        raise ValueError(f"does not say which kind of number; write {about} valid KIND, of {known}")
    return kinds[0]


def _check_pattern(node: ast.Call, pattern: ast.expr) -> None:
    if not isinstance(pattern, ast.Constant) or not isinstance(pattern.value, str):
        _refuse(node, "needs a pattern in quotes")
    try:
        regex.compile(pattern.value)
    except (regex.error, ValueError, OverflowError, RecursionError) as exc:
        raise ValueError(f"{pattern.value!r} is no regular expression: {exc}") from exc


def _no_field(schema: Mapping[str, Any], name: str) -> NoReturn:
    raise ValueError(
        f"names {name!r}, which is no field of this ask; its fields are {field_names(schema)}"
    )


def _refuse(node: ast.expr, why: str) -> NoReturn:
    raise ValueError(f"`{ast.unparse(node)}` {why}")
