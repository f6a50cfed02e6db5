from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer import receipt as receipt_module
from producer.receipt import _statement, receipt


@pytest.mark.parametrize(
    ("policy", "hosts", "frontier", "said"),
    [
        ("local-only", [], False, "no call was made for this batch"),
        ("local-only", ["gpu:11434"], False, "no call left gpu:11434"),
        ("allow-frontier", ["a", "b"], False, "no call left a, b"),
        (
            "allow-frontier",
            ["api.example", "gpu"],
            True,
            "calls went to api.example, gpu, the frontier among them (policy allow-frontier)",
        ),
    ],
)
def test_a_receipt_says_in_words_where_the_batch_went(policy, hosts, frontier, said):
    assert _statement(policy, hosts, frontier) == said


@given(st.lists(st.text(min_size=1), min_size=1), st.sampled_from(["local-only", "allow-frontier"]))
def test_a_receipt_names_every_host_and_never_hides_the_frontier(hosts, policy):
    said = _statement(policy, hosts, True)
    assert all(host in said for host in hosts)
    assert "frontier among them" in said
    assert "no call left" not in said or any("no call left" in host for host in hosts)


def seen(tier, host, calls, *, stand_in=False):
    """Calls of one engine and model, as receipt.sql sums them up."""
    noon = datetime(2026, 5, 1, 12, tzinfo=UTC)
    return {
        "tier": tier,
        "engine": "e",
        "host": host,
        "stand_in": stand_in,
        "calls": calls,
        "first_call": noon,
        "last_call": noon,
    }


@pytest.fixture
def ledger(monkeypatch):
    """What the ledger says of a batch: filled by each test."""
    rows = {"receipt": [], "receipt_reused": [], "receipt_pinned": []}
    monkeypatch.setattr(receipt_module, "status", lambda batch: {"policy": "allow-frontier"})
    monkeypatch.setattr(receipt_module, "every", lambda name, batch: rows[name])
    return rows


@pytest.mark.parametrize(
    ("calls", "hosts", "frontier_calls"),
    [
        ([], [], 0),
        ([("local", "gpu", 5), ("local", "gpu2", 1)], ["gpu", "gpu2"], 0),
        ([("local", "gpu", 5), ("frontier", "gw", 7), ("frontier", "gw", 2)], ["gpu", "gw"], 9),
    ],
)
def test_a_receipt_counts_what_went_to_the_frontier_and_names_every_host_once(
    ledger, calls, hosts, frontier_calls
):
    ledger["receipt"] = [seen(*one) for one in calls]
    found = receipt(3)
    assert (found["hosts"], found["frontier_calls"]) == (hosts, frontier_calls)
    assert ("frontier among them" in found["statement"]) is (frontier_calls > 0)


def test_a_stand_in_is_no_frontier(ledger):
    ledger["receipt"] = [seen("frontier", "embedded", 4, stand_in=True)]
    found = receipt(3)
    assert (found["frontier_calls"], found["statement"]) == (0, "no call left embedded")


def test_a_receipt_says_what_was_kept_local_and_what_was_answered_without_a_call(ledger):
    ledger["receipt_pinned"] = [{"kind": "pan", "chunks": 2}]
    ledger["receipt_reused"] = [{"model": "m", "host": "gpu", "answers": 3, "from_batches": [1]}]
    ledger["receipt"] = [seen("local", "gpu", 1)]
    found = receipt(3)
    assert found["pinned"] == {"pan": 2}
    assert found["reused"] == ledger["receipt_reused"]
    assert found["engines"][0]["first_call"] == "2026-05-01T12:00:00+00:00"
