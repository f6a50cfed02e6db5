"""python -m worker: what the command line starts, so that it need not import this package."""

import argparse
import json
import sys

from models.errors import DocmillError
from models.words import Pool


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m worker", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="run a worker pool")
    serve.add_argument("pool", type=Pool, choices=list(Pool))
    serve.add_argument("--slots", type=int)
    doctor = commands.add_parser("doctor", help="check everything")
    doctor.add_argument("--json", action="store_true")
    commands.add_parser("site", help="say as JSON which engines this host would use")
    plan = commands.add_parser("plan", help="say what a batch would take; it comes on stdin")
    plan.add_argument("--json", action="store_true")
    return parser


def main() -> int:
    """Run one command. 0: done, 1: a failure that the message explains."""
    chosen = _parser().parse_args()
    try:
        match chosen.command:
            case "serve":
                from worker.app import serve

                serve(chosen.pool, chosen.slots)
            case "doctor":
                from worker.doctor import doctor

                return doctor(as_json=chosen.json)
            case "site":
                from worker.site import describe

                sys.stdout.write(json.dumps(describe()) + "\n")
            case "plan":
                from worker.plan import plan

                return plan(sys.stdin, as_json=chosen.json)
    except DocmillError as exc:
        sys.stderr.write(f"docmill: {exc}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
