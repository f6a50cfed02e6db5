# Docmill: the few commands that a person and CI both run.
PYTHON ?= python3
UV_VERSION = 0.13.9
BIN = .venv/bin
UV = .uv/bin/uv
# A folder of your own instead of samples/: make demo DOCS=path/to/folder
DOCS ?=
BENCH ?=
CHAOS_SEED ?= 1
# What of the chaos every change meets; `make chaos` runs all of it, and longer.
CHAOS = tests/chaos/test_chaos.py tests/chaos/test_bulk.py tests/chaos/test_loops.py tests/chaos/test_silence.py
# Pure decisions: every branch of these has a test without I/O.
DECISIONS = worker/route.py,worker/run/judge.py,worker/run/narrow.py,worker/run/reread.py,worker/run/merge.py,worker/run/lists.py,worker/run/wide.py,worker/run/parts.py,worker/run/outcome.py,worker/calls/retry.py,worker/classify/cascade.py,worker/classify/rules.py,worker/flow/adapt.py,worker/flow/affinity.py,worker/ingest/jobs.py,worker/bulk/decide.py,worker/bulk/deadline.py,worker/run/score.py,models/scores.py,models/resolve.py,models/shares.py,producer/watch/fates.py,producer/evaluate/choose.py,producer/evaluate/stats.py

.DEFAULT_GOAL := help
.PHONY: help setup demo test chaos lint format bench classifier lock clean

help:  ## show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## /\1|/' | awk -F'|' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: .venv/.ready  ## install everything, hash-checked, into .venv
	@$(BIN)/python -m compileall -q models producer worker migrations

.uv/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Docmill needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version). Try: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --target .uv uv==$(UV_VERSION)

# Bytecode is part of an installation: where PYTHONDONTWRITEBYTECODE is set nothing else would write
# any, and every command would compile hundreds of modules.
.venv/.ready: .uv/bin/uv requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(UV) venv --quiet --python $(PYTHON) .venv
	$(UV) pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup  ## the whole path on real documents with a real model (DOCS=... for yours)
	$(BIN)/docmill demo $(DOCS)

test: setup  ## the whole test suite
	$(BIN)/python -m pytest -n 2 --dist loadfile --cov --cov-report= tests/unit
	$(BIN)/coverage report --format=total
	$(BIN)/coverage report --fail-under=100 --include=$(DECISIONS)
	$(BIN)/python -m pytest -n 3 --dist loadfile tests/integration tests/acceptance
	$(BIN)/python -m pytest -n 2 --dist loadfile $(CHAOS)

chaos: setup  ## the long runs: 60 faults on 2,400 jobs (CHAOS_SEED=N: another schedule), 250 histories
	$(BIN)/python -m pytest tests/chaos --chaos-faults 60 --chaos-jobs 2400 --chaos-seed $(CHAOS_SEED)
	$(BIN)/python -m pytest --hypothesis-profile long tests/integration/test_state_machine.py

bench: setup  ## what Docmill itself costs, as ratios in one run (BENCH=--smoke: does it run?)
	$(BIN)/python -m benchmarks $(BENCH)

lint: setup  ## format, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup  ## let ruff format and mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

classifier: setup  ## train the model of asks that ships, from worker/classify/asks.yaml
	$(BIN)/python -m worker classifier ship

lock: .uv/bin/uv  ## resolve pyproject.toml into requirements.lock
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --extra anthropic --extra bedrock --extra embedded --extra gs --extra parquet --extra s3 --group dev --output-file requirements.lock pyproject.toml

clean:  ## remove the environment and the embedded data
	rm -rf .venv .uv .docmill .mypy_cache .ruff_cache .pytest_cache .hypothesis
