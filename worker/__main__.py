"""python -m worker: what the command line starts, so that it need not import this package."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path

from models.adapter import SHIPPED
from models.errors import DocmillError
from models.terminal import visible
from models.words import Pool, TaskType


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m worker", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="run a worker pool")
    serve.add_argument("pool", type=Pool, choices=list(Pool))
    serve.add_argument("--slots", type=int)
    serve.add_argument("--engine", action="append", default=[])
    serve.add_argument("--model", action="append", default=[])
    doctor = commands.add_parser("doctor", help="check everything")
    doctor.add_argument("--json", action="store_true")
    doctor.add_argument("--probe", action="store_true")
    commands.add_parser("reach", help="say as JSON which engines this host reaches")
    commands.add_parser("alive", help="0 where a worker of this machine says that it lives")
    formats = commands.add_parser("formats", help="say which kinds of documents are read")
    formats.add_argument("--json", action="store_true")
    plan = commands.add_parser("plan", help="say what a batch would take; it comes on stdin")
    plan.add_argument("--json", action="store_true")
    purge = commands.add_parser("purge", help="take away what a batch holds")
    purge.add_argument("batch", type=int)
    purge.add_argument("--keep-costs", action="store_true")
    purge.add_argument("--delete", action="store_true")
    commands.add_parser("unlock", help="take the lock from PDFs; they come on stdin")
    commands.add_parser("compare", help="say which values of answers are right; they come on stdin")
    commands.add_parser("pairs", help="say what a model is asked about gold, which comes on stdin")
    reroute = commands.add_parser("reroute", help="route anew what is not begun of a batch")
    reroute.add_argument("batch", type=int)
    classifier = commands.add_parser("classifier", help="what finds task types: train, report")
    classifier.add_argument("what", choices=["train", "report", "ship"])
    scores = commands.add_parser("scores", help="what says how likely values are right")
    scores.add_argument("what", choices=["train", "report"])
    prompts = commands.add_parser("prompts", help="versions of prompts: list, diff, known")
    prompts.add_argument("what", choices=["list", "diff", "known"])
    prompts.add_argument("task", nargs="?", type=TaskType)
    prompts.add_argument("old", nargs="?", type=int)
    prompts.add_argument("new", nargs="?", type=int)
    tune = commands.add_parser("tune", help="train an adapter on pairs of prompt and answer")
    tune.add_argument("pairs", type=Path)
    tune.add_argument("--out", type=Path, required=True)
    tune.add_argument("--base", type=Path)
    tune.add_argument("--adapter", type=_adapter)
    tune.add_argument("--steps", type=int)
    tune.add_argument("--minutes", type=float)
    tune.add_argument("--threads", type=int)
    for name in ("batch", "rank", "alpha", "longest", "seed"):
        tune.add_argument(f"--{name}", type=int, default=argparse.SUPPRESS)
    tune.add_argument("--learning-rate", type=float, default=argparse.SUPPRESS)
    return parser


def main() -> int:
    """Run one command. 0: done, 1: a failure that the message explains."""
    chosen = _parser().parse_args()
    try:
        return COMMANDS[chosen.command](chosen)
    except DocmillError as exc:
        sys.stderr.write(f"docmill: {visible(str(exc))}\n")
        return 1


# What a command needs is imported by it: a look at this page loads none of it.


def _serve(chosen: argparse.Namespace) -> int:
    from worker.app import serve

    return serve(chosen.pool, chosen.slots, frozenset(chosen.engine), frozenset(chosen.model))


def _doctor(chosen: argparse.Namespace) -> int:
    from worker.doctor import doctor

    return doctor(as_json=chosen.json, probe=chosen.probe)


def _reach(_: argparse.Namespace) -> int:
    from worker.deployment import describe

    sys.stdout.write(json.dumps(describe()) + "\n")
    return 0


def _alive(_: argparse.Namespace) -> int:
    from worker.presence import is_alive

    return 0 if is_alive() else 1


def _plan(chosen: argparse.Namespace) -> int:
    from worker.plan import plan

    return plan(sys.stdin, as_json=chosen.json)


def _purge(chosen: argparse.Namespace) -> int:
    from worker.purge import purge

    return purge(chosen.batch, keep_costs=chosen.keep_costs, delete=chosen.delete)


def _formats(chosen: argparse.Namespace) -> int:
    from worker.read.formats import formats

    sys.stdout.write(formats(as_json=chosen.json))
    return 0


def _adapter(said: str) -> Path:
    return SHIPPED if said == "shipped" else Path(said)


def _unlock(_: argparse.Namespace) -> int:
    from worker.unlock import main as unlock

    return unlock()


def _compare(_: argparse.Namespace) -> int:
    from worker.compare import main as compare

    return compare()


def _pairs(_: argparse.Namespace) -> int:
    from worker.pairs import main as pairs

    return pairs()


def _reroute(chosen: argparse.Namespace) -> int:
    from worker.reroute import reroute

    return reroute(chosen.batch)


def _classifier(chosen: argparse.Namespace) -> int:
    from worker import classifier

    does = {"train": classifier.train, "report": classifier.report, "ship": classifier.ship}
    return does[chosen.what]()


def _scores(chosen: argparse.Namespace) -> int:
    from worker import scores

    return {"train": scores.train, "report": scores.report}[chosen.what]()


def _prompts(chosen: argparse.Namespace) -> int:
    from models.configuration import proposed
    from worker.prompts.told import difference, known, listed

    match chosen.what:
        case "known":
            said = known()
        case "list":
            said = listed(proposed().prompts)
        case _:
            said = difference(chosen.task, chosen.old, chosen.new, proposed().prompts)
    sys.stdout.write(said)
    return 0


def _tune(chosen: argparse.Namespace) -> int:
    from worker.tune.options import Options
    from worker.tune.train import train

    words = vars(chosen)
    given = {one.name: words[one.name] for one in fields(Options) if one.name in words}
    trained = train(chosen.pairs, chosen.out, Options(**given), _say_at_once)
    _say_at_once(
        f"{trained.gguf}: {trained.examples} examples in {trained.minutes:.0f} minutes, "
        f"loss of pairs kept apart {trained.first_loss:.2f} -> {trained.last_loss:.2f}"
    )
    return 0


def _say_at_once(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "serve": _serve,
    "doctor": _doctor,
    "reach": _reach,
    "alive": _alive,
    "plan": _plan,
    "purge": _purge,
    "formats": _formats,
    "unlock": _unlock,
    "compare": _compare,
    "pairs": _pairs,
    "reroute": _reroute,
    "classifier": _classifier,
    "scores": _scores,
    "prompts": _prompts,
    "tune": _tune,
}


if __name__ == "__main__":
    sys.exit(main())
