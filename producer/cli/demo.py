"""The demo: everything, embedded, on real documents, from one command to the results."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from models.config_file import load_config
from models.configuration import applied
from models.engines import EMBEDDED_MODEL, LOCAL, EmbeddedConfig, is_tuned
from models.errors import DocmillError
from models.settings import settings
from models.spec import Spec, load_spec, make_spec
from models.words import Policy, Pool
from producer import query, render
from producer.cli.look import follow
from producer.key import counted, load_key, side_by_side
from producer.money import shown_currency
from producer.processes import ended, pools, site
from producer.sources import gather
from producer.submit import submit

SAMPLES = Path(__file__).parents[2] / "samples"
SPEC, KEY = SAMPLES / "spec.yaml", SAMPLES / "key.yaml"

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
    result = submit(spec, gather(documents, sys.stdin.buffer, _file_mb()))
    render.submitted(result)
    if result.batch is None:
        return 1
    bare = None if paths else _without_adapter(spec)
    without = _work(result.batch, chosen, bare)
    _show(result.batch, found, None if paths else _right(result.batch, without))
    jobs = query.status(result.batch)["jobs"]
    return 0 if jobs.get("done", 0) >= 0.9 * (sum(jobs.values()) - jobs.get("skipped", 0)) else 1


def _without_adapter(spec: Spec) -> Spec | None:
    """What has a key, asked of the embedded model without its adapter; None: it has none here."""
    engine = applied().config.engines[LOCAL]
    if not isinstance(engine, EmbeddedConfig) or engine.served == EMBEDDED_MODEL:
        return None
    keyed = load_key(KEY)
    place = f"{LOCAL}/{EMBEDDED_MODEL}"
    asks = [
        ask.model_copy(update={"place": place})
        for ask in spec.asks
        if ask.label in keyed and ask.task and engine.model_for(ask.task) != EMBEDDED_MODEL
    ]
    name = "docmill demo, without the adapter"
    return spec.model_copy(update={"name": name, "asks": asks, "policy": Policy.LOCAL_ONLY})


def _work(batch: int, chosen: Sequence[Pool], bare: Spec | None) -> int | None:
    """Run the pools until the batch is over, and then what is asked `bare`; the batch of that is
    returned. Log lines go to a file."""
    path = settings().home / "demo.log"
    with path.open("wb") as log, pools(*chosen, log=log) as running:

        def check() -> None:
            if (gone := ended(running)) is not None:
                last = path.read_text("utf-8", "replace").strip().splitlines()[-3:]
                raise DocmillError(
                    f"a worker ended by itself ({gone.returncode}): " + " / ".join(last)
                )

        follow(batch, as_json=False, check=check)
        if bare is None:
            return None
        documents = [str(SAMPLES / name) for ask in bare.asks for name in ask.documents]
        without = submit(bare, gather(documents, sys.stdin.buffer, _file_mb())).batch
        if without is not None:
            follow(without, as_json=False, check=check)
        return without


def _right(batch: int, without: int | None) -> str:
    """How much is right by the key that lies beside the samples."""
    key = load_key(KEY)
    tuned = counted(key, query.results(batch))
    again = [] if without is None else list(query.results(without))
    asked = {row["ask"] for row in again}
    bare = counted({ask: found for ask, found in key.items() if ask in asked}, again)
    adapter = " with the adapter" if bare else ""
    return f"Right{adapter}, by samples/key.yaml: {side_by_side(tuned, bare)}."


def _file_mb() -> int:
    return load_config(settings().docmill_config).limits.file_mb


def _what(paths: Sequence[str]) -> tuple[Spec, list[str]]:
    if paths:
        return make_spec(OWN_DOCUMENTS, "demo"), list(paths)
    spec = load_spec(SPEC)
    patterns = sorted({pattern for ask in spec.asks for pattern in ask.documents})
    return spec, [str(SAMPLES / pattern) for pattern in patterns]


def _show(batch: int, found: Mapping[str, str | None], right: str | None) -> None:
    render.results(query.results(batch))
    render.costs(query.costs_explained(batch, "task"), "task", shown_currency())
    render.console.print(
        f"\n{_who_answered(found)}\n" + (f"[bold]{right}[/]\n" if right else "") + "[bold]Next[/]\n"
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
    tuned = ", which reads with an adapter that was trained for it" if is_tuned(local) else ""
    words = f"The local answers come from a 270M-parameter model on this machine's CPU{tuned}."
    if frontier and "stand-in" in frontier:
        return words + (
            " No frontier model was asked: the same small model served its queue, marked stand-in."
        )
    return words + (f" The frontier was {frontier}." if frontier else "")
