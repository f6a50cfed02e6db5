import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.run import ground as module
from worker.run.ground import Grounding, Source, find
from worker.run.verify.asked import asked_of


def ground(value: object, sources: list[Source], schema: dict | None = None) -> Grounding:
    return module.ground(asked_of(value, schema or {}), sources)


def stands(value: str, text: str) -> bool:
    return find(value, [Source(0, text)]) is not None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1,00,000", "Rs 1,00,000 only"),
        ("100000", "Rs 1,00,000 only"),
        ("1,00,000", "₹100000/-"),
        ("100,000", "Rs 1,00,000 only"),
        ("1,234,567.89", "USD 1234567.89"),
        ("1234567.89", "USD 1,234,567.89."),
        ("12,34,567.89", "₹ 12,34,567.89"),
        ("75.00", "Amount payable 75.00\n"),
        ("1.5", "1,5 Liter"),
        ("12 500", "12,500"),
        ("1234.56", "Summe: 1.234,56 EUR"),
        ("1234,56", "Total : 1\u202f234,56 EUR"),
        ("1234.50", "Total CHF 1\u2019234.50"),
        ("-500", "Balance \u2212500"),
        ("12345", "कुल राशि ₹१२,३४५"),
        ("12345.67", "المبلغ ١٢٬٣٤٥٫٦٧"),
        ("40", "2 x Tea 40, cake 35"),
        ("-5.50", "balance: -5.50"),
        ("+91", "call +91 22 1234"),
        ("2024", "(2024)"),
        ("5", "5"),
    ],
)
def test_a_number_may_differ_in_its_separators_and_its_script(value, text):
    assert stands(value, text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("100000", "1,00,000.50"),
        ("100000", "1000000"),
        ("10000", "100000"),
        ("5", "0.5"),
        ("75", "75.00"),
        ("75.0", "75.05"),
        ("75.00", "7500"),
        ("7500", "75.00"),
        ("12", "12,500"),
        ("12", "no number at all"),
        ("-5", "+5"),
        ("5", ""),
    ],
)
def test_a_part_of_a_number_or_another_number_does_not_count(value, text):
    assert not stands(value, text)


@pytest.mark.parametrize(
    ("value", "text"), [("234", "1,234"), ("500", "Total 1,500 only"), ("00,000", "1,00,000")]
)
def test_the_end_of_a_number_does_not_count_for_it(value, text):
    assert not stands(value, text)


@pytest.mark.parametrize("text", ["Rs.500", "No.500", "Total..........500"])
def test_a_number_may_follow_a_full_stop(text):
    assert stands("500", text)


def test_a_json_number_with_trailing_zeros_stands_in_the_text():
    assert ground({"total": 75.00}, [Source(0, "Amount payable 75.00")]).grounded is True


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Blue Leaf Cafe", "at the BLUE LEAF\n   cafe, today"),
        ("Blue Leaf Cafe", "Blue\u00a0Leaf\u3000Cafe"),
        ("  Blue \t Leaf ", "Blue Leaf"),
        ("3 Jan 2025", "dated 3 Jan\n2025."),
        ("महाराष्ट्र राज्य", "हे महाराष्ट्र\nराज्य आहे"),
        ("Müller & Söhne", "MÜLLER & SÖHNE GmbH"),
        ("(a+b)*c", "let (a+b)*c be"),
        ("C:\\temp\\x", "in C:\\temp\\x."),
        ("[draft]", "[Draft] of"),
        ("a.b", "see a.b"),
        ("$12.50", "paid $12.50 in cash"),
        ("東京都", "東京都"),
        ("😀", "well 😀!"),
    ],
)
def test_white_space_and_case_are_folded(value, text):
    assert stands(value, text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Leaf", "Leaflet"),
        ("leaf", "cloverleaf"),
        ("a.b", "axb"),
        ("Blue Leaf", "BlueLeaf"),
        ("Blue Leaf", "Blue green Leaf"),
        ("(a|b)", "a"),
        (".*", "anything"),
        ("x", ""),
        ("   ", "   "),
        ("", "anything"),
    ],
)
def test_everything_else_must_match_as_it_stands(value, text):
    assert not stands(value, text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Müller GmbH", "Gegen den Mu\u0308ller GmbH"),
        ("official notice", "The o\ufb03cial notice"),
        ("Donaudampfschiff AG", "Donau\u00addampfschiff AG"),
        ("O'Brien", "signed by O\u2019Brien"),
        ("2019-2021", "2019\u20132021 term"),
        ("１２３", "No. 123"),
        ("दिल्ली", "यह पत्र दिल्ली से आया।"),
        ("李明", "签约人李明于2024年3月5日支付了总额500元。"),
        ("500", "签约人李明于2024年3月5日支付了总额500元。"),
        ("北京大学", "甲方北京大学与乙方清华大学签订合同。"),
        ("田中太郎", "契約者の田中太郎は東京に住んでいます。"),
        ("김철수", "계약자 김철수는 서울에서 서명했다."),
        ("สมชายใจดี", "ผู้ซื้อคือสมชายใจดีที่กรุงเทพมหานคร"),
    ],
)
def test_forms_of_unicode_and_scripts_without_spaces_are_no_difference(value, text):
    assert stands(value, text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("दिल", "यह पत्र दिल्ली से आया।"),
        ("राम", "सीता ने रामायण पढ़ी।"),
        ("কম", "কমলা এসেছে।"),
        ("கமல", "பணம் கமலாவிடம் உள்ளது."),
        ("రామ", "యహ రామారావు వచ్చాడు."),
        ("ಕಮಲ", "ಕಮಲಾ ಬಂದಳು."),
        ("김철", "계약자 김철수는 서울에서 서명했다."),
        ("カー", "ギフトカードを使う"),
        ("Cart", "The Carter family"),
        ("ل", "المبلغ"),
    ],
)
def test_half_a_word_does_not_count_in_any_script(value, text):
    assert not stands(value, text)


FORM = {
    "type": "object",
    "properties": {
        "clause": {"type": "string", "description": "The clause in full"},
        "amount": {"type": "string"},
        "currency": {"enum": ["INR", "USD"]},
        "amount_currency": {"type": "string"},
        "kind": {"enum": ["lease", "sale"]},
        "party": {"type": "string"},
    },
}


@pytest.mark.parametrize(
    ("value", "grounded"),
    [
        ({"clause": ","}, False),
        ({"clause": ":{"}, False),
        ({"clause": "—"}, False),
        ({"clause": "Clause"}, False),
        ({"clause": "the clause in full"}, False),
        ({"clause": "amount"}, False),
        ({"party": "lease"}, False),
        ({"amount_currency": "INR"}, True),
        ({"amount": "₹"}, True),
        ({"party": "Asha"}, True),
        ({"kind": "lease"}, True),
    ],
)
def test_what_says_nothing_stands_nowhere(value, grounded):
    text = "The clause in full, amount, clause: { — ₹ INR lease Asha"
    assert ground(value, [Source(0, text)], FORM).grounded is grounded


WORDS = st.text(
    st.characters(categories=["L", "N", "P", "S", "M"], codec="utf-8"), min_size=1, max_size=8
)


@given(WORDS, WORDS, st.text(max_size=20), st.text(" \t\n\u00a0", min_size=1, max_size=3))
def test_a_copied_value_is_found_where_it_was_copied_from(one, other, before, space):
    text = f"{before} {one}{space}{other} end"
    span = find(f"{one} {other}", [Source(100, text)])
    assert span is not None
    copied = text[span[0] - 100 : span[1] - 100]
    assert copied.split()[-1].casefold() == other.casefold()


@given(st.integers(0, 10**15), st.booleans(), st.text("abc:; \n", max_size=5))
def test_every_number_is_found_with_indian_and_western_separators(number, indian, around):
    plain = str(number)
    western = f"{number:,}"
    head, tail = plain[:-3], plain[-3:]
    grouped = re.sub(r"(?<=\d)(?=(\d\d)+$)", ",", head) + "," + tail if head else plain
    text = f"{around} {grouped if indian else western} {around}"
    for value in (plain, western, grouped):
        assert stands(value, text)


@given(st.text(max_size=40), st.text(max_size=60))
def test_no_value_makes_it_stumble_and_every_span_lies_in_the_text(value, text):
    span = find(value, [Source(7, text)])
    assert span is None or 7 <= span[0] < span[1] <= 7 + len(text)


def test_a_place_where_it_stands_to_the_letter_comes_before_one_where_it_only_stands():
    text = "TANNERS YARD, Tanners\nYard, Tanners Yard"
    assert find("Tanners Yard", [Source(100, text)]) == (128, 140)


def test_a_part_of_another_word_does_not_hide_the_word_behind_it():
    assert find("Leaf", [Source(0, "Leaflet of Blue Leaf")]) == (16, 20)
    assert find("500", [Source(0, "1,500 and 500")]) == (10, 13)
    assert find("Leaf", [Source(0, "Leaflet leaf Leaf")]) == (13, 17)


def test_the_first_of_several_places_is_named_and_counts_from_the_documents_start():
    sources = [Source(0, "nothing here"), Source(500, "a 75.00 b 75.00"), Source(900, "75.00")]
    assert find("75.00", sources) == (502, 507)


def test_overlapping_values_each_have_their_own_span():
    text = "Blue Leaf Cafe Ltd"
    value = {"short": "Blue Leaf", "long": "Leaf Cafe Ltd", "all": text}
    found = ground(value, [Source(10, text)])
    assert found == Grounding(True, {"short": [10, 19], "long": [15, 28], "all": [10, 28]})


def test_every_leaf_is_looked_up_and_named_by_its_path():
    value = {
        "facts": [{"name": "date", "value": "3 Jan"}, {"name": "missing thing", "value": "x9"}],
        "count": 2,
        "paid": True,
        "note": None,
        "empty": "",
    }
    found = ground(value, [Source(0, "the date is 3 Jan, 2 pages")])
    assert found.grounded is False
    assert found.spans == {"facts.0.name": [4, 8], "facts.0.value": [12, 17], "count": [19, 20]}


@pytest.mark.parametrize("value", [{}, {"a": None}, {"a": [True, None, " "]}, {"a": {"b": []}}])
def test_an_answer_without_a_value_is_neither_grounded_nor_not(value):
    assert ground(value, [Source(0, "text")]) == Grounding(None, {})


def test_without_any_text_nothing_is_grounded():
    assert ground({"a": "b"}, []) == Grounding(False, {})


HOSTILE = {
    "ones among separated ones": ("1" * 300, "1," * 50_000 + "12"),
    "one word many times": ("a " * 300 + "b", "a " * 50_000),
    "blanks": ("x y", "x" + " " * 100_000),
    "nested groups": ("(((a+)+)+)+$", "a" * 100_000),
    "a very long value": ("z" * 50_000, "z" * 49_999 + "y" * 50_000),
    "a long number": ("9" * 1_500, "9" * 1_499 + " " + "9," * 40_000 + "91"),
}


@pytest.mark.parametrize(("value", "text"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_values_and_texts_do_not_hold_it_up(value, text):
    started = time.process_time()
    assert not stands(value, text)
    assert time.process_time() - started < 3
