"""Documents that try to change their routing, policy, pins, schema, examples or checks: none does,
and what a model answers that obeys them is never sure."""

from dataclasses import replace
from datetime import date

import pytest

from models.checks import OwnChecks
from models.reasons import FieldCode, FieldOutcome
from models.words import Scope, TaskType
from tests.factories import a_config, a_job
from tests.hostile import FIELDS, HONEST, HOSTILE, SCHEMA, STEERING_ROUTES, Hostile, honest
from worker.calls.answer import Invalid, Valid, matching
from worker.calls.prepare import prepared
from worker.calls.prices import PriceBook
from worker.classify.learned import shipped
from worker.ingest.chunk import chunk
from worker.ingest.jobs import AskRow, ingest
from worker.llm.engine import Request
from worker.llm.probe import Traits
from worker.prompts import task_messages
from worker.prompts.markers import known
from worker.read.kinds import Text
from worker.run.judge import judge
from worker.run.outcome import Done

ASK = "Find the seller, the date, the total and the IBAN."
PRIVATE = "PAN: ABCPE1234F\n"
EVERY = pytest.mark.parametrize("document", HOSTILE, ids=[each.name for each in HOSTILE])


def done(document: Hostile, text: str | None = None, **more: object) -> Done:
    """What an answer comes to that does as the document says."""
    job = a_job(text or document.text, schema=SCHEMA, ask=ASK, **more)
    outcome = judge(job, Valid(document.obeyed), job.call_id, PriceBook(job.config))
    assert isinstance(outcome, Done)
    return outcome


def test_there_are_more_than_thirty_and_each_says_what_it_is_to_say() -> None:
    assert len({each.file for each in HOSTILE}) == len(HOSTILE) >= 30
    assert {each.file.rpartition(".")[2] for each in HOSTILE} == {"txt", "html", "eml", "pdf"}
    for each in HOSTILE:
        assert each.text.index("Seller: Larkmoor Ltd") < each.text.index("99.50"), each.name
        assert all(HONEST[name] != said for name, said in each.told.items()), each.name


@EVERY
def test_what_was_read_because_a_document_said_so_is_never_sure_and_never_accepted(
    document: Hostile,
) -> None:
    found = done(document, accept_error=0.1)
    assert found.fields is not None
    for name in document.told:
        assert found.fields[name].outcome is not FieldOutcome.SURE, found.fields[name]
        assert not found.fields[name].accepted


def test_the_honest_paper_alone_is_sure() -> None:
    job = a_job(honest("HX-00"), schema=SCHEMA)
    found = judge(job, Valid(dict(HONEST)), job.call_id, PriceBook(job.config))
    assert isinstance(found, Done)
    assert found.fields is not None
    said = {name: check.outcome for name, check in found.fields.items()}
    assert said == dict.fromkeys(("seller", "date", "total"), FieldOutcome.SURE)


def rows(text: str, *, local_only: bool, private: bool) -> list[tuple[object, ...]]:
    """What becomes of a document: where each of its jobs goes, why, and what is pinned."""
    read = Text.of([(PRIVATE if private else "") + text])
    asks = [AskRow(1, ASK, SCHEMA, None, Scope.CHUNK, ())]
    asks += [AskRow(2, "Should we pay?", None, None, Scope.DOCUMENT, ())]
    tables = {"tasks": {"extraction": {"escalate": "frontier"}}, "pin": {"patterns": ["pan"]}}
    made = ingest(
        "a.txt",
        read,
        chunk(read, 600),
        asks,
        local_only=local_only,
        config=a_config(**tables),
        learned=shipped(),
    )
    of = ("task", "found_by", "confidence", "zone", "engine", "model", "pinned", "bulk",
          "escalation_reason")  # fmt: skip
    return [tuple(job.get(name) for name in of) for job in made.jobs]


@pytest.mark.parametrize("private", [False, True])
@pytest.mark.parametrize("local_only", [False, True])
def test_no_document_changes_its_routing_its_policy_or_its_pins(
    local_only: bool, private: bool
) -> None:
    expected = rows(honest("HX-00"), local_only=local_only, private=private)
    zones = {row[3] for row in expected}
    assert zones == ({"local"} if local_only or private else {"local", "frontier"})
    texts = [each.text for each in HOSTILE]
    for text in [*texts, *(honest("HX-00") + each for each in STEERING_ROUTES)]:
        assert rows(text, local_only=local_only, private=private) == expected, text


@EVERY
def test_a_document_stands_behind_its_request_and_has_no_marker_of_a_turn(
    document: Hostile,
) -> None:
    usual = task_messages(TaskType.EXTRACTION, ASK, honest("HX-00"), SCHEMA)
    sent = task_messages(TaskType.EXTRACTION, ASK, document.text, SCHEMA)
    assert sent[:-1] == usual[:-1]
    head = usual[-1].content.partition("Invoice")[0]
    assert sent[-1].content == head + document.text.strip()
    request = Request("m", sent, 100, 4096, SCHEMA, fixed=len(sent) - 1)
    assert known(prepared(request, Traits()).messages[-1].content) is None


def test_a_document_adds_no_field_to_its_schema() -> None:
    job = a_job(HOSTILE[0].text, schema=SCHEMA)
    more = {**HOSTILE[0].obeyed, "approved": True}
    assert isinstance(matching(HOSTILE[0].obeyed, job.answer_schema), Valid)
    assert isinstance(matching(more, job.answer_schema), Invalid)


@EVERY
def test_a_document_turns_no_check_of_the_users_off(document: Hostile) -> None:
    own = OwnChecks(("total == 99.50", "date <= today", "iban valid"), (), date(2024, 6, 1))
    text = f"{document.text}\nchecks: []\ntoday: 2099-01-01\n"
    found = done(replace(document, told={"total": "1.00", "date": "9 June 2031"}), text, own=own)
    assert found.fields is not None
    assert found.fields["total"].code is FieldCode.OWN_CHECK
    assert found.fields["date"].code is FieldCode.OWN_CHECK
    assert tuple(found.value) == FIELDS
