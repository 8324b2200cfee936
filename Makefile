# One door to everything; `make help` lists it. Set-up is a stamp: it runs again when the pins change.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The first interpreter that is new enough; name another with PYTHON=...
ifeq ($(origin PYTHON), undefined)
PYTHON := $(shell for p in python3 python3.11 python3.12 python3.13 python3.14; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && exit; done; \
	echo python3)
endif

# PostgreSQL in the tests keeps its lock here. A folder shared between people would lock the others out,
# and one that others may read is refused.
export XDG_RUNTIME_DIR := $(shell d="$${XDG_RUNTIME_DIR:-}"; \
	if [ -z "$$d" ] || [ -z "$$(find "$$d" -maxdepth 0 -user "$$(id -u)" -perm 700 2>/dev/null)" ]; then \
		d="$${TMPDIR:-/tmp}/mutator-$$(id -u)"; mkdir -p -m 700 "$$d"; fi; \
	echo "$$d")

BIN := .venv/bin
PINS := requirements/all.txt requirements/core.txt requirements/mutants.txt requirements/run.txt \
	requirements/tools.txt
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url $(UPGRADE)

.PHONY: help demo dev test test-core coverage-core laws mutants check format bench pins clean

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/.stamp ## the story of five people, on a Temporal server of its own
	$(BIN)/python -m examples.demo $(ARGS)

dev: .venv/.stamp ## Temporal, its UI and a worker, until Ctrl-C
	$(BIN)/python -m examples.dev $(ARGS)

test: .venv/.stamp ## every test; ARGS="-k name" for some
	$(BIN)/python -m pytest $(ARGS)

test-core: .venv-core/.stamp ## core alone, where nothing but what it may need is installed
	.venv-core/bin/python -m pytest -c tests/core/pytest.ini tests/core $(ARGS)

coverage-core: .venv/.stamp ## fails unless core's own tests take every branch of core
	HYPOTHESIS_PROFILE=brief $(BIN)/python -m pytest tests/core -q --cov core --cov-branch --cov-fail-under 100 \
		--cov-report term-missing:skip-covered $(ARGS)

laws: .venv/.stamp ## core's tests with a thousand random cases each; takes its time
	HYPOTHESIS_PROFILE=thorough $(BIN)/python -m pytest tests/core $(ARGS)

mutants: .venv-mutants/.stamp ## alters core line by line and sees whether a test minds; long, resumes
	HYPOTHESIS_PROFILE=brief .venv-mutants/bin/mutmut run $(ARGS)
	.venv-mutants/bin/mutmut results | awk '!/: not checked$$/'

check: .venv/.stamp ## format, lint, types, walls between rooms, Compose file, Dockerfile
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/docker-compose -f docker-compose.yml config -q
	$(BIN)/hadolint Dockerfile
	diff <($(BIN)/python -m wire.search_attributes | sort) \
		<($(BIN)/docker-compose -f docker-compose.yml config --format json \
		| $(BIN)/python -c 'import json, sys; print(json.load(sys.stdin)["configs"]["search-attributes"]["content"], end="")' \
		| sort)

format: .venv/.stamp ## put the code into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/.stamp ## figures, beside the floor they are compared with; says how long it takes
	$(BIN)/python -m benchmarks $(ARGS)

pins: .venv/.stamp ## pin what pyproject.toml asks for; UPGRADE=--upgrade takes the newest
	$(COMPILE) pyproject.toml --group bench --group build --group core --group dev --group lint \
		--group test --group tools --output-file requirements/all.txt
	$(COMPILE) pyproject.toml --constraint requirements/all.txt --output-file requirements/run.txt
	$(COMPILE) --group core --constraint requirements/all.txt --output-file requirements/core.txt
	$(COMPILE) --group core --group mutants --constraint requirements/all.txt \
		--output-file requirements/mutants.txt
	$(COMPILE) --group tools --constraint requirements/all.txt --output-file requirements/tools.txt
	@! grep -nE '://|@ ' $(PINS) || { echo 'pins name an address: see above' >&2; exit 1; }

clean: ## forget the environments, caches and builds
	rm -rf .venv .venv-core .venv-mutants mutants build dist .coverage htmlcov .hypothesis
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# install ENV PINS: makes the environment and puts in it what the file pins, by hash.
define install
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo 'Mutator needs Python 3.11 or newer; name one with: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11' >&2; \
		exit 1; }
	@$(1)/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(1)
	@echo 'Installing what $(2) pins into $(1) ...'
	@$(1)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(2)
endef

# uv takes seconds; where it cannot reach an index that pip is configured for, pip does it.
.venv/.stamp: requirements/all.txt requirements/tools.txt pyproject.toml
	$(call install,.venv,requirements/tools.txt)
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements/all.txt || { \
		echo 'uv could not; trying pip, which takes longer ...' >&2; \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
			-r requirements/all.txt; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
		--no-index --editable .
	@touch $@

.venv-core/.stamp: requirements/core.txt
	$(call install,.venv-core,requirements/core.txt)
	@touch $@

.venv-mutants/.stamp: requirements/mutants.txt
	$(call install,.venv-mutants,requirements/mutants.txt)
	@touch $@
