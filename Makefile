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

# What the tests run on Node.js: pinned, and without a lock file, since one records download addresses.
NODE_TOOLS := playwright-core@1.64.1 axe-core@4.14.1 caniemail@2.0.2 vnu-jar@26.9.27
.PHONY: tools gallery
.tools/.done: Makefile
	mkdir -p .tools
	echo '{"private": true}' > .tools/package.json
	npm install --prefix .tools --silent --no-package-lock --no-audit --no-fund --ignore-scripts $(NODE_TOOLS)
	@touch $@

tools: .tools/.done ## install the checkers of mails that run on Node.js (needs npm)

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
	$(BIN)/python -m bench.select
	$(BIN)/python -m bench.ingest
	$(BIN)/python -m bench.tick
	$(BIN)/python -m bench.dkim
	$(BIN)/python -m bench.ledger
	$(BIN)/python -m bench.feeds
	$(MAKE) bench-render bench-delivery

bench-render: $(VENV)/.dev ## measure a mail against inlining each one by itself
	$(BIN)/python -m bench.render

bench-ranking: $(VENV)/.dev ## how good the ranking is, beside others; with every constant chosen anew
	$(BIN)/python -m bench.ranking --choose

bench-delivery: $(VENV)/.dev ## what a mail costs, against smtp-source (Debian package postfix)
	$(BIN)/python -m bench.delivery

soak: $(VENV)/.dev ## ten simulated years over all time zones, then half an hour of real time
	$(BIN)/python -m bench.soak

chaos: $(VENV)/.dev ## kill it 520 times, and compare the mail server with the ledger
	$(BIN)/python -m bench.chaos

picture: $(VENV)/.dev ## make the README's picture of a mail (needs chromium)
	$(BIN)/python -m bench.picture

gallery: $(BIN)/digest tools ## make and picture every shape of a mail in var/gallery (needs chromium, node)
	@$(BIN)/digest preview --gallery --out var/gallery
	mkdir -p var/gallery/pictures docs/images
	node tests/tools/browser.mjs .tools "$$(command -v chromium)" var/gallery/pictures \
		$$(ls var/gallery/*.html | grep -v /index.html) > var/gallery/seen.json
	for view in normal-640-light normal-320-dark sections-320-dark scripts-320-light; do \
		cp var/gallery/pictures/$$view-top.png docs/images/$$view.png; done

clean: ## remove what was made, but not var/
	rm -rf $(VENV) dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis

.PHONY: help setup demo test check bench bench-ranking bench-render bench-delivery soak chaos picture clean
