import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.receipt import _statement


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
