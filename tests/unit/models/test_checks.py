"""The language of the user's checks: what is read, and what is refused with what and what to do."""

import re
from datetime import date

import pytest

from models.checks import MOST_CHARS, NUMBER_KINDS, Format, OwnChecks, read_check, read_format
from models.fields import FieldPath, field_names, find_field

TEXT = {"type": ["string", "null"]}
SCHEMA = {
    "type": "object",
    "properties": {
        "total": TEXT,
        "net": TEXT,
        "date": TEXT,
        "iban": TEXT,
        "supplier_vat_id": TEXT,
        "due-date": TEXT,
        "from": TEXT,
        "seller": {"$ref": "#/$defs/party"},
        "items": {
            "anyOf": [
                {"type": "null"},
                {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "amount": TEXT,
                            "quantity": {"type": "integer"},
                            "taxes": {
                                "type": "array",
                                "items": {"type": "object", "properties": {"rate": TEXT}},
                            },
                        },
                    },
                },
            ]
        },
        "payments": {
            "type": "array",
            "items": {"type": "object", "properties": {"amount": TEXT}},
        },
        "more": {"type": "object"},
    },
    "$defs": {"party": {"type": "object", "properties": {"name": TEXT, "part_of": {"$ref": "#"}}}},
}

PATHS = {
    "total": FieldPath((), ("total",)),
    "due-date": FieldPath((), ("due-date",)),
    "seller.name": FieldPath((), ("seller", "name")),
    "seller.part_of.total": FieldPath((), ("seller", "part_of", "total")),
    "items": FieldPath(("items",)),
    "items.amount": FieldPath(("items",), ("amount",)),
    "items.taxes.rate": FieldPath(("items", "taxes"), ("rate",)),
    "more.whatever.it.is": FieldPath((), ("more", "whatever", "it", "is")),
    "totl": None,
    "items.price": None,
    "total.amount": None,
    "items.0.amount": None,
    ".".join(["seller.part_of"] * 15): None,
}


def test_a_name_leads_to_a_field_through_lists_references_and_choices():
    for name, path in PATHS.items():
        assert find_field(SCHEMA, name) == path, name


def test_a_schema_that_refers_to_itself_without_end_ends():
    same = {"type": "array", "items": {"$ref": "#"}}
    endless = {"anyOf": [same, dict(same), {"$ref": "#"}, {"type": "object"}]}
    assert find_field(endless, "a") is not None
    assert field_names(endless) == ""


READ = {
    "total == sum(items.amount)": ((), {"total", "items.amount"}),
    "date <= today": ((), {"date"}),
    "iban valid": ((), {"iban"}),
    "iban valid IBAN": ((), {"iban"}),
    "supplier_vat_id valid": ((), {"supplier_vat_id"}),
    "total valid luhn": ((), {"total"}),
    "due-date valid luhn": ((), {"due-date"}),
    'field("due-date") >= date': ((), {"due-date", "date"}),
    'field("from") != ""': ((), {"from"}),
    "0 <= total <= 1000": ((), {"total"}),
    'total in ["paid", "open"]': ((), {"total"}),
    r'matches(total, "INV-\d+")': ((), {"total"}),
    "items.amount > 0": (("items",), {"items.amount"}),
    "items.amount <= max(items.amount)": (("items",), {"items.amount"}),
    "not given(net) or abs(total - net) <= 0.01 * total": ((), {"total", "net"}),
    "total == sum(items.quantity * items.amount)": (
        (),
        {"total", "items.quantity", "items.amount"},
    ),
    "sum(items.amount) == sum(payments.amount)": ((), {"items.amount", "payments.amount"}),
    "total ==\n  round(net * 1.19, 2)": ((), {"total", "net"}),
}


def test_conditions_are_read_with_the_fields_that_they_name():
    for text, (rows, fields) in READ.items():
        check = read_check(text, SCHEMA)
        assert (check.rows, set(check.fields)) == (rows, fields), text


REFUSED = {
    "": "cannot be read",
    "total = 5": "cannot be read; a check is a condition such as",
    "total == sum(items.amount": "cannot be read",
    "total; import os": "cannot be read",
    "x" * (MOST_CHARS + 1): f"longer than {MOST_CHARS} characters",
    "(" * 250 + "total" + ")" * 250: "longer than",
    "+".join(["1"] * 140) + " == total": "more than 100 values",
    "totl == 5": "names 'totl', which is no field of this ask; its fields are total, net",
    "items.price > 0": "names 'items.price'",
    "5 == 5": "names no field",
    "date": "`date` is no condition; compare it with something",
    "total + net": "is no condition",
    "total == None": "given(total) says whether there is a value",
    "total == true": "is written True",
    "total is net": "write == or !=",
    "total ** 99 == 1": "is not known here",
    "total % 2 == 0": "is not known here",
    "total // 2 == 0": "is not known here",
    "__import__('os') == total": "is not known here",
    "total.__class__ == 1": "names 'total.__class__'",
    "().__class__ == total": "has no fields",
    "[x for x in items] == total": "is not known here",
    "(lambda: 1) == total": "is not known here",
    'f"{total}" == total': "is not known here",
    "total[0] == 1": "is not known here",
    "(total := 1) == 1": "is not known here",
    "total in net": "is no list",
    "sum(total) == 1": "takes a list, and names none",
    "sum(items.amount, 1) == total": "takes a list, as in sum(items.amount)",
    "sum(sum(items.amount)) == total": "holds another",
    "sum(items.amount + payments.amount) == total": "goes through two lists, items and payments",
    "items.amount == payments.amount": "goes through two lists",
    "items.amount == items.taxes.rate": "goes through two lists",
    "given(1)": "is about a field",
    "given(today) and total > 1": "is about a field",
    "matches(total)": "takes 2 values",
    "matches(total, net)": "needs a pattern in quotes",
    'matches(total, "(")': "'(' is no regular expression",
    "round(total, 99) == 1": "rounds to 0 to 9 places",
    "total valid": f"write total valid KIND, of {', '.join(NUMBER_KINDS)}",
    "total valid ibanx": "is no kind of number that is known here",
    "valid(total, iban)": "is no kind of number",
    "due-date > 5": "names 'due'",
}


def test_what_cannot_be_read_or_names_no_field_is_refused_with_what_to_do():
    for text, said in REFUSED.items():
        with pytest.raises(ValueError, match=re.escape(said)):
            read_check(text, SCHEMA)


def test_a_format_of_no_field_is_refused():
    assert read_format("items.amount", SCHEMA) == PATHS["items.amount"]
    with pytest.raises(ValueError, match="names 'amount', which is no field"):
        read_format("amount", SCHEMA)


def test_an_error_names_some_of_many_fields():
    many = {"type": "object", "properties": {f"f{n}": TEXT for n in range(369)}}
    assert field_names(many).endswith("f11 and 357 more")


def test_what_a_batch_keeps_of_checks_is_what_was_given():
    own = OwnChecks(("total > 0",), (("total", Format.CURRENCY),), date(2026, 11, 28))
    assert own.as_json() == {
        "checks": ["total > 0"],
        "formats": {"total": "currency"},
        "today": "2026-11-28",
    }
    assert OwnChecks.from_json(own.as_json()) == own
