import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.tokens import MAX_CHARS_PER_TOKEN, Script, estimate, measure

# What the o200k vocabulary (GPT-4o, Phi-4) and Gemma 3's count, the larger of the two.
COUNTED = [
    ("The Receiving Party shall keep the Confidential Information secret for five years.", 13),
    ("TOTAL SALES(INCLUSIVE OF GST) :  100.90\nCASH :  101.00\nCHANGE :  0.10\n", 36),
    ("def area(width: float, height: float) -> float:\n    return width * height\n", 21),
    ("सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है।", 25),
    ("மனிதப் பிறிவியினர் சகலரும் சுதந்திரமாகவே பிறக்கின்றனர்; அவர்கள் மதிப்பிலும்", 25),
]


@given(st.text())
def test_no_text_makes_it_fail_and_only_the_empty_one_is_free(text):
    assert (estimate(text) == 0) == (text == "")


@given(st.text(), st.text())
def test_it_never_shrinks_and_parts_never_sum_to_less(left, right):
    whole = estimate(left + right)
    assert max(estimate(left), estimate(right)) <= whole <= estimate(left) + estimate(right)


@given(st.text(min_size=1))
def test_no_text_is_cheaper_than_the_stated_minimum(text):
    assert len(text) <= MAX_CHARS_PER_TOKEN * estimate(text)


@pytest.mark.parametrize(("text", "tokens"), COUNTED)
def test_it_is_not_below_what_real_vocabularies_count_nor_far_above(text, tokens):
    assert tokens <= estimate(text) <= 2.5 * tokens


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [("a" * 400, 100, 100), ("1" * 100, 50, 100), ("क" * 100, 50, 70), ("漢" * 100, 100, 100)],
)
def test_each_script_has_its_own_price(text, least, most):
    assert least <= estimate(text) <= most


def test_half_a_surrogate_pair_is_counted_like_a_sign():
    assert estimate("\ud83d") >= 1


@given(st.text())
def test_the_units_of_all_scripts_are_the_estimate(text):
    assert math.ceil(round(sum(measure(text).values()), 6)) == estimate(text)


@pytest.mark.parametrize(
    ("text", "scripts"),
    [
        ("plain words", {"latin"}),
        ("1.50\n", {"figures"}),
        ("क", {"devanagari"}),
        ("ক।", {"bengali", "devanagari"}),  # the danda is of all scripts of India
        ("ਕક", {"gurmukhi", "gujarati"}),
        ("ଓத", {"odia", "tamil"}),
        ("తಕ", {"telugu", "kannada"}),
        ("മසก", {"malayalam", "sinhala", "thai"}),
        ("слово", {"cyrillic"}),
        ("كلمة", {"arabic"}),
        ("ខ", {"khmer"}),
        ("かな漢字한글", {"kana", "han", "hangul"}),
        ("🙂", {"signs"}),
        ("", set()),
    ],
)
def test_a_text_is_measured_script_by_script(text, scripts):
    assert set(measure(text)) == scripts


@given(st.text(), st.text(), st.floats(0.05, 8))
def test_by_rates_too_it_never_shrinks_and_parts_never_sum_to_less(left, right, rate):
    rates = dict.fromkeys(Script, rate)
    parts = estimate(left, rates), estimate(right, rates)
    assert max(parts) <= estimate(left + right, rates) <= sum(parts)
