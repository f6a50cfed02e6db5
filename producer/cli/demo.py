"""The demo: everything, embedded, on real documents, from one command to the results."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from models.config import load_config
from models.errors import DocmillError
from models.settings import settings
from models.spec import Spec, load_spec, make_spec
from models.words import Policy, Pool
from producer import query, render
from producer.cli.look import follow
from producer.money import shown_currency
from producer.processes import ended, pools, site
from producer.sources import gather
from producer.submit import submit

SAMPLES = Path(__file__).parents[2] / "samples"
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
    console = render.console
    console.print("[bold]docmill demo[/]: starting the embedded servers and the workers")
    found = site()
    spec, documents = _what(paths)
    chosen = [Pool.INGEST, Pool.LOCAL]
    if found["frontier"] is None:
        console.print(f"Everything runs locally here: {found['problem']}", highlight=False)
        spec = spec.model_copy(update={"policy": Policy.LOCAL_ONLY})
    else:
        chosen.append(Pool.FRONTIER)
    file_mb = load_config(settings().docmill_config).limits.file_mb
    result = submit(spec, gather(documents, sys.stdin.buffer, file_mb))
    render.submitted(result)
    if result.batch is None:
        return 1
    _work(result.batch, chosen)
    _show(result.batch, found)
    jobs = query.status(result.batch)["jobs"]
    return 0 if jobs.get("done", 0) >= 0.9 * (sum(jobs.values()) - jobs.get("skipped", 0)) else 1


def _work(batch: int, chosen: Sequence[Pool]) -> None:
    """Run the pools until the batch is over; their log lines go to a file."""
    path = settings().home / "demo.log"
    with path.open("wb") as log, pools(*chosen, log=log) as running:

        def check() -> None:
            if (gone := ended(running)) is not None:
                last = path.read_text("utf-8", "replace").strip().splitlines()[-3:]
                raise DocmillError(
                    f"a worker ended by itself ({gone.returncode}): " + " / ".join(last)
                )

        follow(batch, as_json=False, check=check)


def _what(paths: Sequence[str]) -> tuple[Spec, list[str]]:
    if paths:
        return make_spec(OWN_DOCUMENTS, "demo"), list(paths)
    spec = load_spec(SPEC)
    patterns = sorted({pattern for ask in spec.asks for pattern in ask.documents})
    return spec, [str(SAMPLES / pattern) for pattern in patterns]


def _show(batch: int, found: Mapping[str, str | None]) -> None:
    render.results(query.results(batch))
    render.costs(query.costs_explained(batch, "task"), "task", shown_currency())
    render.console.print(
        f"\n{_who_answered(found)}\n"
        "[bold]Next[/]\n"
        f"  docmill results {batch} --format csv --out answers.csv   every answer\n"
        f"  docmill status {batch}; docmill costs {batch} --by model   what it took\n"
        "  make demo DOCS=path/to/your/folder   your own documents\n"
        "  docs/quick-start.md   better models, with OLLAMA_HOST and FRONTIER_API_KEY\n"
        f"  data is kept in {settings().home}",
        highlight=False,
    )


def _who_answered(found: Mapping[str, str | None]) -> str:
    local, frontier = found["local"] or "", found["frontier"]
    if "embedded" not in local:
        return f"Answered by {local}" + (f" and {frontier}." if frontier else ".")
    words = "The local answers come from a 270M-parameter base model on this machine's CPU."
    if frontier and "stand-in" in frontier:
        return words + (
            " No frontier model was asked: the same small model served its queue, marked stand-in."
        )
    return words + (f" The frontier was {frontier}." if frontier else "")
