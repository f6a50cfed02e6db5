"""What is right by a key that no model is shown."""

from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

from models.configuration import Configuration
from models.resolve import Surroundings, resolve
from models.shares import Share
from models.spec import Spec, load_spec
from producer.cli import demo
from producer.cli.demo import KEY, SPEC
from producer.key import Counted, counted, load_key, side_by_side

RESULTS = [
    {"ask": "kind", "document": "/a/m.txt", "value": {"label": "praise"}},
    {"ask": "kind", "document": "/a/mails.jsonl#m-01", "value": {"label": "question"}},
    {"ask": "fields", "document": "i.pdf", "value": {"total": "$2,330.61", "date": None}},
    {"ask": "other", "document": "i.pdf", "value": {"total": "1"}},
]


def test_each_value_counts_and_what_was_not_answered_is_wrong() -> None:
    key = {
        "kind": {
            "m.txt": {"label": "praise"},
            "mails.jsonl#m-01": {"label": "praise"},
            "gone.txt": {"label": "praise"},
        },
        "fields": {"i.pdf": {"total": "2330.61", "date": "3 March 2026"}},
    }
    assert counted(key, RESULTS) == [
        Counted("kind", Share(1, 3)),
        Counted("fields", Share(1, 2)),
    ]


def test_both_models_stand_in_one_line() -> None:
    tuned = [Counted("kind", Share(11, 11)), Counted("fields", Share(10, 12))]
    bare = [Counted("kind", Share(4, 11)), Counted("fields", Share(0, 12))]
    assert side_by_side(tuned, bare) == (
        "kind 11 of 11 (without it 4), fields 10 of 12 (without it 0)"
    )
    assert side_by_side(tuned, []) == "kind 11 of 11, fields 10 of 12"


def test_the_key_of_the_samples_answers_asks_of_the_demo_about_samples_and_is_asked_of_nobody() -> (
    None
):
    asks = {ask["name"]: ask for ask in yaml.safe_load(SPEC.read_text("utf-8"))["asks"]}
    for ask, documents in load_key(KEY).items():
        for document, right in documents.items():
            name = Path(document).name.partition("#")[0]
            assert (KEY.parent / name).exists()
            assert any(fnmatch(name, pattern) for pattern in asks[ask]["documents"])
            named = asks[ask].get("fields") or asks[ask]["schema"]["properties"]
            assert set(right) == set(named)
    patterns = [pattern for ask in asks.values() for pattern in ask["documents"]]
    assert not any(fnmatch(KEY.name, pattern) for pattern in patterns)


def test_what_the_adapter_answered_and_has_a_key_is_asked_again_without_it_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = load_spec(SPEC)

    def bare(digest: str, **table: str) -> Spec | None:
        around = Surroundings(has_embedded=lambda: True, adapter_digest=lambda _: digest)
        config = resolve({"engines": {"local": table}} if table else {}, around, None)
        monkeypatch.setattr(demo, "applied", lambda: Configuration(1, {}, config))
        return demo._without_adapter(spec)

    found = bare("a" * 64)
    assert found is not None
    assert {ask.label for ask in found.asks} == {"invoice fields"}
    assert {ask.place for ask in found.asks} == {"local/gemma-3-270m"}
    assert bare("") is None
    assert bare("a" * 64, url="http://gpu:11434") is None
