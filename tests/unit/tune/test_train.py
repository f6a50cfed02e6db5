import pytest

from models.errors import ConfigError
from worker.tune import train
from worker.tune.options import Options


def test_without_its_extra_the_training_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(train, "find_spec", lambda name: None if name == "torch" else object())
    with pytest.raises(ConfigError, match=r"torch not installed.*docmill\[tune\]"):
        train.train(tmp_path / "pairs.jsonl", tmp_path / "out", Options())
