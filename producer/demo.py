"""The demo: everything, embedded, on real documents, from one command to the results."""

import sys
from collections.abc import Sequence
from pathlib import Path

from models.config import load_config
from models.settings import settings
from models.spec import Spec, load_spec, make_spec
from models.words import Pool
from producer import doors, query, render
from producer.processes import pools
from producer.sources import gather
from producer.submit import submit

SAMPLES = Path(__file__).parent.parent / "samples"
SPEC = SAMPLES / "spec.yaml"

OWN_DOCUMENTS = {
    "name": "docmill demo, own documents",
    "asks": [
        {
            "name": "facts",
            "ask": "Find the names, dates and amounts.",
            "fields": ["name", "date", "amount"],
            "task": "extraction",
        },
        {
            "name": "kind",
            "ask": "Which kind of document is this: invoice, contract, letter, report or other?",
            "schema": {
                "type": "object",
                "properties": {
                    "kind": {"enum": ["invoice", "contract", "letter", "report", "other"]}
                },
                "required": ["kind"],
                "additionalProperties": False,
            },
            "scope": "document",
        },
    ],
}
"""What is asked of documents that nobody wrote a spec for."""


def run(paths: Sequence[str]) -> int:
    """Submit, run every pool to the end, print results and costs. 1 when too little was done."""
    spec, documents = _what(paths)
    render.console.print("[bold]docmill demo[/]: starting the embedded servers and three workers")
    file_mb = load_config(settings().docmill_config).limits.file_mb
    result = submit(spec, gather(documents, sys.stdin.buffer, file_mb))
    render.submitted(result)
    if result.batch is None:
        return 1
    with pools(Pool.INGEST, Pool.LOCAL, Pool.FRONTIER, quiet=True):
        doors.watch(result.batch, as_json=False)
    _show(result.batch)
    jobs = query.status(result.batch)["jobs"]
    return 0 if jobs.get("done", 0) >= 0.9 * (sum(jobs.values()) - jobs.get("skipped", 0)) else 1


def _what(paths: Sequence[str]) -> tuple[Spec, list[str]]:
    if paths:
        return make_spec(OWN_DOCUMENTS, "demo"), list(paths)
    spec = load_spec(SPEC)
    patterns = sorted({pattern for ask in spec.asks for pattern in ask.documents})
    return spec, [str(SAMPLES / pattern) for pattern in patterns]


def _show(batch: int) -> None:
    render.results(query.results(batch))
    render.costs(query.costs_explained(batch, "task"), "task")
    home = settings().home
    render.console.print(
        "\nThe answers come from a 270M-parameter base model on this machine's CPU; a frontier "
        "model was not asked: its queue was served by the same small model, marked stand-in.\n"
        "[bold]Next[/]\n"
        f"  docmill results {batch} --format csv --out answers.csv     every answer\n"
        f"  docmill status {batch}; docmill costs {batch} --by model    what it took\n"
        "  make demo DOCS=path/to/your/folder                    your own documents\n"
        "  OLLAMA_HOST=... and FRONTIER_API_KEY=...              better models: see README.md\n"
        f"  data is kept in {home}",
        highlight=False,
    )
