"""`python -m benchmarks --smoke`: parts that use every tool of the benchmarks run, whatever they
measure; `make bench BENCH=--smoke` runs all of them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PARTS = "dfh"


@pytest.mark.timeout(240)
def test_a_run_of_the_benchmark_leaves_its_figures(tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "benchmarks",
            "--smoke",
            "--only",
            ",".join(PARTS),
            "--out",
            str(out),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=230,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(out.read_text())
    parts = {figure["name"].partition(":")[0] for figure in figures}
    assert parts == set(PARTS)
