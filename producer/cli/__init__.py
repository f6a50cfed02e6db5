"""The command line: `docmill`, or `python -m producer`."""

import gc
import sys

INTERRUPTED = 130
"""What typer exits with when Ctrl-C ends a command."""


def main() -> None:
    """The console script. Exit codes: 0 done, 1 a failure that is explained, 2 wrong usage, 130
    Ctrl-C."""
    try:  # from the first import on: they take longer than some commands
        from models.errors import DocmillError
        from models.terminal import plain
        from producer.cli.app import app

        sys.stderr = plain(sys.stderr)
        try:
            app()
        except (DocmillError, OSError) as exc:
            sys.exit(f"docmill: {exc}")
    except KeyboardInterrupt:
        _say_interrupted()
        sys.exit(INTERRUPTED)
    except SystemExit as exc:
        if exc.code == INTERRUPTED:
            _say_interrupted()
        raise
    finally:
        # Python looks for cycles among all modules as it ends: a fifth of a short command.
        gc.freeze()


def _say_interrupted() -> None:
    sys.stderr.write("docmill: interrupted\n")
