"""What a look at a batch loads: modules, for time depends on the machine."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import Docmill
from tests.web_batches import Connection, answer, make_batch

HEAVY = {
    *("celery", "kombu", "redis", "alembic", "sqlalchemy", "starlette", "uvicorn", "jinja2"),
    *("openai", "anthropic", "boto3", "httpx", "aiohttp", "yaml", "jsonschema_rs", "worker"),
}
LOOKS = ("list", "status {}", "results {}", "costs {}", "costs", "receipt {}")


def loaded_by(docmill: Docmill, *words: str) -> set[str]:
    """The packages that `docmill` with these words imports; it must succeed."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "producer", *words],
        cwd=docmill.folder,
        env=docmill._environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return {name.partition(".")[0] for name in re.findall(r"\|\s*([\w.]+)$", done.stderr, re.M)}


@pytest.mark.usefixtures("redis_url")
def test_a_look_at_a_batch_loads_neither_queues_nor_migrations_nor_pages(
    db: Connection, database_url: str, tmp_path: Path
) -> None:
    batch = make_batch(db, ["a.txt"])
    answer(db, batch, "extraction", {"total": "1"})
    docmill = Docmill(tmp_path, {"DATABASE_URL": database_url})
    for look in LOOKS:
        words = look.format(batch).split()
        packages = loaded_by(docmill, *words)
        assert {"producer", "psycopg", "rich"} <= packages
        assert packages & HEAVY == set(), look
        as_json = ["--format", "jsonl"] if "results" in look else ["--json"]
        assert loaded_by(docmill, *words, *as_json) & {*HEAVY, "rich"} == set(), look
