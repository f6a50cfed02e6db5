import re
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.config import Config
from models.sql import load_sql
from models.states import DocumentState, JobState
from models.words import Finder, Scope, TaskType, Zone
from tests.factories import a_config, a_learned
from worker.classify.learned import Learned
from worker.ingest.chunk import chunk
from worker.ingest.jobs import NO_ASK, NO_TEXT, AskRow, Ingested, asked_models, ingest
from worker.read.kinds import Gap, Page, Text, Why
from worker.route import Facts, route
from worker.tokens import Script, estimate

CONFIG = a_config(languages={"hi": {"model": "gemma3:4b"}})
GPU2 = {"zone": "local", "kind": "ollama", "url": "http://gpu2:11434"}
ENGLISH, BLANK = "The store used more power this year.", " \n "
HINDI = "यह दुकान इस वर्ष अधिक बिजली का उपयोग करती है और इसका कारण नहीं है"


def ask(number: int = 1, **more) -> AskRow:
    row = {
        "id": number,
        "text": f"ask {number}",
        "json_schema": None,
        "task": TaskType.EXTRACTION,
        "scope": Scope.CHUNK,
        "documents": (),
    }
    return AskRow(**{**row, **more})


def ingested(
    pages: list[str],
    *asks: AskRow,
    path: str = "docs/a.txt",
    local_only: bool = False,
    notes: tuple[str, ...] = (),
    gaps: tuple[Gap, ...] = (),
    learned: Learned | None = None,
    config: Config = CONFIG,
) -> Ingested:
    """Whatever no user named is to be classified, unless a learned model is given."""
    text = Text.of(pages, notes, gaps)
    return ingest(
        path,
        text,
        chunk(text, 600),
        asks,
        local_only=local_only,
        config=config,
        learned=learned or a_learned(),
    )


def test_a_chunk_ask_makes_a_ready_job_per_chunk():
    made = ingested([ENGLISH, BLANK, HINDI], ask())
    assert made.state is DocumentState.READY
    assert [job["state"] for job in made.jobs].count(JobState.SKIPPED) == 1
    assert {job["chunk"] for job in made.jobs} == {row["ordinal"] for row in made.chunks}


def test_a_job_goes_where_the_router_says_by_its_own_chunks_language():
    made = ingested([ENGLISH, BLANK, HINDI], ask())
    models = {job["language"]: job["model"] for job in made.jobs if job["state"] == "ready"}
    assert models == {"en": "phi4-mini", "hi": "gemma3:4b"}


def test_a_blank_chunk_is_skipped_with_the_reason():
    made = ingested([ENGLISH, BLANK, ENGLISH], ask())
    (skipped,) = (job for job in made.jobs if job["state"] is JobState.SKIPPED)
    (blank,) = (row for row in made.chunks if row["blank"])
    assert skipped["reason"] == blank["blank"]
    assert skipped["tokens"] == 0
    assert blank["language"] is None


def test_a_document_ask_makes_one_job_with_the_tokens_of_every_text_chunk():
    made = ingested([ENGLISH, BLANK, ENGLISH], ask(scope=Scope.DOCUMENT))
    (job,) = made.jobs
    assert job["chunk"] is None
    assert job["tokens"] == sum(row["tokens"] for row in made.chunks if not row["blank"])


def test_an_ask_without_a_task_waits_to_be_classified():
    (job,) = ingested([ENGLISH], ask(task=None)).jobs
    assert job["state"] is JobState.PENDING
    assert job["classify_key"]
    assert (job["zone"], job["engine"], job["model"]) == (Zone.LOCAL, "local", "phi4-mini")
    assert not {"task", "found_by"} & job.keys()


def test_a_job_waits_to_be_classified_in_the_building_whatever_its_task_will_be():
    config = a_config(classifier={"model": "tiny", "engine": "gpu2"}, engines={"gpu2": GPU2})
    [job] = ingested([ENGLISH], ask(task=None), config=config).jobs
    assert (job["zone"], job["engine"], job["model"]) == (Zone.LOCAL, "gpu2", "tiny")


def test_a_task_that_the_user_named_is_routed_at_once_and_says_who_named_it():
    (job,) = ingested([ENGLISH], ask()).jobs
    assert (job["task"], job["found_by"]) == (TaskType.EXTRACTION, Finder.USER)
    assert job["fixed_tokens"] > 0


@pytest.mark.parametrize("task", TaskType)
def test_every_job_is_where_the_rule_sends_it_by_all_of_its_facts(task):
    for scope, local_only in product(Scope, (False, True)):
        made = ingested([ENGLISH, HINDI], ask(task=task, scope=scope), local_only=local_only)
        for job in made.jobs:
            facts = Facts(
                task,
                Finder.USER,
                None,
                job["language"],
                job["tokens"],
                scope,
                local_only,
                job["pinned"] is not None,
            )
            place = route(facts, CONFIG).first
            assert (job["zone"], job["engine"], job["model"]) == (
                place.zone,
                place.engine,
                place.model,
            )


SURE = a_learned(TaskType.SUMMARY)


def test_an_ask_that_the_learned_model_is_sure_of_is_routed_at_once_and_says_how_sure():
    (job,) = ingested([ENGLISH], ask(task=None), learned=SURE).jobs
    assert (job["state"], job["task"], job["zone"]) == ("ready", "summary", "frontier")
    assert (job["found_by"], job["found_version"]) == (Finder.LEARNED, SURE.version)
    assert job["confidence"] > 0.9
    assert "classify_key" not in job


def test_what_counts_as_sure_is_the_configurations():
    config = a_config(classifier={"sure": 1.0})
    (job,) = ingested([ENGLISH], ask(task=None, text="judge it"), config=config, learned=SURE).jobs
    assert job["state"] is JobState.PENDING


def test_what_the_user_named_and_what_a_rule_is_sure_of_come_before_what_was_learned():
    asks = [ask(), ask(2, task=None, text="Classify it."), ask(3, task=None, text="judge it")]
    found = [job["found_by"] for job in ingested([ENGLISH], *asks, learned=SURE).jobs]
    assert found == [Finder.USER, Finder.RULE, Finder.LEARNED]


def test_a_verdict_in_doubt_that_still_counts_begins_at_the_frontier_and_says_why():
    config = a_config(classifier={"sure": 0, "doubt": 0.5})
    (job,) = ingested([ENGLISH], ask(task=None, text="judge it"), config=config).jobs
    assert (job["task"], job["zone"]) == ("extraction", "frontier")
    assert job["escalation_reason"] == "not sure what it is: extraction at 0.20"
    (kept,) = ingested([ENGLISH], ask(task=None), config=config, local_only=True).jobs
    assert (kept["zone"], kept["escalation_reason"]) == ("local", None)


def test_equal_asks_share_their_classify_key_whatever_the_text_and_others_do_not():
    def key(page: str, **more) -> object:
        return ingested([page], ask(task=None, **more)).jobs[0]["classify_key"]

    assert key(ENGLISH) == key(HINDI)
    keys = [
        key(ENGLISH),
        key(ENGLISH, text="another"),
        key(ENGLISH, json_schema={"type": "object"}),
    ]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(("task", "scope"), list(product([*TaskType, None], Scope)))
def test_local_only_makes_no_frontier_job(task, scope):
    made = ingested([ENGLISH, HINDI], ask(task=task, scope=scope), local_only=True)
    assert {job["zone"] for job in made.jobs} == {Zone.LOCAL}


def test_allow_frontier_sends_a_summary_to_the_frontier():
    (job,) = ingested([ENGLISH], ask(task=TaskType.SUMMARY)).jobs
    assert (job["zone"], job["engine"]) == (Zone.FRONTIER, "frontier")


@pytest.mark.parametrize(
    ("patterns", "path", "concerned"),
    [
        ((), "docs/a.txt", True),
        (("*.txt",), "docs/a.txt", True),
        (("a.*",), "docs/a.txt", True),
        (("docs/*",), "docs/a.txt", True),
        (("*.pdf",), "docs/a.txt", False),
        (("*.pdf", "*.txt"), "docs/a.txt", True),
        (("a.txt",), "a.txt.bak", False),
        (("mails*.jsonl*",), "in/mails.jsonl#7", True),
        (("*",), "-", True),
    ],
)
def test_an_ask_concerns_documents_by_file_name_or_path(patterns, path, concerned):
    assert ask(documents=patterns).concerns(path) is concerned


def test_a_document_that_no_ask_is_meant_for_is_skipped_and_says_why():
    made = ingested([ENGLISH], ask(documents=("*.pdf",)), notes=("a note",))
    assert made.state is DocumentState.SKIPPED
    assert (made.notes, made.skipped) == (["a note"], NO_ASK)
    assert made.jobs == []


def test_what_is_missing_from_a_document_goes_with_it_and_its_jobs_go_on():
    missing = (Gap(Why.NEEDS_OCR, "2-3"),)
    made = ingested([ENGLISH, "", ""], ask(), gaps=missing)
    assert (made.state, made.missing, made.skipped) == (DocumentState.READY, missing, None)
    assert [job["state"] for job in made.jobs] == [JobState.READY, JobState.SKIPPED]


@pytest.mark.parametrize("pages", [[], [""], [BLANK, BLANK]])
def test_a_document_without_text_is_skipped_and_says_why(pages):
    made = ingested(pages, ask())
    assert made.state is DocumentState.SKIPPED
    assert (made.notes, made.skipped) == ([], NO_TEXT)
    assert made.jobs == []
    assert made.language is None


PAGES = st.lists(st.sampled_from([ENGLISH, HINDI, BLANK, "", "…", "a " * 2000]), max_size=5)
ASKS = st.lists(
    st.builds(
        lambda task, scope, documents: (task, scope, documents),
        st.sampled_from([*TaskType, None]),
        st.sampled_from(Scope),
        st.sampled_from([(), ("*.txt",), ("*.pdf",)]),
    ),
    max_size=4,
).map(
    lambda drawn: [
        ask(number, task=task, scope=scope, documents=documents)
        for number, (task, scope, documents) in enumerate(drawn)
    ]
)


@given(PAGES, ASKS, st.booleans())
@settings(max_examples=60, deadline=None)
def test_every_chunk_and_ask_have_exactly_one_job_and_a_document_never_hangs(
    pages, asks, local_only
):
    made = ingested(pages, *asks, local_only=local_only)
    pairs = [(job["ask_id"], job["chunk"]) for job in made.jobs]
    assert len(set(pairs)) == len(pairs)
    if made.state is DocumentState.READY:
        expected = {
            (each.id, ordinal)
            for each in asks
            if each.concerns("docs/a.txt")
            for ordinal in (
                [None] if each.scope is Scope.DOCUMENT else [row["ordinal"] for row in made.chunks]
            )
        }
        assert set(pairs) == expected
        assert any(job["state"] in (JobState.READY, JobState.PENDING) for job in made.jobs)


@given(PAGES, ASKS)
@settings(max_examples=30, deadline=None)
def test_it_is_the_same_every_time(pages, asks):
    assert ingested(pages, *asks) == ingested(pages, *asks)


@pytest.mark.parametrize(("rows", "alias"), [("chunks", "c"), ("jobs", "j")])
def test_each_key_of_a_row_is_a_column_that_the_statement_reads(rows, alias):
    found = re.search(rf"AS {alias} \((.*?)\)", load_sql("worker", "ingest/finish"), re.DOTALL)
    names = {column.split()[0] for column in found.group(1).split(",")}
    made = ingested([ENGLISH, BLANK], ask(1), ask(2, task=None), ask(3, scope=Scope.DOCUMENT))
    for row in getattr(made, rows):
        assert row.keys() <= names


PRIVATE = a_config(
    pin={"patterns": ["pan", "email"]}, tasks={"extraction": {"escalate": "frontier"}}
)


def pinned(*asks: AskRow, config=PRIVATE) -> Ingested:
    pages = ["Nothing private here. " * 200, "Holder ABCPE1234F. " * 200, "Write to a@b.in. " * 200]
    text = Text.of(pages)
    return ingest(
        "a", text, chunk(text, 600), asks, local_only=False, config=config, learned=a_learned()
    )


def test_a_chunk_with_private_data_runs_locally_and_says_why():
    made = pinned(ask(task=TaskType.SUMMARY))
    reasons = {row["pinned"] for row in made.chunks}
    assert reasons == {None, "pan", "email"}
    why = {row["ordinal"]: row["pinned"] for row in made.chunks}
    for job in made.jobs:
        assert job["pinned"] == why[job["chunk"]]
        assert job["zone"] == (Zone.LOCAL if job["pinned"] else Zone.FRONTIER)


def test_a_document_is_pinned_by_any_of_its_chunks():
    [job] = pinned(ask(task=TaskType.SUMMARY, scope=Scope.DOCUMENT)).jobs
    assert job["pinned"] == "email, pan"
    assert job["zone"] is Zone.LOCAL


def test_what_ocr_read_is_pinned_and_the_pages_beside_it_are_not_unless_scans_may_leave():
    long = "Nothing private here. " * 200
    pages = (Page(1, long), Page(2, "Total 12", scanned=True), Page(3, long))
    text = Text(pages)

    def reasons(**pin: object) -> dict[tuple[int, int], str | None]:
        made = ingest(
            "a",
            text,
            chunk(text, 600),
            [ask(task=TaskType.SUMMARY)],
            local_only=False,
            config=a_config(pin=pin),
            learned=a_learned(),
        )
        assert [job["pinned"] for job in made.jobs] == [row["pinned"] for row in made.chunks]
        return {(row["page_from"], row["page_to"]): row["pinned"] for row in made.chunks}

    for (first, last), why in reasons().items():
        assert why == ("scan" if first <= 2 <= last else None)
    assert set(reasons(own={"sum": r"Total \d+"}).values()) >= {"scan, sum", None}
    assert set(reasons(scans=False).values()) == {None}


def test_without_patterns_nothing_is_pinned():
    made = pinned(ask(task=TaskType.SUMMARY), config=CONFIG)
    assert {row["pinned"] for row in [*made.chunks, *made.jobs]} == {None}


def test_a_text_is_cut_for_the_models_that_its_asks_go_to_and_for_all_where_nobody_knows():
    def models(*asks: AskRow, spoken: str | None = "en", learned: Learned = SURE) -> frozenset[str]:
        return asked_models(asks, spoken, local_only=True, config=CONFIG, learned=learned)

    local = CONFIG.task(TaskType.EXTRACTION).model
    assert models(ask()) == {local}
    assert models(ask(), spoken="hi") == {"gemma3:4b"}
    assert models(ask(), ask(2, place="local/mine")) == {local, "mine"}
    every = {
        route(Facts(task, language="en", local_only=True), CONFIG).first.model for task in TaskType
    }
    assert models(ask(task=None), learned=a_learned()) == every


def test_a_piece_says_its_tokens_by_the_rates_that_it_was_cut_by():
    rates = dict.fromkeys(Script, 2.0)
    text = Text.of([HINDI * 20])
    plain, dear = chunk(text, 300), chunk(text, 300, rates)
    assert len(dear) >= 2 * len(plain) - 1
    assert all(estimate(piece.text, rates) == piece.tokens <= 300 for piece in dear)
    assert "".join(p.text for p in dear).replace(" ", "") == text.whole.replace(" ", "")
