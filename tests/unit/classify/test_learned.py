"""The learned step: features, weights, files, and the model that ships."""

import json
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import DocmillError
from models.words import TaskType
from tests.factories import a_learned
from worker.classifier import SHIPPED, templates_digest
from worker.classify.asks import Example, own_asks
from worker.classify.features import BUCKETS, EDGE, features
from worker.classify.learned import TASKS, pack, shipped, unpack
from worker.classify.models import opened
from worker.classify.train import cross_validated, fit, seen, shares_of, trust

SCHEMAS = st.recursive(
    st.none() | st.booleans() | st.text(max_size=4) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


@given(st.text(), st.none() | st.dictionaries(st.sampled_from(["properties", "enum"]), SCHEMAS))
def test_any_ask_and_schema_has_features_within_the_buckets(ask, schema):
    found = features(ask, schema)
    assert len(set(found)) == len(found)
    assert all(0 <= bucket < BUCKETS for bucket in found)
    assert found == features(ask, schema)


def test_of_a_long_ask_its_ends_are_looked_at_and_its_middle_is_not():
    head, tail = "Sum up. " + "a" * EDGE, "z" * EDGE + " in one line"
    short, long = (features(f"{head} {'m ' * n}{tail}", None) for n in (500, 700))
    assert short == long


def test_the_form_of_the_answer_counts_and_null_does_not():
    plain, nullable = (
        {"properties": {"a": {"type": kind}}} for kind in ("string", ["string", "null"])
    )
    assert features("x", plain) == features("x", nullable) != features("x", None)


def test_shares_are_of_1_and_a_file_gives_them_back():
    draw = Random(1)
    weights = [[draw.uniform(-2, 2) for _ in range(BUCKETS)] for _ in TASKS]
    again = unpack(pack(weights, 1.0, {"asks": 3}))
    found = again.probabilities("Find the total.", None)
    assert sum(found.values()) == pytest.approx(1)
    assert again.trained == {"asks": 3}
    assert again.version == unpack(pack(weights, 1.0, {"asks": 3})).version
    exact = [sum(row[n] for n in features("Find the total.", None)) for row in weights]
    assert max(found, key=found.__getitem__) == TASKS[exact.index(max(exact))]


@pytest.mark.parametrize("spoil", ["features", "tasks", "buckets"])
def test_a_file_for_another_version_is_refused_and_the_products_own_takes_its_place(spoil):
    line, _, body = SHIPPED.read_bytes().partition(b"\n")
    packed = json.dumps({**json.loads(line), spoil: 0}).encode() + b"\n" + body
    with pytest.raises(DocmillError, match="another version"):
        unpack(packed)
    for broken in (b"", b"{}\n", b"[]\n", b"x\ny", SHIPPED.read_bytes()[:-1], packed):
        with pytest.raises(DocmillError):
            unpack(broken)
        assert opened(7, broken) is shipped()


def test_the_shipped_model_is_small_and_was_trained_on_the_templates_as_they_are():
    assert SHIPPED.stat().st_size < 500_000
    assert shipped().trained["templates"] == templates_digest(), "run: make classifier"


@pytest.mark.parametrize(
    ("ask", "task"),
    [
        ("Which invoice number, and what is the total?", TaskType.EXTRACTION),
        ("List the parties of the lease with their addresses.", TaskType.EXTRACTION),
        ("Is the customer angry, neutral or happy?", TaskType.CLASSIFICATION),
        ("Put each ticket into one of: billing, outage, other.", TaskType.CLASSIFICATION),
        ("A shell one-liner that counts lines in all .log files", TaskType.SIMPLE_CODE),
        ("The key points for the board, in three bullets", TaskType.SUMMARY),
        ("Should the bank approve the loan? Weigh the risks.", TaskType.REASONING),
        ("Why did margins shrink although sales rose?", TaskType.REASONING),
        ("इस पत्र का सारांश दीजिए", TaskType.SUMMARY),
        ("Nenne den Mieter und die Kündigungsfrist.", TaskType.EXTRACTION),
    ],
)
def test_what_the_shipped_model_says_of_asks_that_no_template_makes(ask, task):
    found = shipped().probabilities(ask, None)
    assert max(found, key=found.__getitem__) == task


# --- training -------------------------------------------------------------------------------------


def test_own_asks_are_the_same_for_a_seed_and_as_many_of_each_task():
    made = own_asks(3, 40)
    assert made == own_asks(3, 40)
    assert made != own_asks(4, 40)
    assert [one.task for one in made] == [task for task in made_order(made) for _ in range(40)]
    assert not any(sign in one.ask for one in made for sign in ("{", "[a|"))


def made_order(made: list[Example]) -> list[TaskType]:
    return list(dict.fromkeys(one.task for one in made))


TOY = [
    Example(f"{verb} the {thing}", None, task, f"{verb} {n}")
    for verb, task in (("find", TaskType.EXTRACTION), ("judge", TaskType.REASONING))
    for n, thing in enumerate(["lease", "mail", "note", "bill", "report", "form"])
]


def test_training_learns_what_tells_tasks_apart_and_is_reproducible():
    examples = seen(TOY)
    assert fit(examples, 1) == fit(examples, 1)
    learned = unpack(pack(fit(examples, 1), 1.0, {}))
    assert learned.probabilities("find the key", None)[TaskType.EXTRACTION] > 0.8
    assert learned.probabilities("judge the key", None)[TaskType.REASONING] > 0.8


def test_who_is_judged_has_not_been_seen_nor_has_its_group(monkeypatch):
    examples, taught = seen(TOY), []

    def noted(given, seed):
        rows = list(given)
        taught.append({one.example.group for one in rows})
        return fit(rows, seed)

    monkeypatch.setattr("worker.classify.train.fit", noted)
    judged = list(cross_validated(examples, 1, folds=3))
    assert sorted(one.example.ask for one in judged) == sorted(one.ask for one in TOY)
    assert all(len(groups) == 8 for groups in taught)
    judged_groups = [{g for g in {e.group for e in TOY} if g not in groups} for groups in taught]
    assert sum(map(len, judged_groups)) == len(TOY)


def test_scores_that_are_often_wrong_are_trusted_less():
    examples = seen(TOY)
    judged = list(cross_validated(examples, 1, folds=3))
    upside_down = [type(one)(one.example, one.scores[::-1]) for one in judged]
    assert trust(upside_down) < trust(judged)
    assert sum(shares_of(judged[0], trust(judged)).values()) == pytest.approx(1)


def test_a_certain_model_is_certain():
    found = a_learned(TaskType.SUMMARY).probabilities("x", None)
    assert found[TaskType.SUMMARY] > 0.9
