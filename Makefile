# What a developer runs. `make help` lists it. Everything is installed into .venv, nothing anywhere else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# One file of exact versions, for what is installed and for what builds it (newer pips ask for the second by its own name).
# What is slow and not needed is left out: Python compiles what it imports when it does, and exact versions agree.
# Warnings: the build backend's only one is about an editable installation being one.
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt \
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --no-compile --no-warn-conflicts
TEST_ARGS ?=
# The whole suite waits as much as it works: three files at once keep two cores busy, each process with its own Kafka.
AT_ONCE := --numprocesses=3 --dist=loadfile
BENCH_ARGS ?=
DEMO_ARGS ?=
FUZZ_ARGS ?=
SOAK_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: demo test check bench fuzz soak docs tools image format clean help

demo: $(VENV)/.service ## everything on this machine in a minute: a warehouse, Kafka, all destinations and the service, simulated
	$(BIN)/stream-sync demo $(DEMO_ARGS)

test: $(VENV)/.developer ## the tests, against a real Kafka (needs Java 17 and Maven); TEST_ARGS="tests/routing -x" for some
	@$(BIN)/python -m tests.rig.jars
	@$(BIN)/python -m compileall -qq -j 0 stream_sync tests  # once, not by each of the processes that the tests start
	$(BIN)/python -m pytest $(or $(TEST_ARGS),$(AT_ONCE))

check: $(VENV)/.developer ## linters, formatting, types and import rules; never edits
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

# Memory with many lanes and long backlogs is a run of its own, by hand: $(BIN)/python -m tests.bench.memory
bench: $(VENV)/.developer ## changes a second and memory, beside a loop that only decodes; starts what it needs
	@$(BIN)/python -m tests.rig.jars
	$(BIN)/python -m tests.bench.run $(BENCH_ARGS)

fuzz: $(VENV)/.developer ## a million damaged records through every decoder; FUZZ_ARGS="--inputs 50000 --seed 2" for less
	$(BIN)/python -m tests.fuzz.run $(FUZZ_ARGS)

soak: $(VENV)/.developer ## ten minutes of kills, freezes, outages and rebalances, then the oracle's verdict; SOAK_ARGS="--minutes 2 --seed 7"
	@$(BIN)/python -m tests.rig.jars
	$(BIN)/python -m tests.soak.run $(SOAK_ARGS)

docs: $(VENV)/.developer ## the documentation as a site, in build/site/html; every link is checked
	@$(PIP) --editable '.[dev,docs]'
	$(BIN)/python -m tests.site.build

tools: $(VENV)/.developer ## what the tests of deploy/ ask for besides (Debian, root): Prometheus, buildah, linters; without them they are skipped
	@tests/deploy/install.sh
	@$(PIP) --editable '.[dev,tools,docs]'

image: $(VENV)/.developer ## builds the image without Docker, for its tests (what `make tools` installs, root); once for the same sources
	@$(BIN)/python -m tests.deploy.image

format: $(VENV)/.developer ## the one target that edits: imports sorted, code formatted
	$(BIN)/ruff check --select I --fix
	$(BIN)/ruff format

clean: ## removes what make made: .venv, caches, the tests' Kafka
	rm -rf $(VENV) .cache build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "stream-sync needs Python 3.11 or newer; name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "installing into $(VENV), once"
	@$(PYTHON) -m venv $(VENV)
	@# Older pips look at every file of every version: this one takes half their time.
	@$(PIP) --upgrade pip

# The stamps: what is installed is as new as what names it. The developer's installation holds the service's.
$(VENV)/.service: pyproject.toml constraints.txt | $(BIN)/python
	@$(PIP) --editable .
	@touch $@

$(VENV)/.developer: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing what developers need into $(VENV), once"
	@$(PIP) --editable '.[dev]'
	@# The tests start many processes: all is compiled once, on all cores.
	@$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true
	@touch $(VENV)/.service $@
