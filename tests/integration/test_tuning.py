"""From gold to a registered model: pairs, what is refused, and what the registry keeps."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from models.errors import InputError, NotFound
from models.words import EvalKind, Split, split_of
from producer import gold
from producer.cli.app import app
from producer.evaluate.figures import Score
from producer.query import one
from producer.tune import registry, serve
from producer.tune.export import Allowed, export
from tests.lora import write_lora
from tests.rows import Connection, value

ASK = "Find the total."
BASE, TUNED = "local/phi4-mini", "local/invoices"
FEW = Allowed(fewest=1)


@pytest.fixture(autouse=True)
def _no_redis(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("OLLAMA_HOST", "http://127.0.0.1:1")
    monkeypatch.chdir(tmp_path)


def texts(split: Split, count: int) -> list[str]:
    """Texts that fall on one side."""
    found = (f"Bill {n}: the total is {n}.50 in all." for n in range(10_000))
    mine = (text for text in found if split_of(hashlib.sha256(text.encode()).hexdigest()) == split)
    return [next(mine) for _ in range(count)]


def imported(name: str, rows: list[dict[str, Any]], folder: Path) -> None:
    path = folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    gold.import_file(name, path, "Asha", gold.Defaults(ASK, source="own bills", licence="own"))


def labelled(text: str, **more: Any) -> dict[str, Any]:
    return {"text": text, "fields": {"total": text.split()[5]}, **more}


def test_only_what_may_be_trained_on_is_exported_with_a_manifest_that_names_its_data(
    db: Connection, tmp_path: Path
) -> None:
    rows = [labelled(text) for text in (*texts(Split.TRAIN, 4), *texts(Split.HELD, 3))]
    imported("bills", rows, tmp_path)
    out = tmp_path / "pairs"
    made = export("bills", BASE, out, FEW, examples=False)
    pairs = [json.loads(line) for line in (out / "pairs.jsonl").read_text().splitlines()]
    assert [pair["completion"][0]["content"] for pair in pairs] == [
        json.dumps(row["fields"]) for row in rows[:4]
    ]
    for pair, row in zip(pairs, rows, strict=False):
        assert [one["role"] for one in pair["prompt"]] == ["system", "user"]
        assert row["text"] in pair["prompt"][-1]["content"]
    chats = [json.loads(line) for line in (out / "chatml.jsonl").read_text().splitlines()]
    assert [chat["messages"] for chat in chats] == [
        [*pair["prompt"], *pair["completion"]] for pair in pairs
    ]
    digest = hashlib.sha256((out / "pairs.jsonl").read_bytes()).hexdigest()
    assert json.loads((out / "manifest.json").read_text())["data_hash"] == digest
    assert (made["rows"], made["examples"], made["asked"]) == (4, False, "assumed")
    assert made["data_hash"] == digest
    with pytest.raises(InputError, match="is not empty"):
        export("bills", BASE, out, FEW)


def test_a_text_that_is_held_in_some_set_is_not_trained_on_under_another_document(
    db: Connection, tmp_path: Path
) -> None:
    [held] = texts(Split.HELD, 1)
    train = texts(Split.TRAIN, 3)
    other = hashlib.sha256(train[0].encode()).hexdigest()
    imported("measured", [labelled(held)], tmp_path)
    again = labelled(f"{held.upper()}  ".replace(" ", "  "), document=other, source="a leak")
    imported("bills", [again, *map(labelled, train)], tmp_path)
    with pytest.raises(InputError, match=r"1 rows say the same as held ones.*: a leak"):
        export("bills", BASE, tmp_path / "pairs", FEW)
    assert not (tmp_path / "pairs").exists()


def test_labels_of_a_provider_are_refused_and_let_through_where_that_is_said(
    db: Connection, tmp_path: Path
) -> None:
    rows = [labelled(text, model="frontier/anthropic/claude-x") for text in texts(Split.TRAIN, 2)]
    imported("bills", rows, tmp_path)
    command = ["tune", "export", "--gold", "bills", "--model", BASE, "--at-least", "1"]
    refused = CliRunner().invoke(app, [*command, "--out", "pairs"])
    assert "2 of frontier/anthropic/claude-x (Anthropic)" in str(refused.exception)
    done = CliRunner().invoke(app, [*command, "--out", "pairs", "--allow-provider-labels"])
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "pairs/manifest.json").read_text())["provider_labels_allowed"]


def test_an_export_says_which_of_rows_and_models_it_lacks(db: Connection, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no gold set bills"):
        export("bills", BASE, tmp_path / "pairs", FEW)
    imported("bills", [labelled(text) for text in texts(Split.TRAIN, 2)], tmp_path)
    with pytest.raises(InputError, match=r"2 rows .* 100 are needed"):
        export("bills", BASE, tmp_path / "pairs", Allowed())
    with pytest.raises(InputError, match="there is no engine 'gpu9'"):
        export("bills", "gpu9/m", tmp_path / "pairs", FEW)


def scored(place: str, rights: str) -> list[Score]:
    return [
        Score(place, bytes([n]), "extraction", sign == "1", {}) for n, sign in enumerate(rights)
    ]


def an_eval() -> int:
    row = one("eval_add", kind=EvalKind.GOLD, source="bills", split=Split.HELD,
              places=[BASE, TUNED])  # fmt: skip
    assert row is not None
    return int(row["id"])


def a_training(folder: Path) -> Path:
    folder.mkdir()
    write_lora(folder / "adapter.gguf", strength=0.0, layers=1)
    (folder / "training.json").write_text('{"base_sha256": "b", "pairs_sha256": "d"}')
    return folder


def registered(training: Path, base: str, tuned: str) -> tuple[int, registry.Verdict]:
    scores = [*scored(BASE, base), *scored(TUNED, tuned)]
    found = registry.origin(training, None)
    return registry.register(an_eval(), BASE, TUNED, scores, found)


def test_the_registry_keeps_what_a_model_is_from_and_outlives_its_eval(
    db: Connection, tmp_path: Path
) -> None:
    training = a_training(tmp_path / "tuned")
    number, judged = registered(training, "0000000011", "1111111111")
    assert judged.better
    db.execute("DELETE FROM evals")
    [row] = registry.models()
    digest = hashlib.sha256((training / "adapter.gguf").read_bytes()).hexdigest()
    assert (row["model"], row["place"], row["base"]) == (number, TUNED, BASE)
    assert (row["base_digest"], row["data_hash"], row["adapter_hash"]) == ("b", "d", digest)
    assert (row["better"], row["eval"], row["served_at"], row["served_by"]) == (
        True, None, None, []
    )  # fmt: skip
    assert row["scores"]["extraction"][TUNED]["right"] == 10
    shown = CliRunner().invoke(app, ["models"]).output
    assert "10/10" in shown.replace("\n", "")


def test_what_was_not_measured_is_loaded_and_gets_no_work(db: Connection, tmp_path: Path) -> None:
    training = a_training(tmp_path / "invoices")
    found = serve.serve(training, "local", "", "phi4-mini", "", None, anyway=False)
    assert (found.place, found.known, found.tasks) == (TUNED, None, "")
    assert (training / "Modelfile").exists()
    said = CliRunner().invoke(app, ["tune", "serve", str(training), "--engine", "local"]).output
    assert "It was not measured yet" in said
    assert f"--tuned {TUNED}" in said


def test_what_is_better_gets_the_work_and_what_is_not_only_against_a_note(
    db: Connection, tmp_path: Path
) -> None:
    training = a_training(tmp_path / "invoices")
    registered(training, "1100000011", "1100000011")

    def served(*, anyway: bool) -> serve.Served:
        return serve.serve(training, "local", "", "phi4-mini", "", None, anyway=anyway)

    with pytest.raises(InputError, match="4 of 10 against 4 of 10 right"):
        served(anyway=False)
    assert value(db, "SELECT count(*) FROM tuned_models WHERE served_at IS NOT NULL") == 0
    assert 'model = "invoices"' in served(anyway=True).tasks
    assert value(db, "SELECT anyway FROM tuned_models") is True
    registered(training, "0000000011", "1111111111")
    served(anyway=True)
    newest = "SELECT anyway, served_at IS NOT NULL FROM tuned_models ORDER BY id DESC LIMIT 1"
    assert db.execute(newest).fetchone() == (False, True)
    assert [row["served_at"] is None for row in registry.models()] == [False, False]
