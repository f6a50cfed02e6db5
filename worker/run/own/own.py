"""The user's checks of an answer, laid upon what the rules found of its values. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from models.checks import Check, Format, OwnChecks, read_check, read_format
from models.fields import FieldPath
from models.reasons import FieldCode, FieldOutcome, outcome_of
from worker.jsonb import dumps
from worker.run.ground import Source
from worker.run.own.conditions import Conditions, Finding
from worker.run.own.places import values
from worker.run.own.readings import Convention, Reader, conventions
from worker.run.verify.check import FieldCheck
from worker.run.verify.view import view_of

_READ_AS = {Format.DATE: "a date", Format.NUMBER: "a number", Format.CURRENCY: "an amount"}


def judged(
    value: Mapping[str, Any],
    own: OwnChecks,
    schema: Mapping[str, Any],
    sources: Sequence[Source],
    fields: Mapping[str, FieldCheck],
) -> dict[str, FieldCheck]:
    """What each value is worth once the user's checks have been made, too. `schema`: the ask's;
    `fields`: what the rules found.

    A check that does not hold has the last word. One that cannot be made, or a value that cannot
    be read in its format, makes of what was sure something to check.
    """
    checks, formats = _read(own.checks, own.formats, dumps(schema))
    ways = conventions(view_of(tuple(sources)).text)
    found = dict(fields)
    for field, format in formats:
        for path, raw in values(value, field):
            if path in found and raw is not None:
                found[path] = _normalised(found[path], raw, format, ways)
    kinds = {field.keys: format for field, format in formats}
    conditions = Conditions(value, kinds, ways, own.today)
    for check in checks:
        for finding in conditions.findings(check):
            for path in finding.paths:
                found[path] = _marked(found.get(path), finding)
    return found


@lru_cache(maxsize=256)
def _read(
    checks: tuple[str, ...], formats: tuple[tuple[str, Format], ...], schema: bytes
) -> tuple[list[Check], list[tuple[FieldPath, Format]]]:
    whole = json.loads(schema)
    return (
        [read_check(text, whole) for text in checks],
        [(read_format(name, whole), format) for name, format in formats],
    )


def _normalised(
    check: FieldCheck, raw: Any, format: Format, ways: Sequence[Convention]
) -> FieldCheck:
    """With the value in its format, where it has but one reading."""
    readings = {Reader(way).normalised(raw, format) for way in ways}
    if len(readings) == 1 and None not in readings:
        return replace(check, normalised=readings.pop())
    if check.outcome is not FieldOutcome.SURE:
        return check
    code = FieldCode.UNREADABLE if readings == {None} else FieldCode.AMBIGUOUS
    about = _READ_AS[format] if readings == {None} else str(raw)
    return replace(check, outcome=outcome_of(code), code=code, about=about)


def _marked(before: FieldCheck | None, finding: Finding) -> FieldCheck:
    """A value with what a check of the user's says of it; several that do not hold are all told."""
    outcome = outcome_of(finding.code)
    if before is None:
        return FieldCheck(outcome, finding.code, finding.about)
    if before.code is finding.code:
        told = (before.about or "").split("; ")
        about = "; ".join(dict.fromkeys([*told, finding.about]))
    elif finding.code is FieldCode.OWN_CHECK or before.outcome is FieldOutcome.SURE:
        about = finding.about
    else:
        return before
    return replace(before, outcome=outcome, code=finding.code, about=about)
