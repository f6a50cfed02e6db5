"""What a batch would take, counted from its documents without storing any."""

import base64
import json
from dataclasses import asdict
from decimal import Decimal
from typing import Any

import pytest

from models.errors import ReadError
from models.spec import Spec, make_spec
from models.words import TaskType
from tests.factories import PRICED, a_config, a_learned
from worker import plan as plan_module
from worker.estimate import Pace, Takes, Work
from worker.plan import DEAREST, Plan, Planner, _as_text, add_time, work
from worker.prompts import fixed_tokens, manner
from worker.rates import RateBook
from worker.read.kinds import Text

LETTER = "The store used more power this year than in the year before. " * 4
CONFIG = a_config(
    tasks={"summary": {"model": "big"}, "reasoning": {"model": "big"}},
    prices=PRICED,
)


class FakeReader:
    """Reads texts; a page break is a form feed, and what is broken is said to be."""

    async def read(self, data: bytes, media_type: str, path: str) -> Text:
        if data == b"broken":
            raise ReadError("damaged", f"{path}: no PDF")
        return Text.of(data.decode().split("\f"))

    def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def readers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_module, "make_reader", lambda config, children: FakeReader())


def document(text: str, path: str = "a.txt") -> dict[str, str]:
    data = base64.b64encode(text.encode()).decode()
    return {"path": path, "media_type": "text/plain", "data": data}


def a_spec(*asks: dict[str, Any], **more: Any) -> Spec:
    return make_spec({"asks": list(asks), **more}, "spec")


SUMMARY = {"ask": "Sum up.", "task": "summary"}
EXTRACTION = {"ask": "Find the total.", "task": "extraction"}
AUTO = {"ask": "What of it?"}


async def planned(spec: Spec, *texts: str, config: Any = CONFIG) -> Plan:
    documents = [document(text, f"{number}.txt") for number, text in enumerate(texts)]
    return await Planner(spec, config, a_learned()).read(iter(documents))


async def test_documents_pages_chunks_and_jobs_are_counted():
    made = await planned(a_spec(SUMMARY, EXTRACTION), LETTER, f"{LETTER}\f \f{LETTER}")
    assert (made.documents, made.pages) == (2, 4)
    assert made.chunks - made.blank_chunks == 3
    assert [asked.jobs for asked in made.asks] == [3, 3]
    assert made.jobs == 6
    assert made.classify_calls_max == 0


async def test_each_ask_is_planned_where_the_rule_sends_it():
    made = await planned(a_spec(SUMMARY, EXTRACTION), LETTER)
    assert [(one.task, one.tier, one.model) for one in made.asks] == [
        ("summary", "frontier", "big"),
        ("extraction", "local", "phi4-mini"),
    ]
    inside = await planned(a_spec(SUMMARY, policy="local-only"), LETTER)
    assert [(one.tier, one.cost_usd_max) for one in inside.asks] == [("local", 0)]


async def test_an_upper_bound_prices_prompts_and_whole_answers():
    made = await planned(a_spec(SUMMARY), LETTER, LETTER)
    [asked] = made.asks
    fixed = fixed_tokens(manner(TaskType.SUMMARY, "big"), "Sum up.", None)
    assert asked.input_tokens > 2 * fixed
    assert asked.output_tokens_max == 2 * CONFIG.task(TaskType.SUMMARY).max_tokens
    cost = Decimal(asked.input_tokens * 3 + asked.output_tokens_max * 15) / 10**6
    assert asked.cost_usd_max == made.cost_usd_max == cost > 0


async def test_where_seconds_are_billed_the_upper_bound_is_all_that_the_calls_may_run():
    engine = {"kind": "replicate", "usd_per_second": "0.001", "timeout_s": 100}
    config = a_config(engines={"frontier": engine}, tasks={"summary": {"model": "nobody/knows"}})
    [asked] = (await planned(a_spec(SUMMARY), LETTER, LETTER, config=config)).asks
    assert (asked.engine, asked.cost_usd_max) == ("frontier", Decimal("0.2"))


async def test_an_ask_without_a_task_is_planned_as_the_dearest_and_has_to_be_classified():
    made = await planned(a_spec(AUTO), LETTER, LETTER)
    [asked] = made.asks
    assert (asked.task, asked.tier, made.classify_calls_max) == ("auto", "frontier", 1)
    assert (asked.found_by, asked.confidence) == ("model", None)
    assert asked.output_tokens_max == 2 * CONFIG.task(DEAREST).max_tokens


async def test_an_ask_that_says_itself_what_it_is_is_planned_as_that_and_says_who_found_it():
    made = await planned(a_spec({"ask": "Classify the mail."}, SUMMARY), LETTER)
    assert [(one.task, one.tier, one.found_by) for one in made.asks] == [
        ("classification", "local", "rule"),
        ("summary", "frontier", "user"),
    ]
    assert (made.asks[0].confidence, made.classify_calls_max) == (0.98, 0)


async def test_at_an_unknown_price_the_cost_is_unknown_and_not_0():
    config = a_config(tasks={"summary": {"model": "nobody/knows"}})
    made = await planned(a_spec(SUMMARY, EXTRACTION), LETTER, config=config)
    assert [asked.cost_usd_max for asked in made.asks] == [None, 0]
    assert made.cost_usd_max is None


async def test_what_no_engine_holds_by_itself_is_named():
    schema = {"type": "object", "properties": {"id": {"type": "string", "pattern": "^(?!a)b+$"}}}
    made = await planned(a_spec({**EXTRACTION, "schema": schema}, SUMMARY), LETTER)
    assert [asked.only_checked for asked in made.asks] == [("id: pattern",), ()]


async def test_a_model_that_is_to_be_taken_away_is_named(monkeypatch):
    monkeypatch.setattr(plan_module, "retires", lambda model: True)
    made = await planned(a_spec(SUMMARY, EXTRACTION), LETTER)
    assert [asked.retires for asked in made.asks] == [True, False]
    assert "big: its provider has announced that it takes it away" in _as_text(made)


async def test_what_cannot_be_read_is_named_and_nothing_else_of_it_is_counted():
    made = await planned(a_spec(EXTRACTION), "broken", LETTER)
    assert made.unreadable == [{"path": "0.txt", "category": "damaged", "message": "0.txt: no PDF"}]
    assert (made.documents, made.jobs) == (1, 1)


async def test_an_ask_that_is_not_meant_for_a_document_has_no_job_there():
    made = await planned(a_spec({**EXTRACTION, "documents": ["*.pdf"]}), LETTER)
    assert (made.documents, made.jobs, made.cost_usd_max) == (1, 0, 0)


@pytest.mark.parametrize(("text", "code"), [(LETTER, 0), ("broken", 1)])
def test_the_command_prints_its_plan_and_fails_where_nothing_can_be_planned(
    monkeypatch, capsys, text, code
):
    monkeypatch.setattr(plan_module, "proposed", lambda: CONFIG)
    monkeypatch.setattr(plan_module, "_learned", a_learned)
    monkeypatch.setattr(plan_module, "_rates", lambda config: RateBook())
    spec = json.dumps({"asks": [SUMMARY]})
    for as_json in (True, False):
        lines = [spec, "[]", json.dumps(document(text))]
        assert plan_module.plan(lines, as_json=as_json) == code
    shown = capsys.readouterr().out
    assert json.loads(shown.splitlines()[0])["documents"] == 1 - code
    assert "nothing was stored or sent" in shown


async def test_what_it_brings_to_which_queues_is_counted_and_what_is_to_be_classified_first():
    made = await planned(a_spec(SUMMARY, EXTRACTION, AUTO), LETTER, LETTER)
    chosen = CONFIG.classifier
    assert list(work(made, CONFIG)) == [
        Work("frontier/big", 2, made.asks[0].input_tokens),
        Work("local/phi4-mini", 2, made.asks[1].input_tokens),
        Work("frontier/big", 2, made.asks[2].input_tokens),
        Work(f"classify:{chosen.engine}/{chosen.model}", 1, None),
    ]


@pytest.mark.parametrize(
    ("slots", "deadline", "fits", "said"),
    [
        (4, "6h", True, "fits: about 1 min, done by "),
        (0, "6h", None, "cannot know whether it fits: no worker serves local/phi4-mini"),
        (4, None, None, None),
    ],
)
def test_a_plan_says_whether_it_keeps_its_deadline(
    monkeypatch, capsys, slots, deadline, fits, said
):
    monkeypatch.setattr(plan_module, "proposed", lambda: CONFIG)
    monkeypatch.setattr(plan_module, "_learned", a_learned)
    spec = a_spec(EXTRACTION, deadline=deadline)
    pace = Pace("local/phi4-mini", "local", slots, 1, 100.0, 1.0, 300.0, 100.0)
    for as_json in (True, False):
        lines = [spec.model_dump_json(by_alias=True), json.dumps([asdict(pace)])]
        assert plan_module.plan([*lines, json.dumps(document(LETTER))], as_json=as_json) == 0
    first, _, shown = capsys.readouterr().out.partition("\n")
    told = json.loads(first)
    assert told["fits"] is fits
    assert (told["estimated_seconds"] is None) == (slots == 0)
    assert (told["verdict"] or "").startswith(said or "")
    assert (said or "fits") in " ".join(shown.split()) or deadline is None
    assert "fits" not in shown or deadline


BATCHED = a_config(
    tasks={"summary": {"model": "big"}, "reasoning": {"model": "big"}},
    engines={"frontier": {"provider_batch": "openai"}},
    prices=PRICED,
)


async def test_what_may_wait_for_a_providers_batch_costs_half_and_says_so():
    live = await planned(a_spec(SUMMARY), LETTER, config=BATCHED)
    spec = a_spec(SUMMARY, EXTRACTION, allow_provider_batch=True)
    made = await planned(spec, LETTER, config=BATCHED)
    assert [asked.by_batch for asked in made.asks] == [True, False]
    assert abs(made.cost_usd_batch * 2 - made.cost_usd_max) <= plan_module.SHOWN_USD
    assert made.cost_usd_max == live.cost_usd_max
    assert [part.queue for part in work(made, BATCHED)] == ["local/phi4-mini"]
    assert "1 jobs wait for a batch of the provider's" in " ".join(_as_text(made).split())


async def test_near_its_deadline_nothing_waits_and_before_it_is_said_until_when():
    table = [("40m", False, None), ("20h", True, "fits: what the provider has not answered by ")]
    for deadline, waits, said in table:
        spec = a_spec(SUMMARY, allow_provider_batch=True, deadline=deadline)
        made = await planned(spec, LETTER, config=BATCHED)
        assert made.asks[0].by_batch is waits
        add_time(made, Takes(60.0), spec.deadline)
        assert made.verdict
        assert made.verdict.startswith(said or "fits: about 1 min")
        assert (made.estimated_seconds is None) is waits
        json.loads(plan_module._as_json(made))


async def test_all_that_an_engines_provider_would_have_counts_against_the_deadline():
    config = a_config(
        tasks={"summary": {"model": "big"}, "reasoning": {"model": "big"}},
        engines={"frontier": {"provider_batch": "openai", "rpm": 1}},
        prices=PRICED,
    )
    asks = [{**SUMMARY, "ask": f"Sum up {number}."} for number in range(12)]
    for number, waits in ((2, True), (12, False)):
        spec = a_spec(*asks[:number], allow_provider_batch=True, deadline="60m")
        made = await planned(spec, LETTER, config=config)
        assert {asked.by_batch for asked in made.asks} == {waits}, number
