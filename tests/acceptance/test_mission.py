"""The mission's own experiment, as docs/tune.md tells it. It trains: `pytest -m slow` runs it."""

import pytest

from benchmarks.adapter import PUBLIC
from benchmarks.mission import MINUTES, run

HOURS_4 = 4 * 3600


@pytest.mark.slow
@pytest.mark.model
@pytest.mark.timeout(HOURS_4)
@pytest.mark.skipif(not PUBLIC.exists(), reason="the public receipts are not at hand")
def test_a_model_tuned_on_eighty_receipts_beats_its_base_on_date_and_total(tmp_path):
    pytest.importorskip("torch", reason="needs the extra tune")
    tmp_path.chmod(0o755)
    assert run(tmp_path, MINUTES, most=1_000)
