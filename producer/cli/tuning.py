"""Tuning: pairs from gold, tuned models beside their base, what serves them, and the registry."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from producer.cli.evaluate import MaxCost, Model, to_the_end
from producer.cli.look import print_json
from producer.cli.options import AsJson, text
from producer.evaluate import MOST_TEXTS, QUALITY

Gold = Annotated[str, typer.Option("--gold", parser=text, metavar="NAME", help="The gold set.")]
Training = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="What `docmill tune train` wrote.")
]
Pairs = Annotated[
    Path | None, typer.Option("--pairs", help="The folder of `docmill tune export` that it is of.")
]


def export(
    gold: Gold,
    model: Annotated[
        str,
        typer.Option(
            parser=text, metavar="ENGINE/MODEL", help="Whose prompts: as workers send them to it."
        ),
    ],
    out: Annotated[Path, typer.Option(help="A new folder.")],
    without_examples: Annotated[
        bool,
        typer.Option(
            "--without-examples",
            help="Prompts without examples, whatever docmill.toml says of the model.",
        ),
    ] = False,
    at_least: Annotated[int, typer.Option(min=1, help="Refuse fewer rows than these.")] = 100,
    leave_out: Annotated[
        bool, typer.Option("--leave-out", help="Leave out rows that no single prompt asks for.")
    ] = False,
    allow_provider_labels: Annotated[
        bool,
        typer.Option(
            "--allow-provider-labels",
            help="Train on answers of providers whose terms forbid it; your contract allows it.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write the rows of a gold set that may be trained on as pairs of prompt and completion."""
    from producer.render import tuning as show
    from producer.tune import export as tune

    allowed = tune.Allowed(at_least, allow_provider_labels, leave_out)
    made = tune.export(gold, model, out, allowed, False if without_examples else None)
    if as_json:
        print_json(made)
        return
    _say(show.exported(made, out))


def train(
    pairs: Annotated[
        Path, typer.Argument(metavar="PAIRS", help="JSON lines of prompt and completion.")
    ],
    out: Annotated[
        Path, typer.Option(help="Where the adapter goes; with its checkpoint it goes on.")
    ],
    base: Annotated[
        Path | None,
        typer.Option(help="A GGUF file or a model's folder. Default: the embedded model."),
    ] = None,
    adapter: Annotated[
        Path | None,
        typer.Option(
            help="A GGUF adapter of that base to go on from. `shipped`: the embedded model's own. "
            "Default: a new one."
        ),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Batches. Default: all pairs once.")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0, help="End by then, however far it is.")
    ] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Pairs in a batch.")] = None,
    rank: Annotated[int | None, typer.Option(min=1, help="Of the adapter.")] = None,
    learning_rate: Annotated[float | None, typer.Option(min=0, help="The highest.")] = None,
    longest: Annotated[int | None, typer.Option(min=1, help="Tokens of a pair.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the order of pairs.")] = None,
) -> None:
    """Train an adapter (a LoRA) on pairs, on a GPU or, for a small model, on a CPU."""
    from producer.processes import run_worker_module

    said = {
        "base": base,
        "adapter": adapter,
        "steps": steps,
        "minutes": minutes,
        "batch": batch,
        "rank": rank,
        "learning-rate": learning_rate,
        "longest": longest,
        "threads": threads,
        "seed": seed,
    }
    options = [f"--{name}={value}" for name, value in said.items() if value is not None]
    raise typer.Exit(run_worker_module("tune", str(pairs), f"--out={out}", *options))


def evaluate(
    gold: Gold,
    base: Annotated[
        str, typer.Option(parser=text, metavar="ENGINE/MODEL", help="What it was tuned from.")
    ],
    tuned: Annotated[
        str, typer.Option(parser=text, metavar="ENGINE/MODEL", help="The tuned one, as served.")
    ],
    model: Model = None,
    training: Annotated[
        Path | None, typer.Option(help="What `docmill tune train` wrote, for the registry.")
    ] = None,
    pairs: Pairs = None,
    most: Annotated[
        int, typer.Option(min=1, max=MOST_TEXTS, help="So many texts at most.")
    ] = 1_000,
    max_cost: MaxCost = None,
    as_json: AsJson = False,
) -> None:
    """Measure a tuned model beside its base, and further models, on held gold; keep it in the
    registry."""
    from models.words import EvalKind, Split
    from producer.evaluate import run
    from producer.evaluate.candidates import Candidate
    from producer.render import tuning as show
    from producer.tune import registry

    found = registry.origin(training, pairs)
    registry.refuse_other_file(tuned, found)
    source = run.Source(EvalKind.GOLD, gold, Split.HELD)
    asked = [Candidate(place) for place in (base, tuned, *(model or []))]
    begun = run.begin(source, asked, most, max_cost=max_cost)
    to_the_end(begun, QUALITY, None, as_json)
    number, judged = registry.register(begun.eval, base, tuned, run.scores(begun.eval), found)
    if not as_json:
        _say(show.judged(number, base, tuned, judged))


def serve(
    folder: Training,
    engine: Annotated[str, typer.Option(parser=text, help="Its name in docmill.toml.")],
    name: Annotated[
        str, typer.Option(parser=text, help="What the tuned model is to be called there.")
    ] = "",
    base: Annotated[
        str,
        typer.Option(
            parser=text,
            help="What it was tuned from, as that server knows it: a path without .gguf, or a name "
            "of Hugging Face.",
        ),
    ] = "BASE",
    server: Annotated[
        str, typer.Option(parser=text, help="Of an engine of kind openai: vllm or llama-server.")
    ] = "llama-server",
    pairs: Pairs = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Although it is not better; the registry says so.")
    ] = False,
) -> None:
    """Say how an engine is given a tuned model, and write the files that it takes: at first to
    measure it, under a name of its own; once it is better, for work."""
    from producer.render import tuning as show
    from producer.tune import serve as tune

    _say(show.served(tune.serve(folder, engine, name, base, server, pairs, anyway=anyway)))


def list_models(as_json: AsJson = False) -> None:
    """Every tuned model: its base, its data, how right both are, and who serves it."""
    from producer.tune import registry

    rows = registry.models()
    if as_json:
        print_json(rows)
        return
    from producer import render
    from producer.render import tuning as show

    if rows:
        render.console.print(show.table(rows))
    else:
        typer.echo("no tuned models yet; `docmill tune eval` measures one and keeps it")


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        typer.echo(line)
