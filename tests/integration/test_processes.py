"""What `docmill demo` starts says nothing between the lines of the demo itself."""

import sys
from pathlib import Path

import pytest

from models.words import Pool
from producer import processes


def test_all_that_a_worker_says_stands_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    speaks = "import sys; print('to people'); print('to operators', file=sys.stderr)"
    monkeypatch.setattr(processes, "worker_command", lambda pool: [sys.executable, "-c", speaks])
    with (tmp_path / "log").open("wb") as log, processes.pools(Pool.LOCAL, log=log) as [worker]:
        assert worker.wait(30) == 0
    said = (tmp_path / "log").read_text()
    assert "to people" in said
    assert "to operators" in said
    assert capfd.readouterr() == ("", "")
