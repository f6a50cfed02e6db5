"""Which examples of its ask a text's prompt shows, and which would give its answer away."""

import time
import timeit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.examples import Example, Own
from worker.prompts.choose import GOLD_TOKENS, Budget, looked_at, nearest, own
from worker.prompts.leaks import Asked
from worker.prompts.nearest import GoldRow, Nearby, signature

LETTER = (
    "Dear Ms {name}, thank you for your order of last week. We have sent the goods by post today. "
    "The amount of {amount} is due within thirty days of the date of this letter. Please name the "
    "number of the invoice when you pay. If you have any question, write to the address above. "
    "With kind regards, the Mill Lane Book Shop."
)
ASKED = LETTER.format(name="Adeyemi", amount="75.00")
OTHER = LETTER.format(name="Lindqvist", amount="1,204.50")
ELSE = "The meeting of the garden club on Tuesday was opened by the chair, who spoke of tulips."
PLENTY = Budget(10_000)


def example(text: str, **answer: object) -> Example:
    return Example(text, answer)


@pytest.mark.parametrize(
    ("shown", "is_leak"),
    [
        (example(ASKED, name="Adeyemi"), True),
        (example(ASKED.upper().replace(" ", "  "), name="ADEYEMI"), True),
        (example(f"{ELSE} {ASKED} {ELSE}", name="Adeyemi"), True),
        (example(ASKED[:200], name="Adeyemi"), True),
        (example(ASKED[:280] + ELSE, name="Adeyemi"), True),
        (example(OTHER, name="Lindqvist", amount="1,204.50"), False),
        (example(OTHER, label="confirmation"), False),
        (example(ELSE, label="minutes"), False),
        (example(ELSE, name="Adeyemi"), False),
    ],
)
def test_an_example_that_shows_the_text_gives_its_answer_away_and_one_of_its_template_does_not(
    shown, is_leak
):
    assert Asked(ASKED).is_given_away_by(shown) is is_leak


@pytest.mark.parametrize("text", ["", "  ", "7", "a b", "मूल्य ७५", "総額は七十五円"])
def test_short_texts_give_away_themselves_and_nothing_else(text):
    assert Asked(text).is_given_away_by(example(text, a="b")) is any(map(str.isalnum, text))
    assert not Asked(text).is_given_away_by(example(ELSE, a="b"))


@given(st.text(max_size=300))
def test_every_text_with_a_letter_gives_itself_away(text):
    leaks = Asked(text).is_given_away_by(example(text, a="b"))
    assert leaks or not any(map(str.isalnum, text))


def test_its_own_examples_are_shown_in_their_order_but_for_leaks():
    examples = Own((example(OTHER, a="1"), example(ASKED, a="2"), example(ELSE, a="3")))
    shown = own(examples, ASKED, PLENTY)
    assert [each.answer["a"] for each in shown.examples] == ["1", "3"]
    assert (shown.numbers, shown.leaks, shown.no_room) == ((1, 3), (2,), ())


def test_an_example_that_leaves_the_text_no_room_is_left_out():
    examples = Own((example(ELSE * 20, a="1"), example(ELSE, a="2")))
    shown = own(examples, ASKED, Budget(100))
    assert (shown.numbers, shown.no_room) == ((2,), (1,))
    assert own(examples, ASKED, Budget(100, turn=90)).no_room == (1, 2)


def rows(*texts: str, document: str = "d") -> list[GoldRow]:
    return [
        GoldRow(number, f"{document}{number}", example(text, n=str(number)))
        for number, text in enumerate(texts, start=1)
    ]


def test_of_gold_the_nearest_rows_are_shown_the_nearest_last():
    found = nearest("g", rows(OTHER, ELSE, OTHER * 2), ASKED, 2, PLENTY, "x")
    assert (found.numbers, found.gold) == ((2, 1), "g")


def test_a_row_of_the_same_document_is_never_shown_and_its_place_is_taken_by_the_next():
    found = nearest("g", rows(OTHER, ELSE), ASKED, 1, PLENTY, "d1")
    assert (found.numbers, found.leaks) == ((2,), (1,))


def test_rows_of_gold_have_a_bound_of_their_own():
    found = nearest("g", rows(*[f"{ELSE} " * 30] * 9), ASKED, 9, PLENTY, "x")
    assert 0 < len(found.numbers) < 9
    assert sum(len(each.text) for each in found.examples) < 4 * GOLD_TOKENS


def test_the_nearest_text_is_one_of_its_kind():
    kinds = {
        "receipt": "Total {n}.00 cash change thank you for shopping tax counter bill no {n}",
        "letter": "Dear sir, I write to you about my contract {n} and ask you to end it, regards",
        "minutes": "The chair opened the meeting {n}; minutes of the last meeting agreed",
        "notice": "पानी की आपूर्ति {n} तारीख को बंद रहेगी कृपया पर्याप्त पानी जमा कर लें",
        "shop": "領収書 合計 {n} 円 現金 お買い上げありがとうございました",
    }
    nearby = Nearby(rows(*(each.format(n=n) for n in range(20) for each in kinds.values())))
    for name, text in kinds.items():
        found = nearby.like(text.format(n=777), 5)
        assert {each.example.text[:3] for each in found} == {text[:3]}, name


def test_equals_come_in_their_order_and_no_rows_are_none():
    assert [row.id for row in Nearby(rows(*[ELSE] * 9)).like(ELSE, 3)] == [1, 2, 3]
    assert Nearby([]).like(ELSE, 3) == []
    assert looked_at(3) > 3


def test_digits_say_nothing_of_what_a_text_is_like():
    assert signature("bill 17 of 2024") == signature("bill 23 of 1999")


def test_to_find_the_nearest_of_five_hundred_takes_about_a_millisecond_at_most():
    words = [f"w{n:03}x{n % 7}" for n in range(700)]
    long = " ".join(words)
    nearby = Nearby(rows(*(" ".join(words[n : n + 200]) for n in range(500))))
    took = timeit.repeat(
        lambda: nearby.like(long, 13), timer=time.process_time, number=1, repeat=20
    )
    assert min(took) < 0.003
