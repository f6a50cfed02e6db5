"""What each kind of engine takes of a tuned model."""

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from models.config_file import checked_config
from models.errors import InputError
from producer.tune.recipes import Wanted, recipe, tasks_toml, write

WANTED = Wanted(
    folder=Path("/data/tuned"),
    engine="gpu2",
    kind="ollama",
    name="invoices-phi4",
    base="phi4-mini",
    examples=False,
)


def test_ollama_gets_a_merged_file_whose_template_is_the_bases() -> None:
    made = recipe(WANTED)
    assert made.files == {"Modelfile": "FROM ./merged.gguf\n"}
    said = "\n".join(made.commands)
    assert (
        "llama-export-lora -m phi4-mini.gguf --lora /data/tuned/adapter.gguf "
        "-o /data/tuned/merged.gguf" in said
    )
    assert "cd /data/tuned && ollama create invoices-phi4 -f Modelfile" in said
    assert "TEMPLATE" in said
    assert "ADAPTER" not in made.files["Modelfile"], "Ollama makes none since 0.34"


def test_llama_server_takes_the_adapter_and_vllm_its_folder() -> None:
    [llama] = recipe(replace(WANTED, kind="llama-server")).commands
    assert "--lora /data/tuned/adapter.gguf --alias invoices-phi4" in llama
    [vllm] = recipe(replace(WANTED, kind="vllm", base="org/phi", rank=32)).commands
    assert vllm.startswith("vllm serve org/phi --enable-lora --max-lora-rank 32 ")
    assert "--lora-modules invoices-phi4=/data/tuned/peft" in vllm


def test_the_embedded_engine_is_told_in_its_table_alone() -> None:
    made = recipe(replace(WANTED, kind="embedded", engine="local"))
    table = tomllib.loads(made.toml)
    assert table["engines"]["local"] == {"kind": "embedded", "adapter": "/data/tuned/adapter.gguf"}
    checked_config(table, "made")


def test_docmill_is_told_where_prompts_are_to_carry_no_examples() -> None:
    for name in ("invoices-phi4", "phi4-mini:invoices"):
        toml = recipe(replace(WANTED, name=name, engine="local")).toml
        config = checked_config(tomllib.loads(toml), "made")
        assert not config.engines["local"].carries_examples(name)
    assert recipe(replace(WANTED, examples=True)).toml == ""


def test_the_work_is_given_by_tables_that_can_be_pasted() -> None:
    tables = tasks_toml("local/a/b:1", ["classification", "extraction"])
    config = checked_config(tomllib.loads(tables), "made")
    assert {(one.engine, one.model) for task, one in config.tasks.items()
            if task in ("classification", "extraction")} == {("local", "a/b:1")}  # fmt: skip


def test_who_hosts_only_models_of_his_own_is_named() -> None:
    with pytest.raises(
        InputError, match="is of kind anthropic, which serves no models of your own"
    ):
        recipe(replace(WANTED, kind="anthropic"))


def test_files_go_beside_the_adapter_and_one_that_is_missing_is_named(tmp_path: Path) -> None:
    made = recipe(replace(WANTED, folder=tmp_path))
    with pytest.raises(InputError, match=r"lacks adapter\.gguf"):
        write(made, tmp_path)
    (tmp_path / "adapter.gguf").write_bytes(b"GGUF")
    assert write(made, tmp_path) == [tmp_path / "Modelfile"]
    assert (tmp_path / "Modelfile").read_text("utf-8") == "FROM ./merged.gguf\n"
