"""`python -m benchmarks --smoke`: every part runs. Its figures are not looked at."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PARTS = "abcdefghjkl"


@pytest.mark.model
@pytest.mark.timeout(660)
def test_every_part_of_the_benchmark_runs_and_leaves_its_figures(tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--smoke", "--out", str(out)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=630,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(out.read_text())
    parts = {figure["name"].partition(":")[0] for figure in figures}
    assert parts == set(PARTS)
