# `make demo` and `make test` do all set-up themselves, into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INTEROP := .venv-interop
OUT ?= sightline-demo

# One thread per process: the test and build workers are the parallelism.
export OMP_WAIT_POLICY ?= PASSIVE

.PHONY: help setup models demo train-demo test test-fast test-long check format bench interop clean

help: ## these lines
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(BIN)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Sightline needs Python 3.11 or newer; give one: make PYTHON=python3.11 ...") if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@

$(BIN)/.models: $(BIN)/.ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev,models,train]"
	@touch $@

setup: $(BIN)/.ready ## install into .venv

models: $(BIN)/.models ## also torch, transformers and lightning, for models and training on this machine

demo: models ## rooms, tasks, baselines, a tiny model that learns to point, report: under five minutes
	$(BIN)/sightline demo --out $(OUT)

train-demo: models ## draw clips, train a tiny SAM 2 on them: J&F and weights, about a minute
	$(BIN)/sightline demo-clips --out $(OUT)/clips
	$(BIN)/sightline train sam2 --config-name tiny data.train_path=$(OUT)/clips/train.json data.val_path=$(OUT)/clips/val.json

test: models ## the tests
	$(BIN)/python -m pytest -n auto

test-long: models ## those that train the same once more in another way, by several processes: most of a minute each
	$(BIN)/python -m pytest -n auto -m long

test-fast: models ## the tests that take no time
	$(BIN)/python -m pytest -n auto -m "not slow and not long"

check: models ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

format: setup ## write the format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup ## speed, side by side with the plain way
	$(BIN)/python -m benchmarks

# Its pins contradict ours, so it gets an environment of its own.
$(INTEROP)/.ready: pyproject.toml constraints.txt tests/interop/requirements.txt
	test -x $(INTEROP)/bin/python || $(PYTHON) -m venv $(INTEROP)
	$(INTEROP)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -r tests/interop/requirements.txt -e .
	$(INTEROP)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps lmms-eval==0.7.3
	@touch $@

interop: $(INTEROP)/.ready ## the same scores from a real lmms-eval
	$(INTEROP)/bin/python -m tests.interop

clean: ## remove the environments and the demo
	rm -rf $(VENV) $(INTEROP) sightline-demo
