"""Which file the adapter of the embedded model is."""

from pathlib import Path

import pytest

from models import adapter
from models.adapter import adapter_digest, adapter_file
from models.errors import ConfigError
from tests.lora import write_lora


def test_nothing_said_is_the_file_that_ships_where_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = tmp_path / "adapter.gguf"
    monkeypatch.setattr(adapter, "SHIPPED", shipped)
    assert (adapter_file(None), adapter_digest(None)) == (None, "")
    write_lora(shipped, strength=0.0, layers=1)
    assert adapter_file(None) == shipped
    assert len(adapter_digest(None)) == 64
    assert (adapter_file(""), adapter_digest("")) == (None, "")


def test_a_file_is_known_by_what_is_in_it(tmp_path: Path) -> None:
    one, other = (
        str(write_lora(tmp_path / f"{strength}.gguf", strength=strength, layers=1))
        for strength in (0.1, 0.2)
    )
    assert adapter_digest(one) != adapter_digest(other)
    write_lora(Path(other), strength=0.1, layers=1)
    assert adapter_digest(one) == adapter_digest(other)


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("none.gguf", None, r"cannot be read \(No such file"),
        ("adapter.safetensors", b"{}", "is no GGUF file"),
    ],
)
def test_a_file_that_cannot_be_an_adapter_is_named(
    tmp_path: Path, name: str, data: bytes | None, said: str
) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(ConfigError, match=said):
        adapter_digest(str(tmp_path / name))
