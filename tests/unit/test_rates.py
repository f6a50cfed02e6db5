"""What a model makes of a text, learnt from what its engine reports."""

import random

import pytest

from worker.rates import SAMPLE, SETTLED, SURE, TURN_TOKENS, RateBook, Rates, first_rates
from worker.tokens import Script, estimate, measure

TAMIL = "மனிதப் பிறவியினர் சகலரும் சுதந்திரமாகவே பிறக்கின்றனர்; அவர்கள் மதிப்பிலும் உரிமைகளிலும் சமமானவர்கள். "
HINDI = "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है। "
ENGLISH = "The Receiving Party shall keep the Confidential Information secret for 5 years. "
RULES = "Read the text and answer with JSON. Copy every value exactly as it stands. " * 6

LLAMA = {Script.LATIN: 0.64, Script.FIGURES: 0.85, Script.DEVANAGARI: 0.98, Script.TAMIL: 2.53}
GEMMA = {Script.LATIN: 0.61, Script.FIGURES: 0.98, Script.DEVANAGARI: 0.42, Script.TAMIL: 0.41}


def taken(text: str, truth: dict[Script, float]) -> float:
    """Tokens of a text to a model of which the truth is known."""
    return sum(units * truth[script] for script, units in measure(text).items())


def ask(book: RateBook, model: str, truth: dict[Script, float], text: str) -> None:
    tokens = taken(RULES, truth) + taken(text, truth) + 2 * TURN_TOKENS
    book.learn(model, [RULES, text], round(tokens))


def mean(rates: Rates) -> dict[Script, float]:
    return {script: rate.mean for script, rate in rates.of.items()}


def test_before_anything_is_known_the_dearest_vocabulary_is_within_the_estimate():
    rates = RateBook().of("somebody's").safe
    for text in (TAMIL, HINDI, ENGLISH):
        assert taken(text, LLAMA) <= estimate(text, rates)


@pytest.mark.parametrize("truth", [LLAMA, GEMMA], ids=["dear", "cheap"])
def test_after_twenty_prompts_of_a_script_it_is_known_within_a_tenth_and_still_safe(truth):
    book, draw = RateBook(), random.Random(1)
    for _ in range(20):
        for text in (TAMIL, HINDI, ENGLISH):
            ask(book, "m", truth, text * draw.randint(3, 12))
    for text in (TAMIL, HINDI, ENGLISH):
        real = taken(text, truth)
        assert estimate(text * 10, mean(book.of("m"))) == pytest.approx(10 * real, rel=0.1)
        assert real <= estimate(text, book.of("m").safe) <= 1.25 * real


def test_a_name_says_where_learning_begins():
    units = measure(TAMIL)
    dear, cheap = (
        sum(n * first_rates(name)[script].mean for script, n in units.items())
        for name in ("llama3.1:8b", "gemma3:4b")
    )
    assert dear > 4 * cheap


def test_another_model_under_the_same_name_is_found_out():
    book = RateBook()
    for truth in (GEMMA, LLAMA):
        for _ in range(SETTLED):
            ask(book, "m", truth, TAMIL * 8)
        book.of("m").prompts = 0
    assert taken(TAMIL, LLAMA) <= estimate(TAMIL, book.of("m").safe)


def test_what_counts_something_else_teaches_nothing():
    rates = Rates(first_rates("m"))
    before = dict(rates.of)
    for tokens in (0, 1, 100_000):
        rates.learn(measure(ENGLISH * 10), tokens)
    assert rates.of == before
    assert not rates.changed


def test_an_engine_that_reports_nothing_teaches_nothing():
    book = RateBook()
    book.learn("m", [ENGLISH], None)
    assert book.of("m").prompts == 0


def test_a_prompt_that_was_too_long_makes_the_script_dearer_and_one_of_known_length_does_not():
    rates = Rates(first_rates("gemma3"))
    units = measure(TAMIL * 40)
    before = dict(rates.safe)
    rates.too_long(units, room=10)
    assert rates.safe == before
    rates.too_long(units, room=round(2 * taken(TAMIL * 40, GEMMA)))
    assert rates.safe[Script.TAMIL] > 1.3 * before[Script.TAMIL]


def test_what_texts_are_cut_by_stays_while_it_is_safe_and_not_far_too_dear():
    book, draw = RateBook(), random.Random(2)
    cuts = list[float]()
    for _ in range(300):
        noisy = {script: rate * draw.uniform(0.95, 1.05) for script, rate in LLAMA.items()}
        ask(book, "m", noisy, TAMIL * 8)
        cuts.append(book.cut(["m"])[Script.TAMIL])
    assert len(set(cuts[50:])) == 1
    assert LLAMA[Script.TAMIL] <= cuts[-1] <= 1.25 * LLAMA[Script.TAMIL]


def test_once_a_model_is_known_only_some_of_its_prompts_are_looked_at():
    book = RateBook()
    for _ in range(SETTLED):
        ask(book, "m", LLAMA, TAMIL)
    book.of("m").changed.clear()
    for _ in range(SAMPLE - 1):
        ask(book, "m", LLAMA, TAMIL)
    assert not book.of("m").changed
    ask(book, "m", LLAMA, TAMIL)
    assert book.of("m").changed


def test_a_text_is_cut_for_the_dearest_of_the_models_that_are_asked_about_it():
    book = RateBook()
    both = book.cut(["llama3.1:8b", "gemma3:4b"])
    for script in Script:
        assert both[script] == max(
            book.of(name).cut[script] for name in ("llama3.1:8b", "gemma3:4b")
        )


def test_who_knows_better_tells_and_who_knows_less_is_told():
    learned, fresh = Rates(first_rates("m")), Rates(first_rates("m"))
    for _ in range(20):
        learned.learn(measure(TAMIL * 8), taken(TAMIL * 8, LLAMA))
    news = learned.told({})
    assert news[Script.TAMIL] == learned.of[Script.TAMIL]
    assert learned.told(news) == {}
    fresh.learn(measure(TAMIL), taken(TAMIL, GEMMA))
    assert Script.TAMIL not in fresh.told(news)
    assert fresh.of[Script.TAMIL] == learned.of[Script.TAMIL]
    assert fresh.safe[Script.TAMIL] == learned.safe[Script.TAMIL]


def test_nothing_is_ever_quite_certain():
    rates = Rates(first_rates("m"))
    for _ in range(1_000):
        rates.learn(measure(ENGLISH), taken(ENGLISH, LLAMA))
    assert all(rate.sd >= 0.99 * SURE * rate.mean for rate in rates.of.values())


def test_one_strange_text_moves_little():
    book = RateBook()
    for _ in range(SETTLED):
        ask(book, "m", LLAMA, ENGLISH * 8)
    before = estimate(ENGLISH, book.of("m").safe)
    book.of("m").learn(measure(ENGLISH * 8), 3 * taken(ENGLISH * 8, LLAMA))
    assert estimate(ENGLISH, book.of("m").safe) <= 1.1 * before
