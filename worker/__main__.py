"""python -m worker: what the command line starts, so that it need not import this package."""

import argparse
import json
import sys

from models.errors import DocmillError
from models.terminal import visible
from models.words import Pool


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
    reroute = commands.add_parser("reroute", help="route anew what is not begun of a batch")
    reroute.add_argument("batch", type=int)
    return parser


def main() -> int:  # noqa: C901 - a line a command
    """Run one command. 0: done, 1: a failure that the message explains."""
    chosen = _parser().parse_args()
    try:
        match chosen.command:
            case "serve":
                from worker.app import serve

                engines, models = frozenset(chosen.engine), frozenset(chosen.model)
                return serve(chosen.pool, chosen.slots, engines, models)
            case "doctor":
                from worker.doctor import doctor

                return doctor(as_json=chosen.json, probe=chosen.probe)
            case "reach":
                from worker.deployment import describe

                sys.stdout.write(json.dumps(describe()) + "\n")
            case "alive":
                from worker.presence import is_alive

                return 0 if is_alive() else 1
            case "purge":
                from worker.purge import purge

                return purge(chosen.batch, keep_costs=chosen.keep_costs, delete=chosen.delete)
            case "reroute":
                from worker.reroute import reroute

                return reroute(chosen.batch)
            case "formats":
                from worker.read.formats import formats

                sys.stdout.write(formats(as_json=chosen.json))
            case "unlock":
                from worker.unlock import main as unlock

                return unlock()
            case "plan":
                from worker.plan import plan

                return plan(sys.stdin, as_json=chosen.json)
    except DocmillError as exc:
        sys.stderr.write(f"docmill: {visible(str(exc))}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
