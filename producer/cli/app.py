"""The commands in the order of their list: each parses, calls one function and prints.

What a command needs is imported inside it, so that --help is instant and a look at a batch loads
neither queues nor migrations.
"""

from collections.abc import Callable, Mapping
from typing import Annotated

import typer

from producer.cli import (
    classifier,
    config,
    db,
    evaluate,
    gold,
    look,
    prompts,
    remove,
    review,
    run,
    scores,
    steer,
)
from producer.cli.submit import submit

COMMANDS: dict[str, Callable[..., None]] = {
    "submit": submit,
    "watch": look.watch,
    "status": look.status,
    "receipt": look.receipt,
    "list": look.list_batches,
    "documents": look.documents,
    "results": look.results,
    "costs": look.costs,
    "engines": look.engines,
    "review": review.review,
    "correct": review.correct,
    "replay": evaluate.replay,
    "pause": steer.pause,
    "resume": steer.resume,
    "cancel": steer.cancel,
    "retry": steer.retry,
    "priority": steer.priority,
    "reroute": steer.reroute,
    "purge": remove.purge,
    "delete": remove.delete,
    "worker": run.worker,
    "up": run.up,
    "web": run.web,
    "demo": run.demo,
    "doctor": run.doctor,
    "formats": run.formats,
}
CONFIG_COMMANDS: dict[str, Callable[..., None]] = {
    "show": config.show,
    "diff": config.diff,
    "apply": config.apply,
}
CLASSIFIER_COMMANDS: dict[str, Callable[..., None]] = {
    "report": classifier.report,
    "train": classifier.train,
}
SCORES_COMMANDS: dict[str, Callable[..., None]] = {
    "report": scores.report,
    "train": scores.train,
}
GOLD_COMMANDS: dict[str, Callable[..., None]] = {
    "add": gold.add,
    "list": gold.list_sets,
    "export": gold.export,
    "import": gold.import_rows,
    "remove": gold.remove,
}
PROMPT_COMMANDS: dict[str, Callable[..., None]] = {
    "list": prompts.list_prompts,
    "diff": prompts.diff,
    "promote": prompts.promote,
}
EVAL_COMMANDS: dict[str, Callable[..., None]] = {
    "list": evaluate.list_evals,
    "show": evaluate.show,
    "compare": evaluate.compare,
}
DATABASE_COMMANDS: dict[str, Callable[..., None]] = {
    "upgrade": db.upgrade,
    "downgrade": db.downgrade,
    "current": db.current,
}


# On the way to a command typer converts a --help that was not given, with pydantic, unless it is a
# bool already.
NO_HELP = {"help": False}

app = typer.Typer(
    name="docmill",
    help="Questions over piles of documents, answered by the smallest model that is good enough.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Plain help and errors: with its panels rich would cost more than all the rest of the start.
    rich_markup_mode=None,
    add_completion=False,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "default_map": {
            **dict.fromkeys(COMMANDS, NO_HELP),
            "classifier": {**dict.fromkeys(CLASSIFIER_COMMANDS, NO_HELP), **NO_HELP},
            "scores": {**dict.fromkeys(SCORES_COMMANDS, NO_HELP), **NO_HELP},
            "config": {**dict.fromkeys(CONFIG_COMMANDS, NO_HELP), **NO_HELP},
            "eval": {**dict.fromkeys(EVAL_COMMANDS, NO_HELP), **NO_HELP},
            "prompts": {**dict.fromkeys(PROMPT_COMMANDS, NO_HELP), **NO_HELP},
            "gold": {**dict.fromkeys(GOLD_COMMANDS, NO_HELP), **NO_HELP},
            "db": {**dict.fromkeys(DATABASE_COMMANDS, NO_HELP), **NO_HELP},
            **NO_HELP,
        },
    },
)


def _say_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"docmill {version('docmill')}")
        raise typer.Exit


@app.callback()
def _any_command(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """What stands before every command."""


def _add(commands: Mapping[str, Callable[..., None]], group: typer.Typer) -> None:
    for name, command in commands.items():
        # Without a short help of its own typer cuts it off to fit one line.
        group.command(name, short_help=command.__doc__)(command)


_add(COMMANDS, app)
_config = typer.Typer(help="The configuration that all processes go by.", no_args_is_help=True)
_add(CONFIG_COMMANDS, _config)
app.add_typer(_config, name="config")
_classifier = typer.Typer(help="What finds the task types of asks.", no_args_is_help=True)
_add(CLASSIFIER_COMMANDS, _classifier)
app.add_typer(_classifier, name="classifier")
_scores = typer.Typer(help="What says how likely values are right.", no_args_is_help=True)
_add(SCORES_COMMANDS, _scores)
app.add_typer(_scores, name="scores")
GOLD = "Texts with their right answers, to measure with and to train on."
_gold = typer.Typer(help=GOLD, short_help=GOLD, no_args_is_help=True)
_add(GOLD_COMMANDS, _gold)
app.add_typer(_gold, name="gold")
_prompts = typer.Typer(help="Versions of the prompts.", no_args_is_help=True)
_add(PROMPT_COMMANDS, _prompts)
app.add_typer(_prompts, name="prompts")
_eval = typer.Typer(
    help=evaluate.evaluate.__doc__,
    short_help=evaluate.evaluate.__doc__,
    callback=evaluate.evaluate,
    invoke_without_command=True,
    no_args_is_help=True,
)
_add(EVAL_COMMANDS, _eval)
app.add_typer(_eval, name="eval")
_database = typer.Typer(help="The database schema.", no_args_is_help=True)
_add(DATABASE_COMMANDS, _database)
app.add_typer(_database, name="db")
