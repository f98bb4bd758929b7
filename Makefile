# Everyday acts; `make help` lists them. Each makes what it needs, first of all the virtual environment.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TYPES := .build/installed
SPHINX := $(BIN)/python -m sphinx -c docs --doctree-dir .build/doctrees --fresh-env --quiet --fail-on-warning --keep-going

# The tests start some thousand processes; what one has compiled, all others need not.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo servers test test-all busy soak mutants check format-check lint types layers $(TYPES) docs links api reference pictures format \
	bench bench-servers bench-growth bench-engine dist release compat lock clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

$(VENV)/.installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# The demo alone needs a tenth of what the tests need; where they have been run, all is there. It imports a part of what is
# installed, so compiling all of it beforehand would only make the first run later.
$(VENV)/.demo: requirements-demo.lock pyproject.toml
	@echo "[1/3] a virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@echo "[2/3] what the demo needs, $$(grep -c == requirements-demo.lock) packages"
	@$(BIN)/python -m pip install --no-compile --disable-pip-version-check --progress-bar off --require-hashes -r requirements-demo.lock
	@echo "[3/3] logweir itself"
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(if $(wildcard $(VENV)/.installed),$(VENV)/.installed,$(VENV)/.demo) ## a real order service, thousands of requests, and what landed where
	$(BIN)/logweir demo

servers: $(VENV)/.installed ## the real servers that tests use, installed or built (once, some minutes)
	PYTHONPATH=tests $(BIN)/python -m servers

# Three processes for two cores: much of the time of a test goes by in a server.
PYTEST := $(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

test: $(VENV)/.installed ## the tests, in twenty minutes: without the slow ones that few changes can break
	$(PYTEST) -m "not slow"

test-all: $(VENV)/.installed ## all tests, as CI runs them, soak tests in their short form
	$(PYTEST)

busy: $(VENV)/.installed ## the tests that depend on time, three times beside eight processes that are at work; BUSY="--times 1"
	PYTHONPATH=tests $(BIN)/python -m support.busy $(BUSY)

soak: $(VENV)/.installed ## the soak tests in their long form, in two processes (hours)
	LOGWEIR_SOAK=long $(BIN)/python -m pytest -m soak --timeout 3600 --numprocesses 2 --dist worksteal

mutants: $(VENV)/.installed ## break the code in small ways and see which tests notice (hours; goes on where it was); MUTANTS="routing"
	PYTHONPATH=tests $(BIN)/python -m mutants $(MUTANTS)

check: format-check lint types layers docs ## format, lint, strict types of the installed package, import layers, the site

format-check: $(VENV)/.installed
	$(BIN)/ruff format --check .

lint: $(VENV)/.installed
	$(BIN)/ruff check .

types: $(TYPES)
	MYPYPATH=$(TYPES) $(BIN)/mypy -p logweir
	MYPYPATH=$(TYPES) $(BIN)/mypy tests/typing
	MYPYPATH=$(TYPES):examples/custom_sink/src $(BIN)/mypy -p logweir_syslog

layers: $(TYPES)
	cd $(TYPES) && PYTHONPATH=. ../../$(BIN)/lint-imports ../../pyproject.toml --no-cache

$(TYPES): $(VENV)/.installed
	rm -rf $(TYPES) build
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --target $(TYPES) .
	rm -rf build

docs: $(VENV)/.installed ## the site, into .build/site; a warning, a broken link or anchor fails
	$(SPHINX) -b html . .build/site

links: $(VENV)/.installed ## whether the links that lead out of the site still do (asks the network)
	$(SPHINX) -b linkcheck . .build/links

api: $(VENV)/.installed ## write the snapshot of the public API anew, after a change that is meant
	PYTHONPATH=tests $(BIN)/python -m support.public_api

reference: $(VENV)/.installed ## write the pages of the reference that come from the code, after a change that is meant
	PYTHONPATH=tests $(BIN)/python -m support.reference

pictures: $(VENV)/.installed ## draw the pictures of the documentation anew, that of the demo from a new run
	PYTHONPATH=tests $(BIN)/python -m support.pictures

format: $(VENV)/.installed ## format the code and fix what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.installed ## which backend for this load? the small profile; BENCH="--backend loki=URL" adds servers
	$(BIN)/logweir bench run --profile small $(BENCH)

bench-servers: $(VENV)/.installed ## the same against the real servers too, started for it; BENCH="--profile medium" for more
	PYTHONPATH=tests $(BIN)/python -m servers.bench --profile small $(BENCH)

bench-growth: $(VENV)/.installed ## stores grown to a million events, cold and warm, on servers of their own; goes on where it stopped
	PYTHONPATH=tests $(BIN)/python -m servers.bench_growth $(BENCH)

bench-engine: $(VENV)/.installed ## what logweir itself costs, beside its rivals, with the servers that it needs; BENCH="mysql" for one
	PYTHONPATH=tests $(BIN)/python -m servers.bench_engine $(BENCH)

dist: $(VENV)/.installed ## the source distribution and the wheel in dist/, the same bytes for the same commit, with checksums
	PYTHONPATH=tests $(BIN)/python -m distribution.build

release: $(VENV)/.installed ## build, try and tag the version that the changelog names; publishes nothing
	PYTHONPATH=tests $(BIN)/python -m distribution.release

compat: $(VENV)/.installed ## the wheel as strangers install it: each extra alone, newer Pythons, the oldest dependencies; COMPAT="--only 3.13"
	PYTHONPATH=tests $(BIN)/python -m distribution.compat $(COMPAT)

LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header

lock: $(VENV)/.installed ## pin the dependencies anew, with hashes: all of them, and those of the demo at the same versions
	$(LOCK) --all-extras --group dev pyproject.toml --output-file requirements.lock
	$(LOCK) --extra demo --group build --constraint requirements.lock pyproject.toml --output-file requirements-demo.lock

clean: ## remove what the other commands made
	rm -rf $(VENV) .build build .mypy_cache .ruff_cache .pytest_cache .hypothesis .logweir
