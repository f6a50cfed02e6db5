"""A worker of which one loop fails: python -m tests.chaos.broken_loop MODULE:CLASS.METHOD serve ...

It fails once the worker has begun to work.
"""

import asyncio
import sys
from importlib import import_module

from worker.__main__ import main

FAILS_AFTER_S = 2.0


async def _fails(*_: object) -> None:
    await asyncio.sleep(FAILS_AFTER_S)
    raise RuntimeError("broken on purpose")


if __name__ == "__main__":
    module, _, method = sys.argv.pop(1).partition(":")
    owner, _, name = method.partition(".")
    setattr(getattr(import_module(module), owner), name, _fails)
    sys.exit(main())
