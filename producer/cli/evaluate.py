"""Evals: which model is good enough, measured on texts whose right answers are known."""

import time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from models.bounds import MOST_EXAMPLES
from models.words import EvalKind, Split
from producer.cli.look import LOOK_S, follow, print_json
from producer.cli.options import AsJson, Batch, reviewer, text, usd
from producer.evaluate import MOST_TEXTS, QUALITY

if TYPE_CHECKING:
    from producer.evaluate.run import Begun

Model = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        parser=text,
        metavar="ENGINE/MODEL",
        help="A model to measure, such as local/phi4-mini. Repeat for several.",
    ),
]
Quality = Annotated[
    float,
    typer.Option(
        min=0.0,
        max=1.0,
        help="How much of the best model's accuracy is good enough: the smallest model whose lower "
        "bound reaches it is chosen.",
    ),
]
Write = Annotated[
    Path | None,
    typer.Option(help="Also write the [tasks] table into this file, which must not be there."),
]
MaxCost = Annotated[
    Decimal | None,
    typer.Option(parser=usd, metavar="USD", help="Budget of the frontier calls of this eval."),
]
Number = Annotated[int, typer.Argument(help="The eval's number, as list shows it.")]


def evaluate(
    context: typer.Context,
    gold: Annotated[
        str | None,
        typer.Option(
            parser=text,
            metavar="NAME|FILE.jsonl",
            help="A gold set, of which the held rows are measured on; or a file of labelled lines, "
            "which becomes a set, and all of which is.",
        ),
    ] = None,
    model: Model = None,
    split: Annotated[
        Split | None, typer.Option(help="Which rows of the set. Default: held.")
    ] = None,
    most: Annotated[
        int,
        typer.Option(
            min=1, max=MOST_TEXTS, help="So many texts of the set at most, as good as by lot."
        ),
    ] = 1_000,
    prompt: Annotated[
        list[int] | None,
        typer.Option(
            min=1, metavar="VERSION", help="A version of the prompt to ask with. Repeat to compare."
        ),
    ] = None,
    examples: Annotated[
        list[int] | None,
        typer.Option(
            min=0,
            max=MOST_EXAMPLES,
            metavar="K",
            help="Show so many of the nearest train rows; 0: the prompt's own examples. Repeat to "
            "compare.",
        ),
    ] = None,
    quality: Quality = QUALITY,
    max_cost: MaxCost = None,
    write: Write = None,
    as_json: AsJson = False,
) -> None:
    """Measure models on a gold set: how right, how sure, how fast, at what cost; and which is good
    enough for which task."""
    if context.invoked_subcommand is not None:
        return
    if gold is None or not model:
        raise typer.BadParameter("give --gold NAME and at least one --model ENGINE/MODEL")
    from producer.evaluate import run
    from producer.evaluate.candidates import candidates

    if Path(gold).suffix == ".jsonl":
        source = run.imported(Path(gold), reviewer(None))
    else:
        source = run.Source(EvalKind.GOLD, gold, split or Split.HELD)
    _refuse_file(write)
    asked = list(candidates(model, prompt or (), examples or ()))
    begun = run.begin(source, asked, most, max_cost=max_cost)
    _to_the_end(begun, quality, write, as_json)


def replay(
    batch: Batch,
    model: Model = None,
    last: Annotated[
        int, typer.Option(min=1, max=MOST_TEXTS, help="So many of its last answers.")
    ] = 100,
    quality: Quality = QUALITY,
    max_cost: MaxCost = None,
    write: Write = None,
    as_json: AsJson = False,
) -> None:
    """Ask the last questions of a batch again, of other models, and compare with what was answered
    then, or with its corrections."""
    if not model:
        raise typer.BadParameter("give at least one --model ENGINE/MODEL")
    from producer.evaluate import run
    from producer.evaluate.candidates import candidates

    _refuse_file(write)
    source = run.Source(EvalKind.REPLAY, str(batch))
    asked = list(candidates(model, (), ()))
    _to_the_end(run.begin(source, asked, last, max_cost=max_cost), quality, write, as_json)


def _refuse_file(write: Path | None) -> None:
    from models.errors import InputError

    if write is not None and write.exists():
        raise InputError(f"{write} is there already; name a file that is not")


def _to_the_end(begun: "Begun", quality: float, write: Path | None, as_json: bool) -> None:
    if not as_json:
        typer.echo(
            f"eval {begun.eval}: {begun.texts} texts, batch {begun.batch}; "
            f"`docmill eval show {begun.eval}` has its figures whenever that is over"
        )
    _wait(begun.batch, as_json)
    _show(begun.eval, quality, write, as_json)


def _wait(batch: int, quietly: bool) -> None:
    if not quietly:
        follow(batch, as_json=False)
        return
    from producer import query

    while not query.is_over(query.status(batch)):
        time.sleep(LOOK_S)


def show(
    number: Number, quality: Quality = QUALITY, write: Write = None, as_json: AsJson = False
) -> None:
    """The figures of an eval, and the [tasks] table that follows from them."""
    _refuse_file(write)
    _show(number, quality, write, as_json)


def _show(number: int, quality: float, write: Path | None, as_json: bool) -> None:
    from producer import render
    from producer.evaluate import report

    made = report.report(number, quality)
    if write is not None:
        write.write_text(made.table, "utf-8")
    if as_json:
        print_json([figures.as_json() for figures in made.figures])
    else:
        render.eval_report(made)


def list_evals(as_json: AsJson = False) -> None:
    """Every eval, newest first."""
    from producer.evaluate import report

    rows = report.listed()
    if as_json:
        print_json(rows)
    else:
        from producer import render

        render.evals(rows)


def compare(
    before: Annotated[int, typer.Argument(help="An eval's number.")],
    after: Annotated[int, typer.Argument(help="Another's: what changed since.")],
    as_json: AsJson = False,
) -> None:
    """What changed between two evals, model by model, over the texts that both asked."""
    from producer.evaluate import report

    rows = report.changes(before, after)
    if as_json:
        print_json([row.as_json() for row in rows])
    else:
        from producer import render

        render.eval_changes(before, after, rows)
