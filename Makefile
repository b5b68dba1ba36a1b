# Everything a contributor runs; `make` lists it. Works with GNU make 3.81, which macOS has.
#
# PYTHON=…     which Python makes .venv (default: the newest of 3.13, 3.12, 3.11 on PATH)
# ARGS=…       more words for pytest:  make test-quick ARGS="-k ledger -x"
# WORKERS=…    processes that share out the test files, each with servers of its own (default 3; 0: one, which prints)

SHELL := /bin/sh
BIN := .venv/bin
PYTHON ?=
export PYTHON
WORKERS ?= 3
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev demo test test-quick bench faults check lint format types docs lock clean

help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: ## Make .venv with what running Hutong needs
	@deploy/setup/bootstrap.sh run

setup-dev: ## Make .venv with what working on Hutong needs as well
	@deploy/setup/bootstrap.sh dev

demo: setup ## Run the demo: ONCE=1 (no server stays), PHOTO=path, DATA=folder, PORT=number
	@$(BIN)/hutong demo $(if $(ONCE),--once) $(if $(PHOTO),--photo "$(PHOTO)") $(if $(DATA),--data "$(DATA)") $(if $(PORT),--port "$(PORT)")

test: setup-dev ## Install what is missing, then run every check and every test
	@tests/support/install.sh
	@$(MAKE) --no-print-directory check
	@$(PYTEST) $(ARGS)

test-quick: setup-dev ## Every check, and the tests that need no server installed (SQLite, a private Valkey)
	@$(MAKE) --no-print-directory check
	@$(PYTEST) -m "not server and not browser" $(ARGS)

bench: setup-dev ## Measure the hot paths beside floors and peers: ARGS="balance jobs …", --quick; docs/benchmarks.md
	@tests/support/install.sh
	@$(BIN)/python -m benchmarks $(ARGS)

faults: setup-dev ## Break a running installation under load and count: ARGS="--faults 200 --database sqlite --store embedded --seed N"
	@tests/support/install.sh
	@PYTHONPATH=tests $(BIN)/python -m faults $(ARGS)

check: lint types ## Lint, formatting, types, imports: all that needs no test

lint: setup-dev ## Check style, formatting and which package imports which
	@$(BIN)/python -m ruff check
	@$(BIN)/python -m ruff format --check
	@$(BIN)/lint-imports

format: setup-dev ## Rewrite the code in the house format
	@$(BIN)/python -m ruff check --fix
	@$(BIN)/python -m ruff format

types: setup-dev ## Check types
	@$(BIN)/python -m mypy

docs: setup-dev ## Write docs/reference from the code
	@$(BIN)/python -m hutong.host.reference

lock: ## Recreate the lock files from pyproject.toml
	@deploy/setup/bootstrap.sh lock

clean: ## Remove .venv, caches and what demo and build left behind
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis demo-output dist
	find src tests benchmarks migrations -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
