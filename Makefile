# Everything a person or CI runs. `make` alone lists it.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
.DEFAULT_GOAL := help

help: ## list what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1: /p' $(MAKEFILE_LIST) | column -t -s:

$(BIN)/digest: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.dev: $(BIN)/digest
	$(BIN)/python -m pip install --quiet --editable '.[postgres]' --group dev
	@touch $@

setup: $(VENV)/.dev ## set up everything for development

demo: $(BIN)/digest ## run the main job on seeds/ and say where mail and feeds lie
	@$(BIN)/digest run --all

test: $(VENV)/.dev ## run the tests
	$(BIN)/python -m pytest

check: $(VENV)/.dev ## what CI runs: linters, types, import rules, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(MAKE) test

bench: $(VENV)/.dev ## measure; each bench prints a table and one JSON line
	$(BIN)/python -m bench.parse
	$(BIN)/python -m bench.main_job
	$(BIN)/python -m bench.ranking
	$(BIN)/python -m bench.ingest
	$(BIN)/python -m bench.tick
	$(BIN)/python -m bench.feeds

soak: $(VENV)/.dev ## ten simulated years over all time zones, then half an hour of real time
	$(BIN)/python -m bench.soak

picture: $(VENV)/.dev ## make the README's picture of a mail (needs chromium)
	$(BIN)/python -m bench.picture

clean: ## remove what was made, but not var/
	rm -rf $(VENV) dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis

.PHONY: help setup demo test check bench soak picture clean
