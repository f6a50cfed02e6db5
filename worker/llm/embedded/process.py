"""The process of the embedded model:
`python -m worker.llm.embedded.process MODEL_FILE PORT [ADAPTER_FILE NAME]`.

It keeps nothing, so that SIGTERM may end it at any moment.
"""

import os
import signal
import sys
from pathlib import Path

import xllamacpp

from models.engines import EMBEDDED_CONTEXT_TOKENS, EMBEDDED_MODEL, EMBEDDED_SLOTS
from worker.llm.embedded.chat import CHAT

_MOST_THREADS = 8
"""More make so small a model slower."""
_PROMPT_CACHE_MIB = 256
_QUIET = 1
_CPUS = Path("/sys/devices/system/cpu")
_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def main(model: str, port: int, adapter: str | None = None, tuned: str | None = None) -> None:
    """Serve until a signal ends the process. `tuned`: what the model with the adapter is called."""
    params = _params(model, port)
    if adapter is not None and tuned is not None:
        # Requests say how strong it is to be: whoever says nothing asks the bare model.
        params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(adapter, 0.0)]
        params.model_alias = {EMBEDDED_MODEL, tuned}
    server = xllamacpp.Server(params)
    print(f"language model at {server.listening_address}", flush=True)  # noqa: T201  to the log
    while True:
        signal.pause()


def _params(model: str, port: int) -> xllamacpp.CommonParams:
    params = xllamacpp.CommonParams()
    params.model.path = model
    params.model_alias = {EMBEDDED_MODEL}
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.n_parallel = EMBEDDED_SLOTS
    params.n_ctx = EMBEDDED_CONTEXT_TOKENS * EMBEDDED_SLOTS
    # Without the whole window Gemma's prompt cache cannot be taken up again.
    params.swa_full = True
    params.cache_ram_mib = _PROMPT_CACHE_MIB
    params.cpuparams.n_threads = min(_MOST_THREADS, usable_cores())
    # Waiting threads sleep: spinning ones take the cores that the workers need.
    params.cpuparams.poll = 0
    params.use_jinja = True
    params.chat_template = CHAT
    params.warmup = True
    params.ui = False
    params.verbosity = _QUIET
    return params


def usable_cores() -> int:
    """Physical cores that this process may use, within its container's quota."""
    allowed = _allowed_cpus()
    cores = {_siblings(cpu) for cpu in allowed}
    return max(1, min(len(cores), _quota(len(cores))))


def _allowed_cpus() -> set[int]:
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS
    return affinity(0) if affinity else set(range(os.cpu_count() or 1))


def _siblings(cpu: int) -> str:
    """A text that all threads of one core share."""
    try:
        return (_CPUS / f"cpu{cpu}/topology/thread_siblings_list").read_text("ascii")
    except OSError:
        return str(cpu)


def _quota(otherwise: int) -> int:
    """Whole CPUs that the cgroup grants."""
    try:
        granted, period = _QUOTA.read_text("ascii").split()
    except OSError:
        return otherwise
    return otherwise if granted == "max" else int(granted) // int(period)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:5])
