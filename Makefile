# `make demo` and `make test` do all set-up themselves, into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= sightline-demo

# One thread per process: the test and build workers are the parallelism.
export OMP_WAIT_POLICY ?= PASSIVE

.PHONY: help setup models demo test test-fast check format bench clean

help: ## these lines
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(BIN)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Sightline needs Python 3.11 or newer; give one: make PYTHON=python3.11 ...") if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@

$(BIN)/.models: $(BIN)/.ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev,models]"
	@touch $@

setup: $(BIN)/.ready ## install into .venv

models: $(BIN)/.models ## also torch and transformers, for models on this machine

demo: setup ## rooms, tasks, baselines, report: about a minute
	$(BIN)/sightline demo --out $(OUT)

test: models ## all tests
	$(BIN)/python -m pytest -n auto

test-fast: models ## the tests that take no time
	$(BIN)/python -m pytest -n auto -m "not slow"

check: setup ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

format: setup ## write the format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup ## speed, side by side with the plain way
	$(BIN)/python -m benchmarks

clean: ## remove the environment and the demo
	rm -rf $(VENV) sightline-demo
