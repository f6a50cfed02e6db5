"""The user's checks of answers: what holds, what does not, and what cannot be told."""

import time
from datetime import date
from typing import Any

import pytest

from models.checks import Format, OwnChecks
from models.reasons import FieldCode, FieldOutcome
from models.words import TaskType
from worker.run.ground import Source
from worker.run.own import conditions, identifiers
from worker.run.own.own import judged
from worker.run.verify.asked import asked_of
from worker.run.verify.check import FieldCheck
from worker.run.verify.verify import verify

ANY: dict[str, Any] = {}
TODAY = date(2024, 5, 20)
POINT, COMMA, SILENT = "It was 1.50 each.", "Das kostete 1,50 Euro.", "Nothing is said."


def found(
    checks: list[str], answer: dict, text: str = POINT, formats: dict | None = None
) -> dict[str, FieldCheck]:
    own = OwnChecks(tuple(checks), tuple((formats or {}).items()), TODAY)
    return judged(answer, own, schema_of(answer), [Source(0, text)], {})


def schema_of(value: Any) -> dict:
    if isinstance(value, dict):
        return {"type": "object", "properties": {k: schema_of(v) for k, v in value.items()}}
    return (
        {"type": "array", "items": schema_of(value[0]) if value else {}}
        if isinstance(value, list)
        else {"type": ["string", "number", "boolean", "null"]}
    )


def said(check: str, answer: dict, text: str = POINT) -> str:
    """`holds`, or the code that a check comes to."""
    codes = {each.code for each in found([check], answer, text).values()}
    return str(codes.pop()) if codes else "holds"


def amounts(*each: Any) -> list[dict]:
    return [{"amount": one} for one in each]


HOLDS, FAILS, UNCHECKABLE = "holds", "own_check", "uncheckable"

SUM = "total == sum(items.amount)"
TABLE: list[tuple[str, dict, str]] = [
    # numbers are compared as they were meant, whatever locale wrote them
    ("total == 123456", {"total": "1,23,456.00"}, HOLDS),
    ("total == 150000", {"total": "Rs 1.5 lakh"}, HOLDS),
    ("total == 3500000", {"total": "3.5 Mio. €"}, HOLDS),
    ("total == 1234.56", {"total": "EUR 1.234,56"}, HOLDS),
    ("total == 1234.5", {"total": "CHF 1'234.50"}, HOLDS),
    ("total == 123456", {"total": "₹१,२३,४५६"}, HOLDS),
    ("total == -75", {"total": "-75.00"}, HOLDS),
    ("total == -75", {"total": "(75.00)"}, HOLDS),
    ("total >= -5 and -total <= 5", {"total": "-4.90"}, HOLDS),
    ("total >= -5", {"total": "-5.40"}, FAILS),
    ("total == net", {"total": "1,234.00", "net": 1234}, HOLDS),
    ("total == 99.51", {"total": "99.50"}, FAILS),
    ("0 <= share <= 100", {"share": "18 %"}, HOLDS),
    ("0 <= share <= 100", {"share": "180 %"}, FAILS),
    # what is worked out may differ by half a unit in the last place of what is written
    (SUM, {"total": "100.00", "items": amounts("33.33", "66.67")}, HOLDS),
    (SUM, {"total": "100.00", "items": amounts("33.333", "66.671")}, HOLDS),
    (SUM, {"total": "100.00", "items": amounts("33.33", "66.68")}, FAILS),
    (SUM, {"total": "100", "items": amounts("33.33", "66.68")}, HOLDS),
    (SUM, {"total": "100", "items": amounts("33.33", "67.18")}, FAILS),
    (SUM, {"total": "Rs 1.5 lakh", "items": amounts("1,00,000", "52,000")}, HOLDS),
    (SUM, {"total": 100, "items": amounts(50.2, 50.2)}, FAILS),
    (SUM, {"total": 100.0, "items": amounts(33.333, 66.666)}, HOLDS),
    (SUM, {"total": "0.00", "items": []}, HOLDS),
    ("total == net + tax", {"total": "1.19", "net": "1.00", "tax": "0.19"}, HOLDS),
    ("total == round(net * 1.19, 2)", {"total": "11.89", "net": "9.99"}, HOLDS),
    ("net * 1.19 == total", {"total": "11.90", "net": "9.99"}, FAILS),
    ("total - net == tax", {"total": "1.19", "net": "1.00", "tax": "0.20"}, FAILS),
    ("net / 3 <= total", {"total": "3.33", "net": "10"}, HOLDS),
    ("net / tax == 1", {"net": "10", "tax": "0"}, UNCHECKABLE),
    ("total * total * total * total > 1", {"total": "9" * 20}, HOLDS),
    # lists
    ("count(items) == 2", {"items": amounts("1", "2")}, HOLDS),
    ("count(items) == 3", {"items": amounts("1", "2")}, FAILS),
    ("items.amount > 0", {"items": amounts("1", "2")}, HOLDS),
    ("items.amount > 0", {"items": []}, HOLDS),
    ("items.amount > 1", {"items": amounts("1", "2")}, FAILS),
    ("items.amount <= max(items.amount)", {"items": amounts("1", "2")}, HOLDS),
    ("max(items.amount) > items.amount", {"items": amounts("5", "1")}, FAILS),
    ("min(items.amount) >= 1", {"items": []}, UNCHECKABLE),
    ("max(days) <= today", {"days": ["3 May 2024", "2024-05-20"]}, HOLDS),
    ("max(days) <= today", {"days": ["3 May 2024", "2024-05-21"]}, FAILS),
    (
        "total == sum(items.q * items.p)",
        {"total": "5.50", "items": [{"q": 2, "p": "1.50"}, {"q": 1, "p": "2.50"}]},
        HOLDS,
    ),
    ("sum(items.taxes.rate) == 3", {"items": [{"taxes": [{"rate": 1}, {"rate": 2}]}]}, HOLDS),
    # dates in any form; `today` is the day of the submit
    ("date <= today", {"date": "20 May 2024"}, HOLDS),
    ("date <= today", {"date": "21 May 2024"}, FAILS),
    ("date <= today", {"date": "21.05.2024"}, FAILS),
    ("date == '2024-05-03'", {"date": "3 मई 2024"}, HOLDS),
    ("due <= date + 30", {"date": "2024-05-01", "due": "31 May 2024"}, HOLDS),
    ("due - date <= 29", {"date": "2024-05-01", "due": "31 May 2024"}, FAILS),
    ("date - 1 < date", {"date": "2024-05-01"}, HOLDS),
    ("date + 9999999 > date", {"date": "2024-05-01"}, UNCHECKABLE),
    ("date <= today", {"date": "next week"}, UNCHECKABLE),
    ("date <= today", {"date": "May 2024"}, UNCHECKABLE),
    ("date <= today", {"date": "31 February 2024"}, UNCHECKABLE),
    ("date <= today", {"date": 5}, UNCHECKABLE),
    # words, enums, patterns
    ("currency == 'eur'", {"currency": "EUR"}, HOLDS),
    ("currency in ['EUR', 'USD']", {"currency": "INR"}, FAILS),
    ("currency not in ['EUR', 'USD']", {"currency": "INR"}, HOLDS),
    ("seller != buyer", {"seller": "Bright  Tools", "buyer": "bright tools"}, FAILS),
    ("number == '0042'", {"number": "0042"}, HOLDS),
    ("seller > 5", {"seller": "Bright Tools"}, UNCHECKABLE),
    ("seller > buyer", {"seller": "B", "buyer": "A"}, UNCHECKABLE),
    (r"matches(number, 'INV-\d{3}')", {"number": "INV-042"}, HOLDS),
    (r"matches(number, 'INV-\d{3}')", {"number": "INV-0420"}, FAILS),
    (r"matches(number, '\d+')", {"number": 42}, HOLDS),
    (r"matches(number, '.*\b42\b.*')", {"number": "INV 42 b"}, HOLDS),
    ("paid == True", {"paid": True}, HOLDS),
    ("paid == True", {"paid": False}, FAILS),
    ("paid == True", {"paid": "yes"}, UNCHECKABLE),
    ("paid > 1", {"paid": True}, UNCHECKABLE),
    # what is missing
    ("date <= today", {"date": None}, UNCHECKABLE),
    ("date <= today", {"date": " "}, UNCHECKABLE),
    ("iban valid", {"iban": None}, UNCHECKABLE),
    (SUM, {"total": "1", "items": amounts("1", None)}, UNCHECKABLE),
    ("given(date)", {"date": None}, FAILS),
    ("given(items)", {"items": []}, HOLDS),
    ("given(paid) and given(n)", {"paid": False, "n": 0}, HOLDS),
    ("not given(date) or date <= today", {"date": None}, HOLDS),
    ("not given(date) or date <= today", {"date": "21 May 2024"}, FAILS),
    # currencies
    (SUM, {"total": "$2.00", "items": amounts("$1.00", "1.00")}, HOLDS),
    (SUM, {"total": "$2.00", "items": amounts("€1.00", "€1.00")}, UNCHECKABLE),
]


def test_what_each_check_comes_to():
    for check, answer, expected in TABLE:
        assert said(check, answer) == expected, (check, answer)


VALID = {
    "iban": ("GB82 WEST 1234 5698 7654 32", "DE89370400440532013000"),
    "gstin": ("27AAPFU0939F1ZV", "27 AAPFU 0939 F1ZV"),
    "pan": ("AAPFU0939F", "aapfu0939f"),
    "luhn": ("4539 1488 0343 6467", "79927398713"),
    "vat": ("DE136695976", "FR 40 303 265 045", "GB980780684"),
    "ean": ("4006381333931", "4006381333931"),
    "isbn": ("978-0-306-40615-7", "0306406152"),
    "isin": ("US0378331005", "us0378331005"),
    "bic": ("DEUTDEFF500", "DEUT DE FF"),
    "lei": ("213800KUD8LAJWSQ9D15", "213800kud8lajwsq9d15"),
    "aadhaar": ("2345 6789 0124", "234567890124"),
}
INVALID = {
    "iban": ("GB82 WEST 1234 5698 7654 33", "XX89370400440532013000", "", "GB"),
    "gstin": ("27AAPFU0939F1ZO", "369296450896540"),
    "pan": ("AAPFU093F", "12345"),
    "luhn": ("4539 1488 0343 6468", "abc"),
    "vat": ("DE136695978", "XX1", "..", "G"),
    "ean": ("4006381333932",),
    "isbn": ("978-0-306-40615-8",),
    "isin": ("US0378331006",),
    "bic": ("DEUT",),
    "lei": ("213800KUD8LAJWSQ9D16",),
    "aadhaar": ("2345 6789 0125",),
}


def test_numbers_prove_themselves():
    for kind, numbers in VALID.items():
        assert all(identifiers.is_valid(kind, each) for each in numbers), kind
    for kind, numbers in INVALID.items():
        assert not any(identifiers.is_valid(kind, each) for each in numbers), kind
    assert not identifiers.is_valid("luhn", "0" * 100_000)
    assert said("iban valid", {"iban": "GB82 WEST 1234 5698 7654 32"}) == HOLDS
    assert said("account valid iban", {"account": "GB82 WEST 1234 5698 7654 33"}) == FAILS
    assert said("card valid luhn", {"card": 79927398713}) == HOLDS


READINGS = [
    # the text says which sign it has for decimals, and which order its dates have
    ("total == 1500", {"total": "1,500"}, POINT, HOLDS),
    ("total == 1.5", {"total": "1,500"}, COMMA, HOLDS),
    ("total == 1500", {"total": "1.500"}, COMMA, HOLDS),
    ("total == 1500", {"total": "1,500"}, SILENT, UNCHECKABLE),
    ("total == 1500", {"total": "€1,500"}, SILENT, HOLDS),
    ("total == 1501", {"total": "1,500"}, SILENT, FAILS),
    (SUM, {"total": "4,000", "items": amounts("1,500", "2,500")}, SILENT, HOLDS),
    ("date == '2024-09-05'", {"date": "05/09/2024"}, "On 25/09/2024.", HOLDS),
    ("date == '2024-09-05'", {"date": "05/09/2024"}, "On 09/25/2024.", FAILS),
    ("date == '2024-09-05'", {"date": "05/09/2024"}, SILENT, UNCHECKABLE),
    ("date >= '2024-01-01'", {"date": "05/09/2024"}, SILENT, HOLDS),
    ("date <= due", {"date": "05/09/2024", "due": "06/09/2024"}, SILENT, HOLDS),
]


def test_a_value_is_read_as_its_text_writes_and_in_every_way_where_that_is_open():
    for check, answer, text, expected in READINGS:
        assert said(check, answer, text) == expected, (check, answer, text)


def test_a_check_that_does_not_hold_marks_what_it_names_and_repeats_itself():
    answer = {"total": "4.00", "items": amounts("1.00", "2.00"), "seller": "B"}
    marked = found([SUM], answer)
    assert set(marked) == {"total", "items.0.amount", "items.1.amount"}
    assert {(each.outcome, each.code, each.about) for each in marked.values()} == {
        (FieldOutcome.WRONG, FieldCode.OWN_CHECK, SUM)
    }


def test_a_check_of_items_marks_those_alone_that_it_does_not_hold_for():
    answer = {"items": [{"q": 2, "p": 3, "amount": 6}, {"q": 2, "p": 3, "amount": 7}], "most": 6}
    marked = found(["items.amount == items.q * items.p"], answer)
    assert set(marked) == {"items.1.amount", "items.1.q", "items.1.p"}
    assert set(found(["items.amount <= most"], answer)) == {"items.1.amount", "most"}
    assert set(found(["count(items) == 3"], answer)) == {"items"}


def test_a_list_within_items_is_summed_up_item_by_item():
    answer = {
        "invoices": [
            {"total": "3.00", "items": amounts("1.00", "2.00")},
            {"total": "8.00", "items": amounts("7.00")},
        ]
    }
    marked = found(["invoices.total == sum(invoices.items.amount)"], answer)
    assert marked.keys() == {"invoices.1.total", "invoices.1.items"}
    assert said("count(invoices.items) > 2", answer) == "holds"


def test_what_cannot_be_checked_marks_the_value_that_stands_in_the_way():
    answer = {"total": "3.00", "items": amounts("1.00", None)}
    marked = found([SUM], answer)
    assert {path: each.about for path, each in marked.items()} == {
        "items.1.amount": f"{SUM}: no value"
    }
    assert {each.outcome for each in marked.values()} == {FieldOutcome.CHECK}
    assert found(["date <= today"], {"date": "soon"})["date"].about == (
        "date <= today: “soon” is no date"
    )


def test_a_field_that_the_answer_leaves_out_is_said_at_what_lacks_it():
    own = OwnChecks((SUM, "due <= today"), (), TODAY)
    schema = schema_of({"total": "", "due": "", "items": amounts("")})
    marked = judged({"total": "1", "items": [{}]}, own, schema, [Source(0, POINT)], {})
    assert set(marked) == {"items.0", "due"}
    marked = judged({"total": "1", "items": None}, own, schema, [Source(0, POINT)], {})
    assert set(marked) == {"items", "due"}


def test_several_checks_that_do_not_hold_are_all_told():
    marked = found(["total > 5", "total > 6", "total > 0"], {"total": "4"})
    assert marked["total"].about == "total > 5; total > 6"


PAPER = "Date: 3 May 2024\nTotal: Rs 1.5 lakh\nLate fee: 12.50\nDue: in a week\n"
RULED = {"date": "3 May 2024", "total": "Rs 1.5 lakh", "fee": "99", "due": "in a week"}


def ruled() -> dict[str, FieldCheck]:
    values = asked_of(RULED, schema_of(RULED))
    return verify(TaskType.EXTRACTION, values, [Source(0, PAPER)])


def own(checks: list[str], formats: dict[str, str] | None = None) -> dict[str, FieldCheck]:
    kinds = tuple((name, Format(each)) for name, each in (formats or {}).items())
    asked = OwnChecks(tuple(checks), kinds, TODAY)
    return judged(RULED, asked, schema_of(RULED), [Source(0, PAPER)], ruled())


def test_what_the_rules_found_stays_where_the_user_has_nothing_to_say_about_it():
    assert own(["total > 0"]) == ruled()
    assert own([])["fee"].code is FieldCode.NOT_IN_TEXT


def test_a_check_that_does_not_hold_has_the_last_word_and_keeps_the_place():
    before, after = ruled()["date"], own(["date > today"])["date"]
    assert (before.outcome, after.outcome) == (FieldOutcome.SURE, FieldOutcome.WRONG)
    assert (after.span, after.page) == (before.span, before.page)
    assert own(["fee < 5"])["fee"].code is FieldCode.OWN_CHECK


def test_what_cannot_be_checked_takes_nothing_back_that_is_wrong_already():
    assert own(["fee / 0 > 1"])["fee"].code is FieldCode.NOT_IN_TEXT
    assert own(["date / 0 > 1"])["date"].code is FieldCode.UNCHECKABLE
    assert own([], {"fee": "date"})["fee"].code is FieldCode.NOT_IN_TEXT


def test_values_are_normalised_beside_their_words():
    marked = own([], {"date": "date", "total": "currency", "fee": "number", "due": "date"})
    assert {name: each.normalised for name, each in marked.items()} == {
        "date": "2024-05-03",
        "total": "INR 150000",
        "fee": "99",
        "due": None,
    }
    assert marked["total"].code is ruled()["total"].code


NORMALISED = [
    ("1,23,456.00", "number", POINT, "123456.00"),
    ("1.234,56 €", "currency", POINT, "EUR 1234.56"),
    ("1,500", "number", SILENT, FieldCode.AMBIGUOUS),
    ("1,500", "currency", SILENT, "1500"),
    ("1.500", "currency", COMMA, "1500"),
    (75.5, "currency", POINT, "75.5"),
    ("05/09/2024", "date", SILENT, FieldCode.AMBIGUOUS),
    ("05/09/2024", "date", "On 25/09/2024.", "2024-09-05"),
    ("令和6年5月3日", "date", POINT, "2024-05-03"),
    ("soon", "date", POINT, FieldCode.UNREADABLE),
    (True, "number", POINT, FieldCode.UNREADABLE),
    (None, "number", POINT, None),
]


def test_each_form_of_a_value_in_its_format_or_why_not():
    sure = FieldCheck(FieldOutcome.SURE, FieldCode.LABELLED)
    for raw, kind, text, expected in NORMALISED:
        asked = OwnChecks((), (("v", Format(kind)),), TODAY)
        got = judged({"v": raw}, asked, schema_of({"v": raw}), [Source(0, text)], {"v": sure})["v"]
        if isinstance(expected, FieldCode):
            assert (got.code, got.outcome) == (expected, FieldOutcome.CHECK), raw
        else:
            assert (got.normalised, got.code) == (expected, FieldCode.LABELLED), raw


def test_a_format_decides_as_what_a_value_is_compared():
    formats = {"a": Format.CURRENCY, "b": Format.DATE}
    assert not found(["a == 1500"], {"a": "1,500", "b": "-"}, SILENT, formats)
    marked = found(["b == '3'"], {"a": "1", "b": "3"}, SILENT, formats)
    assert marked["b"].code is FieldCode.UNCHECKABLE


def test_checks_take_no_longer_than_they_may(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(conditions, "LIMIT_S", 0.05)
    evil = r"matches(a, '(x+x+)+y')"
    many = {"total": "1", "items": amounts(*["1.00"] * 200_000)}
    for check, answer in ((evil, {"a": "x" * 5_000}), (SUM, many)):
        started = time.process_time()
        marked = found([check] * 3, answer)
        assert time.process_time() - started < 5
        assert {each.code for each in marked.values()} == {FieldCode.UNCHECKABLE}
        assert f"{check}: takes too long" in next(iter(marked.values())).about


def test_an_answer_that_was_not_checked_by_rules_is_checked_all_the_same():
    assert found(["total > 5"], {"total": "4"})["total"].outcome is FieldOutcome.WRONG
    assert found(["total > 3"], {"total": "4"}) == {}
