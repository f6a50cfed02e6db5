import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.reasons import CostReason
from models.scores import Acceptance
from models.states import BatchState, SubmitState
from models.words import Ruling
from producer import render
from producer.cli.progress import Progress
from producer.corrections import Answer, Correction
from producer.costs import reasons, total
from producer.money import Currency
from producer.places import Refused
from producer.render import brief
from producer.submit import Submitted

INR = Currency("INR", Decimal("88.70"), "docmill.toml, 2026-11-01")
STATUS = {
    "batch": 3,
    "name": None,
    "state": "finished",
    "policy": "allow-frontier",
    "priority": 0,
    "documents": {"done": 1},
    "jobs": {"done": 2},
    "cost_usd": "0.01234567",
    "cost_unknown_calls": 0,
    "submit": SubmitState.WHOLE,
    "deadline": None,
    "unserved": [],
    "bulks": [],
    "accept": None,
}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("text", "text"),
        (None, "-"),
        (True, "true"),
        (3, "3"),
        (2.5, "2.5"),
        ({"summary": "It began."}, "It began."),
        ({"label": None}, "-"),
        ({"total": "75.00", "date": None}, "total: 75.00, date: -"),
        ({"facts": [{"name": "a", "value": "b"}]}, "name: a, value: b"),
        ({"items": ["a", "b"]}, "a; b"),
        (["a", ["b", "c"]], "a; b; c"),
        ({"outer": {"inner": {"x": 1}}}, "1"),
        ({}, ""),
        ([], ""),
        ({"city": "पुणे"}, "पुणे"),
    ],
)
def test_an_answer_is_jotted_down(value, shown):
    assert brief(value) == shown


JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=10,
)


@given(JSON_VALUES)
def test_any_answer_can_be_jotted_down(value):
    assert isinstance(brief(value), str)


@pytest.fixture
def terminal(monkeypatch, capsys):
    """What a person sees on 80 columns, all of it so far."""
    monkeypatch.setenv("COLUMNS", "80")
    printed = []

    def seen() -> str:
        printed.append(capsys.readouterr().out)
        return "".join(printed)

    return seen


def cost_row(key, cost_usd, **more):
    return {
        "key": key,
        "tier": "frontier",
        "calls": 12,
        "input_tokens": 15_846,
        "cached_tokens": None,
        "output_tokens": 2_205,
        "gpu_seconds": None,
        "cost_usd": cost_usd,
        "would_have_cost_usd": cost_usd,
        "unknown_price_calls": 0,
        "lost_calls": 0,
        "reused_answers": 0,
        "reasons": [],
        "stand_in": False,
        **more,
    }


CLAUDE = cost_row("anthropic/claude-sonnet-4-6", "0.0123")
PHI = cost_row("phi4-mini", "2", tier="local", gpu_seconds=71.2, would_have_cost_usd="3.5")
UNPRICED = cost_row("acme/x", None, unknown_price_calls=12, reasons=["no_price acme/x"])


def words_of(line):
    return line.split()


def test_costs_are_in_usd_alone_without_a_display_currency(terminal):
    render.costs([CLAUDE, PHI], "model", None)
    title, _, head, _, claude, phi, *rest = terminal().splitlines()
    assert (title.strip(), words_of(head)[-2]) == ("costs by model", "USD")
    assert words_of(claude)[1:] == ["frontier", "12", "15,846", "2,205", "-", "0.0123", "0.0123"]
    assert words_of(phi)[-3:] == ["71", "2.0000", "3.5000"]
    assert [line for line in rest if line.strip()] == [
        "* estimate: what the same tokens cost at the frontier model"
    ]


def test_costs_stand_beside_a_display_currency_with_their_total_and_the_rate(terminal):
    render.costs([CLAUDE, PHI], "model", INR)
    lines = terminal().splitlines()
    [head] = [line for line in lines if "calls" in line]
    assert words_of(head)[-3:] == ["USD", "INR", "frontier*"]
    assert words_of(lines[4])[-3:] == ["0.0123", "1.09", "1.09"]
    [summed] = [line for line in lines if line.startswith(" total")]
    assert words_of(summed) == [
        *("total", "24", "31,692", "4,410", "71"),
        *("2.01", "178.49", "311.54"),
    ]
    assert lines[-2:] == [
        "* estimate in INR: what the same tokens cost at the frontier model",
        "1 USD = ₹88.70 (docmill.toml, 2026-11-01)",
    ]


def test_what_second_readings_brought_is_a_line_for_each_batch(terminal):
    row = {"batch": 5, "jobs": 1_012, "of_jobs": 5_040, "fields": 1_100, "mended": 1_000}
    render.escalations(
        [
            {**row, "cost_usd": "0.5", "usd_per_mended": "0.0005"},
            {**row, "batch": 6, "cost_usd": None, "usd_per_mended": None},
        ]
    )
    assert " ".join(terminal().split()) == (
        "batch 5: fields of 1,012 of 5,040 jobs were read a second time; 1,000 of 1,100 in "
        "question are sure since; USD 0.5000, 0.0005 for each "
        "batch 6: fields of 1,012 of 5,040 jobs were read a second time; 1,000 of 1,100 in "
        "question are sure since; USD unknown"
    )


def test_costs_in_two_currencies_fit_80_columns_and_cut_nothing_off(terminal):
    large = cost_row(
        "anthropic/claude-sonnet-4-6",
        "1391.8465",
        calls=123_456,
        input_tokens=1_234_567_890,
        output_tokens=12_345_678,
        gpu_seconds=123_456.7,
    )
    render.costs([large, CLAUDE, PHI], "model", INR)
    shown = terminal()
    assert max(len(line.rstrip()) for line in shown.splitlines()) <= 80
    assert "…" not in shown
    for words in ("123,456", "1.2B", "12.3M", "123,457", "1,391.85", "1,23,456.78", "frontier*"):
        assert words in shown
    names = "".join(words_of(line)[0] for line in shown.splitlines()[4:] if line.strip())
    assert names.startswith("anthropic/claude-sonnet-4-6frontier")


@pytest.mark.parametrize("currency", [None, INR])
def test_calls_without_a_price_are_said_with_the_reason_and_what_to_do(terminal, currency):
    render.costs([UNPRICED], "model", currency)
    render.status(
        {**STATUS, "cost_usd": None, "cost_unknown_calls": 12}, {}, [], [], [UNPRICED], None
    )
    said = " ".join(terminal().split())
    advice = 'no price is known for acme/x: [prices."acme/x"] in docmill.toml sets one'
    assert f"12 calls of unknown cost, not in USD: {advice}" in said
    assert f"cost: unknown unknown: 12 calls, not in the cost: {advice}" in said
    assert "₹0" not in said
    assert "total 12 15,846 2,205 - unknown unknown unknown" in said or currency is None


@pytest.mark.parametrize(
    ("currency", "line"), [(None, "cost:      $0.01234567"), (INR, "cost:      $0.0123 (₹1.10)")]
)
def test_a_status_shows_what_the_batch_cost(terminal, currency, line):
    render.status(STATUS, {}, [], [], [], currency)
    assert terminal().splitlines()[-1] == line


def test_a_total_sums_what_is_known():
    found = total([{**CLAUDE, "gpu_seconds": 0.1}, {**PHI, "gpu_seconds": 0.2}, UNPRICED])
    assert (found["cost_usd"], found["gpu_seconds"]) == ("2.0123", 0.3)
    assert (found["calls"], found["unknown_price_calls"]) == (36, 12)
    assert found["cached_tokens"] is None
    assert total([UNPRICED])["cost_usd"] is None


def test_reasons_are_said_once_and_a_missing_one_is_no_stumbling_block():
    rows = [UNPRICED, UNPRICED, {**UNPRICED, "reasons": [None, CostReason.STAND_IN]}]
    assert reasons(rows) == [
        'no price is known for acme/x: [prices."acme/x"] in docmill.toml sets one for later calls',
        "no reason given",
        "stand-in: no frontier model was asked",
    ]


HELD = {
    "batch": 3,
    "kind": "job",
    "state": "held",
    "category": "budget",
    "jobs": 300,
    "n": 300,
    "path": None,
    "message": "the budget of $2 does not cover the next frontier job; "
    "`docmill resume 3 --max-cost USD` continues",
}
LACKS = {
    "engine": "gpu2",
    "model": "phi4-mini",
    "kind": "ollama",
    "host": "gpu2:11434",
    "code": "model_not_found",
    "message": "the Ollama at gpu2:11434 lacks phi4-mini: run `ollama pull phi4-mini` there",
    "lasting": True,
    "since": "2026-10-05T12:00:00+00:00",
    "until": None,
    "mend": "it goes on by itself",
}
PAUSED = {
    **LACKS,
    "engine": "frontier",
    "model": None,
    "host": "api.example",
    "code": "asked",
    "message": "it asked not to be called until then",
    "lasting": False,
    "until": "2026-10-06T12:00:00+00:00",
    "mend": "it goes on by itself; `docmill resume 3` tries at once",
}


def shown_status(terminal, **more):
    """What `docmill status` prints of a batch, without its line breaks."""
    given = {"failures": [], "troubles": [], **more}
    found = {**STATUS, **given.pop("found", {})}
    render.status(found, {}, given["failures"], given["troubles"], [], None)
    return " ".join(terminal().split())


def test_a_status_says_what_is_held_and_why_and_offers_no_retry_for_it(terminal):
    said = shown_status(terminal, failures=[HELD])
    assert f"held: 300 jobs: {HELD['message']}" in said
    assert "docmill retry" not in said


def test_a_status_names_what_is_not_asked_at_which_host_since_when_and_what_mends_it(terminal):
    said = shown_status(terminal, troubles=[LACKS, PAUSED])
    assert "not asked: gpu2/phi4-mini at gpu2:11434 since 2026-10-05" in said
    assert "run `ollama pull phi4-mini` there; it goes on by itself" in said
    assert "not asked: engine frontier at api.example since 2026-10-05" in said
    assert "tried again at 2026-10-06" in said
    assert "`docmill resume 3` tries at once" in said


@pytest.mark.parametrize(
    ("submit", "line"),
    [
        (SubmitState.WHOLE, ""),
        (SubmitState.UNDER_WAY, "submit is under way: 300 documents stored so far"),
        (
            SubmitState.INTERRUPTED,
            "submit was interrupted: 300 documents stored; "
            "`docmill submit --resume 3 PATHS` goes on",
        ),
    ],
)
def test_a_status_says_whether_all_documents_are_stored(terminal, submit, line):
    said = shown_status(terminal, found={"submit": submit, "documents": {"done": 299, "ready": 1}})
    assert line in said
    assert ("submit" in said) is bool(line)


def test_a_status_says_where_no_worker_is_and_how_to_start_one(terminal):
    waits = {"queue": "local/phi4-mini", "mend": "start `docmill worker local`"}
    said = shown_status(terminal, found={"unserved": [waits]})
    assert "no worker serves local/phi4-mini: start `docmill worker local`" in said


SENT = "2026-10-05T12:00:00+00:00"


def test_a_status_says_how_far_batches_of_providers_are_and_what_went_wrong(terminal):
    there = {
        "engine": "frontier",
        "model": "m",
        "state": "submitted",
        "requests": 2_000,
        "jobs": 2_000,
        "done": 400,
        "detail": None,
        "created_at": SENT,
        "sent_at": SENT,
    }
    stuck = {**there, "state": "uploaded", "detail": "h:1: \x1b[2Jtoo many", "sent_at": None}
    over = {**there, "state": "closed", "jobs": 0, "detail": "the file is odd"}
    said = shown_status(terminal, found={"bulks": [there, stuck, over]})
    about = "provider batch of frontier/m: 2,000 jobs "
    assert f"{about}are in it since {render.clock(SENT)}, 400 answered" in said
    assert f"{about}are about to be handed in; h:1: \\x1b[2Jtoo many" in said
    assert f"{about}came back in line; the file is odd" in said


def test_a_status_of_a_purged_batch_says_what_is_gone(terminal):
    said = shown_status(terminal, found={"state": BatchState.PURGED})
    assert "batch 3: purged" in said
    assert "its documents, asks and answers are gone" in said


def test_no_more_lines_than_a_screen_holds_are_said_of_troubles(terminal):
    hosts = [{**LACKS, "host": f"gpu{number}:11434"} for number in range(100)]
    said = shown_status(terminal, troubles=hosts)
    assert said.count("not asked:") == render.MOST_NOTES
    assert "and 80 more; --json has all" in said


STAGES = {
    "to_classify": 0,
    "local_ready": 1,
    "local_running": 1,
    "frontier_ready": 0,
    "frontier_running": 0,
    "ended": 0,
    "recent": 0,
    "total": 2,
}


def test_a_watch_says_a_trouble_once_until_it_comes_again(terminal):
    look = render.notes(STATUS, [HELD], [LACKS])
    later = render.notes(STATUS, [HELD], [{**LACKS, "message": "tried 2 times"}])
    with Progress() as progress:
        for notes in (look, later, {}, look):
            progress.show(STATUS, STAGES, notes)
    said = " ".join(terminal().split())
    assert said.count("not asked: gpu2/phi4-mini") == 2
    assert said.count("held: 300 jobs") == 2


BATCH = {
    "batch": 123_456,
    "name": "March invoices of the Pune branch",
    "state": "cancelled",
    "policy": "allow-frontier",
    "priority": 5,
    "documents": 1_234_567,
    "documents_waiting": 1_000_000,
    "jobs": 12_345_678,
    "open": 123_456,
    "done": 9_999,
    "failed": 10_000,
    "held": 999_999,
    "submit": SubmitState.WHOLE,
}
SMALL = {
    **BATCH,
    "batch": 1,
    "name": None,
    "state": "running",
    "policy": "local-only",
    "priority": 0,
    "documents": 3,
    "documents_waiting": 0,
    "jobs": 9,
    "open": 2,
    "done": 7,
    "failed": 0,
    "held": 0,
}


def test_a_list_of_batches_is_readable_on_80_columns(terminal):
    render.batches([BATCH, SMALL], [], [])
    lines = terminal().splitlines()
    assert max(len(line.rstrip()) for line in lines) <= 80
    assert "…" not in terminal()
    [head] = [line for line in lines if "batch" in line]
    columns = ["name", "state", "policy", "docs", "jobs", "open", "done", "failed", "held"]
    assert words_of(head) == ["batch", *columns]
    [large] = [line for line in lines if "123456" in line]
    numbers = ["234k/1.2M", "12.3M", "123k", "9,999", "10k", "999k"]
    assert words_of(large)[-9:] == ["cancelled", "frontier", "+5", *numbers]
    [small] = [line for line in lines if "running" in line]
    assert words_of(small) == ["1", "running", "local-only", "3", "9", "2", "7", "0", "0"]


def test_a_list_of_batches_says_what_is_held_cut_off_or_not_asked(terminal):
    render.batches([{**BATCH, "submit": SubmitState.INTERRUPTED}], [HELD], [LACKS])
    said = " ".join(terminal().split())
    assert "batch 123456: submit was interrupted: 1,234,567 documents stored" in said
    assert "batch 3: held: 300 jobs" in said
    assert "not asked: gpu2/phi4-mini at gpu2:11434" in said


ACCEPTS = Acceptance(0.02, 0.9, 0.66, "6b2aee5b")


def test_a_submit_and_a_status_say_what_share_of_the_values_to_expect_for_review(terminal):
    render.submitted(Submitted(7, 3, accept=ACCEPTS))
    assert "about 66% of the values for review" in " ".join(terminal().split())
    said = shown_status(terminal, found={"accept": ACCEPTS})
    assert "at most 2.0% of the accepted values wrong" in said


@pytest.mark.parametrize(
    ("accepted", "mark"), [(True, "accepted Tea"), (False, "for review Tea"), (None, "✓ Tea")]
)
def test_an_answer_says_whether_it_is_accepted_where_its_batch_states_an_error(
    accepted, mark, capsys
):
    row = {**HOSTILE_RESULT, "document": "a.txt", "ask": "a", "value": {"f0": "Tea"}}
    render.results([{**row, "fields": None, "accepted": accepted}])
    assert mark in capsys.readouterr().out


def test_a_submit_that_was_broken_off_says_the_batch_and_how_it_goes_on(capsys):
    render.broken_off(Submitted(7, 512), "in/ 'b c.pdf'")
    assert capsys.readouterr().err == (
        "batch 7: submit was interrupted: 512 documents stored; "
        "`docmill submit --resume 7 in/ 'b c.pdf'` goes on, `docmill cancel 7` ends it\n"
    )


@pytest.mark.parametrize(
    ("outcomes", "mark"),
    [(["sure", "wrong", "check"], "! "), (["sure", "check"], "? "), (["sure"], ""), ([], "")],
)
def test_an_answer_with_a_value_to_look_at_has_a_mark(outcomes, mark, capsys):
    fields = {f"f{n}": {"outcome": each, "code": "x"} for n, each in enumerate(outcomes)}
    row = {**HOSTILE_RESULT, "document": "a.txt", "ask": "a", "value": {"f0": "Tea"}}
    render.results([{**row, "fields": fields or None}])
    shown = capsys.readouterr().out
    assert f"✓ {mark}Tea" in shown
    assert ("somebody should look" in shown) is bool(mark)


def test_an_answer_that_somebody_ruled_on_is_marked_and_only_its_other_values_are_doubtful(capsys):
    fields = {name: {"outcome": "wrong", "code": "x"} for name in ("f0", "f1")}
    row = {**HOSTILE_RESULT, "document": "a.txt", "ask": "a", "value": {"f0": "Tea"}}
    for ruled, mark in ((("f0",), "✎ ! Tea"), (("f0", "f1"), "✎ Tea")):
        corrected = {name: {"ruling": "corrected", "by": "Asha"} for name in ruled}
        render.results([{**row, "fields": fields, "corrected": corrected}])
        assert mark in capsys.readouterr().out


HOSTILE = "\x1b[2J\x1b]0;title\x07\x9b31m\r"
HOSTILE_COST = cost_row(HOSTILE, None, unknown_price_calls=1, reasons=[HOSTILE])
HOSTILE_RESULT = {
    "document": f"in/{HOSTILE}.txt",
    "pages": [1],
    "ask": HOSTILE,
    "state": "done",
    "grounded": True,
    "corrected": None,
    "accepted": None,
    "fields": {HOSTILE: {"outcome": "wrong", "code": "sign", "about": HOSTILE}},
    "stand_in": False,
    "tier": "local",
    "value": {HOSTILE: [HOSTILE]},
    "error": None,
    "reason": None,
}
HOSTILE_FAILURE = {
    "kind": "job",
    "state": "failed",
    "category": HOSTILE,
    "n": 1,
    "path": HOSTILE,
    "message": HOSTILE,
}
HOSTILE_BATCH = {
    "batch": 1,
    "name": HOSTILE,
    "state": "finished",
    "policy": "local-only",
    "priority": 0,
    "documents": 1,
    "documents_waiting": 0,
    "jobs": 1,
    "open": 0,
    "done": 1,
    "failed": 0,
    "held": 0,
    "submit": SubmitState.INTERRUPTED,
}
HOSTILE_TROUBLE = {
    **LACKS,
    **dict.fromkeys(("engine", "model", "host", "code", "message", "mend"), HOSTILE),
}
HOSTILE_RECEIPT = {
    "batch": 1,
    "policy": "local-only",
    "pinned": {HOSTILE: 1},
    "statement": HOSTILE,
    "engines": [
        {
            "tier": "local",
            "engine": "ollama",
            "host": HOSTILE,
            "model": HOSTILE,
            "calls": 1,
            "lost_calls": 0,
            "jobs": 1,
            "chunks": 1,
            "chunks_sha256": None,
            "stand_in": False,
        }
    ],
    "reused": [{"answers": 1, "model": HOSTILE, "host": HOSTILE, "from_batches": [1]}],
}


HOSTILE_REVIEW = {
    "job": 1,
    "document": HOSTILE,
    "claimed_by": HOSTILE,
    "open": [
        {"field": HOSTILE, "value": HOSTILE, "outcome": "wrong", "code": "sign", "about": HOSTILE}
    ],
}


def test_nothing_that_others_wrote_steers_the_terminal(terminal, capsys):
    render.results([HOSTILE_RESULT, {**HOSTILE_RESULT, "value": None, "reason": HOSTILE}])
    render.reviews([HOSTILE_REVIEW], {"answers": 1, "claimed": 1})
    ruled = Correction((HOSTILE,), Ruling.CORRECTED, HOSTILE, HOSTILE)
    answered = Answer(1, 1, {HOSTILE: HOSTILE}, None, None)
    render.imported([(answered, [ruled])], dry_run=False)
    render.history(answered, [{**ruled.as_json(), "made_at": "2026", "reviewer": HOSTILE}])
    gold = dict.fromkeys(("rows", "train", "held", "documents", "kept", "local_only"), 1)
    render.gold_sets([{**gold, "name": HOSTILE, "tasks": ["summary"], "licences": [HOSTILE]}])
    render.costs([HOSTILE_COST], "model", None)
    render.costs([HOSTILE_COST], "model", INR)
    failures = [HOSTILE_FAILURE, {**HELD, "message": HOSTILE}]
    named = {**STATUS, "name": HOSTILE}
    render.status(named, {}, failures, [HOSTILE_TROUBLE], [HOSTILE_COST], None)
    render.batches([HOSTILE_BATCH], [{**HELD, "message": HOSTILE}], [HOSTILE_TROUBLE])
    render.receipt(HOSTILE_RECEIPT)
    render.submitted(Submitted(None, 0, [Refused(HOSTILE, "empty", f"{HOSTILE}\n: empty")]))
    said = capsys.readouterr().err
    assert said.splitlines()[0] == r"refused (empty) \x1b[2J\x1b]0;title\x07\x9b31m\r\n: empty"
    shown = terminal() + said
    assert r"\x1b[2J" in shown
    assert not re.search(r"[^\n -~\xa0-\uffff]", shown)
