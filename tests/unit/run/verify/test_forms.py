"""Forms of numbers and dates, locale by locale: each is read as what it says and nothing else."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.run.verify.dates import Order, dates, settled, whole_date
from worker.run.verify.fold import fold, folded, stands_alone
from worker.run.verify.numbers import amount, number_at, readings, runs


def numbers(text: str):
    said = folded(text)
    found = (number_at(said, start, end) for start, end, _ in runs(said))
    return [number for number in found if number is not None]


NUMBERS = {
    "en": [("1,234.56", "1234.56"), ("1,234,567", "1234567"), ("0.50", "0.50"), (".5", "5")],
    "en-IN": [("1,23,456.00", "123456.00"), ("12,34,567", "1234567"), ("₹1,00,000/-", "100000")],
    "de": [("1.234,56", "1234.56"), ("1.234.567", "1234567"), ("12,5", "12.5")],
    "fr": [
        ("1\u202f234,56", "1234.56"),
        ("1 234,56", "1234.56"),
        ("1\u00a0234\u00a0567", "1234567"),
    ],
    "ch": [("1'234.50", "1234.50"), ("1\u2019234\u2019567.05", "1234567.05")],
    "hi": [("१,२३,४५६", "123456"), ("१२३.५०", "123.50")],
    "ta": [("௧௨௩", "123"), ("1,23,456", "123456")],
    "ar": [("١٢٣٬٤٥٦٫٧٥", "123456.75"), ("١٢٫٥", "12.5")],
    "zh": [("１２３，４５６．００", "123456.00"), ("10,0000", "100000")],
    "ja": [("123,456", "123456"), ("１２万", "12")],
}


@pytest.mark.parametrize("locale", NUMBERS)
def test_a_number_is_read_in_the_form_of_each_locale(locale):
    for text, value in NUMBERS[locale]:
        found = numbers(text)
        assert Decimal(value) in found[0].values, text


@pytest.mark.parametrize(
    ("run", "values"),
    [
        ("1.234", {"1234", "1.234"}),
        ("1,234", {"1234", "1.234"}),
        ("1.2345", {"1.2345", "12345"}),
        ("0.500", {"0.500"}),
        ("12.34.56", set()),
        ("1.2.3", set()),
        ("1,23,45", set()),
        ("1,234.567.89", set()),
        ("1.234,56,78", set()),
        ("007", set()),
        ("0", {"0"}),
    ],
)
def test_a_run_of_digits_means_all_that_it_may_mean_and_no_more(run, values):
    assert set(readings(run)) == {Decimal(value) for value in values}


@pytest.mark.parametrize(
    ("text", "negative"),
    [
        ("Balance −500", True),
        ("-500", True),
        ("₹-500", True),
        ("-₹500", True),
        ("500-", True),
        ("(500)", None),
        ("two (2) years", False),
        ("Total - 500", False),
        ("Rs:-500/-", False),
        ("A-500", False),
        ("+500", False),
        ("500/-", False),
    ],
)
def test_a_sign_is_told_from_a_dash(text, negative):
    assert numbers(text)[-1].negative is negative


SCALED = {
    "en": [("5.2 million", "5200000"), ("3bn", "3000000000")],
    "en-IN": [("Rs. 5 lakh", "500000"), ("1.25 crore", "12500000"), ("₹ 12 lacs", "1200000")],
    "de": [("3,5 Mio. €", "3500000"), ("2 Milliarden", "2000000000")],
    "fr": [("3,5 millions", "3500000"), ("2 Md", "2000000000")],
    "hi": [("५ लाख", "500000"), ("2.5 करोड़", "25000000")],
    "ta": [("5 லட்சம்", "500000"), ("3 கோடி", "30000000")],
    "ar": [("٥ ملايين", "5000000"), ("3 ألف", "3000")],
    "zh": [("3.5万元", "35000"), ("2亿", "200000000")],
    "ja": [("12万円", "120000"), ("3億円", "300000000")],
}


@pytest.mark.parametrize("locale", SCALED)
def test_a_scale_word_counts(locale):
    for text, value in SCALED[locale]:
        assert Decimal(value) in numbers(text)[0].scaled(), text


@pytest.mark.parametrize(
    ("text", "currency", "unit"),
    [
        ("RM 12.50", "MYR", None),
        ("RM12.50", "MYR", None),
        ("12,50 €", "EUR", None),
        ("CHF 1'234.50", "CHF", None),
        ("Rs.500", "INR", None),
        ("500 रुपये", "INR", None),
        ("500元", "CNY", None),
        ("500円", "JPY", None),
        ("2 years", None, "year"),
        ("18 Monate", None, "month"),
        ("3 साल", None, "year"),
        ("6 %", None, "%"),
        ("10kg", None, "kilogram"),
        ("Tisch 12", None, None),
    ],
)
def test_what_stands_around_a_number_is_its_currency_or_its_unit(text, currency, unit):
    (number,) = numbers(text)
    assert (number.currency, number.unit) == (currency, unit)


@pytest.mark.parametrize(
    "text", ["13/03/2018", "CS135863", "07-2614733", "12:49:00", "#123", "192.168.1.10"]
)
def test_a_part_of_something_else_is_no_number_of_its_own(text):
    assert all(number.inside for number in numbers(text))


@pytest.mark.parametrize("value", ["abc", "INV-500", "10 kg box", "Blue 5", "", "5 5", "Room 12"])
def test_a_text_with_a_number_in_it_is_no_amount(value):
    assert amount(value) is None


DATES = {
    "en": ["April 3, 2024", "3 April 2024", "3rd day of April, 2024", "Apr. 3, 2024", "2024-04-03"],
    "en-IN": ["03-Apr-2024", "3 April, 2024", "03-Apr-24"],
    "de": ["3. April 2024", "3. Apr. 2024"],
    "fr": ["3 avril 2024", "le 3 avr. 2024"],
    "ch": ["3. April 2024", "2024/04/03"],
    "hi": ["३ अप्रैल २०२४", "3 अप्रैल, 2024"],
    "ta": ["3 ஏப்ரல் 2024"],
    "ar": ["٣ أبريل ٢٠٢٤", "3 أبريل 2024"],
    "zh": ["2024年4月3日", "２０２４年４月３日", "2024-4-3"],
    "ja": ["2024年4月3日", "令和6年4月3日"],
    "th": ["3/4/2567"],
}


@pytest.mark.parametrize("locale", DATES)
def test_a_date_is_read_in_the_forms_of_each_locale(locale):
    for text in DATES[locale]:
        found = dates(folded(f"x {text}."))
        assert [date.days[0] for date in found] == [(2024, 4, 3)], text


@pytest.mark.parametrize(
    ("text", "days", "order"),
    [
        ("13/03/2018", {(2018, 3, 13)}, Order.DAY_FIRST),
        ("03/13/2018", {(2018, 3, 13)}, Order.MONTH_FIRST),
        ("05/09/2017", {(2017, 9, 5), (2017, 5, 9)}, Order.OPEN),
        ("5-9-17", {(2017, 9, 5), (2017, 5, 9)}, Order.OPEN),
        ("5.9.17", {(2017, 9, 5)}, Order.DAY_FIRST),
        ("07/07/2017", {(2017, 7, 7)}, Order.SAID),
        ("March 2005", {(2005, 3, 0)}, Order.SAID),
    ],
)
def test_numbers_of_a_date_are_left_open_where_they_are(text, days, order):
    (date,) = dates(folded(text))
    assert (set(date.days), date.order) == (days, order)


@pytest.mark.parametrize(
    "text", ["192.168.1.10", "12 13 2014", "32/01/2020", "1.2.3", "13/13/2020", ""]
)
def test_other_numbers_are_no_dates(text):
    assert dates(text) == ()


def test_one_clear_date_settles_the_order_of_all():
    assert settled(dates("05/09/2017 and 21/09/2017")) is Order.DAY_FIRST
    assert settled(dates("05/09/2017 and 09/21/2017")) is Order.MONTH_FIRST
    assert settled(dates("05/09/2017")) is None
    assert settled(dates("21/09/2017 and 09/21/2017")) is None


@pytest.mark.parametrize(
    "value", ["Mon, 3 Jan 2025", "03/01/2025 20:40:32", "2025-01-03", "(3 Jan 2025)"]
)
def test_a_weekday_and_a_time_may_stand_around_a_date(value):
    assert whole_date(folded(value)) is not None


@pytest.mark.parametrize(
    "value", ["3 Jan 2025 to 5 Feb 2025", "paid in full on 3 Jan 2025", "2025"]
)
def test_more_than_a_date_is_none(value):
    assert whole_date(folded(value)) is None


@given(st.text(max_size=60))
def test_folding_keeps_every_character_at_its_place(text):
    found = fold(text)
    for at in range(len(found.text)):
        start, end = found.span(at, at + 1)
        assert 0 <= start < end <= len(text)


@given(st.text("a-é\u0301किम한는1 ,漢ノ", max_size=12))
def test_a_whole_text_always_stands_alone(text):
    assert stands_alone(text, 0, len(text))


@given(st.decimals(0, 10**9, places=2))
def test_every_amount_is_read_in_every_locale(value):
    western = f"{value:,.2f}"
    others = [
        western,
        western.translate(str.maketrans(",.", ".,")),
        western.replace(",", "'"),
        western.translate(str.maketrans(",.", "\u202f,")),
    ]
    for form in others:
        assert value in readings(folded(form)), form
