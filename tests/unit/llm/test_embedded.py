"""The embedded model: whose name asks for its adapter, and which server has which."""

import hashlib
from pathlib import Path

import pytest

from models.embedded.server import load
from models.engines import EMBEDDED_MODEL, STAND_IN, WEIGHING, EmbeddedConfig, tuned_name
from models.errors import ConfigError
from models.words import Zone
from tests.factories import a_request
from tests.lora import write_lora
from worker.llm.embedded.engine import EmbeddedDialect
from worker.llm.embedded.server import Llama

DIGEST = "ab" * 32


@pytest.mark.parametrize(
    ("model", "strength"),
    [
        (EMBEDDED_MODEL, 0.0),
        (STAND_IN + EMBEDDED_MODEL, 0.0),
        (tuned_name(DIGEST), 1.0),
        (STAND_IN + tuned_name(DIGEST), 1.0),
    ],
)
def test_the_models_name_says_whether_its_adapter_takes_part(model: str, strength: float) -> None:
    body = EmbeddedDialect(seeds=True).body(a_request(model_name=model))
    assert body["extra_body"] == {"lora": [{"id": 0, "scale": strength}]}
    assert body["model"] == model


@pytest.mark.parametrize(
    ("adapter", "model", "weighs"),
    [
        (None, tuned_name(DIGEST), True),
        (None, STAND_IN + tuned_name(DIGEST), True),
        (None, EMBEDDED_MODEL, False),
        ("own.gguf", tuned_name(DIGEST), False),  # it has met the labels
        ("", EMBEDDED_MODEL, False),
    ],
)
def test_labels_are_weighed_for_the_adapter_that_ships(
    adapter: str | None, model: str, weighs: bool
) -> None:
    table = EmbeddedConfig(zone=Zone.LOCAL, adapter=adapter, adapter_digest=DIGEST)
    assert table.weighing(model) == (WEIGHING if weighs else "")


def test_each_adapter_has_a_server_of_its_own_and_all_share_the_models_file(tmp_path: Path) -> None:
    bare, tuned, other = Llama(), Llama(DIGEST), Llama("cd" * 32)
    assert [one.name for one in (bare, tuned, other)] == [
        "llama",
        "llama-abababab",
        "llama-cdcdcdcd",
    ]
    folders = {one.folder(tmp_path) for one in (bare, tuned, other)}
    assert folders == {tmp_path / one.name for one in (bare, tuned, other)}
    for one in (bare, tuned):
        made = load(one.entry)  # as the guardian process does
        assert isinstance(made, Llama)
        assert (made.name, made.entry) == (one.name, one.entry)


def test_a_server_keeps_a_copy_so_that_nobody_changes_what_it_serves(tmp_path: Path) -> None:
    given = write_lora(tmp_path / "own.gguf", strength=0.1, layers=1)
    digest = hashlib.sha256(given.read_bytes()).hexdigest()
    server = Llama(digest)
    server.take(given, tmp_path)
    kept = server.folder(tmp_path) / "adapter.gguf"
    before = kept.read_bytes()
    write_lora(given, strength=0.2, layers=1)
    with pytest.raises(ConfigError, match="is another file than the configuration names"):
        server.take(given, tmp_path)
    assert kept.read_bytes() == before
    assert list(server.folder(tmp_path).iterdir()) == [kept]
