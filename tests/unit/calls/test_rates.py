"""Rates of models by script, between a process and Postgres."""

import asyncio
from typing import Any

from tests.clock import virtual_time
from tests.factories import a_request, an_access
from tests.fakes import FakeDatabase
from worker.calls.rates import LOOK_S, KeptRates
from worker.llm.engine import Completion, Finish, Message, Usage
from worker.rates import RateBook
from worker.tokens import Script, estimate

TAMIL = "மனிதப் பிறவியினர் சகலரும் சுதந்திரமாகவே பிறக்கின்றனர்"


def kept(db: Any, book: RateBook) -> KeptRates:
    return KeptRates(db, book)


async def test_what_was_learnt_is_written_once_and_what_others_learnt_is_taken_over():
    row = {"model": "m", "script": "hangul", "mean": 0.7, "sd": 0.01, "cut": 0.8}
    db, book = FakeDatabase(calls__rates=[row]), RateBook()
    rates = kept(db, book)
    await rates.look()
    assert db.ran == []  # no model has been asked yet
    book.learn("m", [TAMIL], round(2 * estimate(TAMIL)))
    await rates.look()
    assert db.given("calls/rates") == {"models": ["m"]}
    written = db.given("calls/keep_rates")["rows"].obj
    assert {(one["model"], one["script"]) for one in written} == {("m", "latin"), ("m", "tamil")}
    assert book.of("m").cut[Script.HANGUL] == 0.8
    await rates.look()
    assert db.ran == ["calls/rates", "calls/keep_rates", "calls/rates"]


@virtual_time
async def test_it_looks_every_few_seconds():
    db, book = FakeDatabase(), RateBook()
    book.of("m")
    running = asyncio.create_task(kept(db, book).run())
    await asyncio.sleep(3.5 * LOOK_S)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert db.ran == ["calls/rates"] * 3


def test_an_answer_teaches_what_its_prompt_took_and_a_refusal_what_it_must_have_taken():
    access = an_access()
    request = a_request(messages=(Message("user", TAMIL * 50),))
    before = access.rates.of("m").safe[Script.TAMIL]
    answer = Completion("x", Finish.STOP, 1, Usage(input_tokens=estimate(TAMIL * 50)))
    for _ in range(5):
        access.read(request, answer)
    cheap = access.rates.of("m").safe[Script.TAMIL]
    assert cheap < 0.6 * before
    access.too_long(request)
    assert access.rates.of("m").safe[Script.TAMIL] > cheap
