# Needs Python 3.11 to 3.13 and make, nothing else: each target brings what it needs into .venv.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
RESOLVE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
           --custom-compile-command "make lock"
COMPILE := $(RESOLVE) pyproject.toml --extra traces --group build

# Tests start the service often: each start would compile it again where bytecode is not kept.
export PYTHONDONTWRITEBYTECODE :=
# The certificates of the machine, as pip takes them: a network may have one of its own.
export UV_SYSTEM_CERTS := 1

EXAMPLES ?= 150
SEED := $(or $(SEED),$(shell date +%s))

EXTRACT := --mapping-file pyproject.toml --keywords to_translate --add-location=never --sort-output --no-wrap \
           --project goodword
CATALOGUES := $(wildcard src/goodword/web/html/translations/*.po)

.DEFAULT_GOAL := help
.PHONY: help install serve test coverage test-browser test-cache test-pooler test-proxies test-deploy test-ha test-metrics test-package client client-document test-clients sbom release-check mutants fuzz bench bench-scale bench-load bench-upgrade docs faults fault-figures lighthouse check lint types format messages pictures lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: .venv/runs ## Install into .venv what the service needs to run

serve: .venv/runs ## Run the service on http://127.0.0.1:8000, with its documentation at /docs
	@$(BIN)/goodword serve

test: .venv/tests ## Run the tests, on SQLite and on a PostgreSQL that they bring
	@$(if $(COVERAGE),mkdir -p .coverage && PYTHONPATH=$(CURDIR)/tests/measured )$(BIN)/python -m pytest -n 3 --dist worksteal \
	  $(if $(COVERAGE),-W ignore::pytest.PytestAssertRewriteWarning) $(ARGS)

coverage: .venv/tests ## Report the branch coverage of `make test COVERAGE=1`, run if need be; fails below 95 %
	@ls .coverage/*.json >/dev/null 2>&1 || $(MAKE) --no-print-directory test COVERAGE=1
	@$(BIN)/slipcover --branch --dont-wrap-pytest --source src --json --out .coverage/unseen.json -m goodword --version >/dev/null
	@$(BIN)/slipcover --branch --merge .coverage/*.json --out .coverage/all --skip-covered
	@$(BIN)/python scripts/branch_coverage.py .coverage/all; \
	  status=$$?; rm -rf .coverage; exit $$status

test-browser: .venv/tests .venv/docs ## Run the tests that need Debian's chromium, npm or Java
	@$(BIN)/python -m pytest --override-ini addopts="-q" tests/browser

fuzz: .venv/tests ## Look for what nobody thought of, in minutes: examples drawn anew (EXAMPLES=, SEED=), on both databases
	@echo "again with: make fuzz SEED=$(SEED) EXAMPLES=$(EXAMPLES)"
	@$(BIN)/python -m pytest --fuzz=$(EXAMPLES) --hypothesis-seed=$(SEED) --show-capture=no tests/model tests/rewards/test_soak.py $(ARGS)
	@$(BIN)/python -m pytest --fuzz=$(EXAMPLES) --hypothesis-seed=$(SEED) -s tests/fuzz $(ARGS)

bench: .venv/tests ## Measure against the limits of this machine, or a commit (COMPARE=, ROWS=); needs wrk
	@PYTHONPATH=tests $(BIN)/python bench/run.py $(if $(ROWS),--rows $(ROWS)) $(if $(COMPARE),--compare $(COMPARE)) $(ARGS)

bench-scale: .venv/tests ## Measure it with up to ten million users, in a quarter of an hour or more
	@PYTHONPATH=tests $(BIN)/python bench/scale.py $(ARGS)
	@PYTHONPATH=tests $(BIN)/python bench/event_growth.py

bench-upgrade: .venv/tests ## Measure how long a database with a million users takes to upgrade
	@PYTHONPATH=tests $(BIN)/python bench/upgrade.py $(ARGS)

bench-move: .venv/tests ## Measure export and import of a million users (PEOPLE=) on PostgreSQL
	@PYTHONPATH=tests $(BIN)/python bench/move.py $(if $(PEOPLE),--people $(PEOPLE))

bench-load: .venv/tests ## Measure how long a million users of a product (PEOPLE=) take to load by batches
	@PYTHONPATH=tests $(BIN)/python bench/batch_load.py $(if $(PEOPLE),--people $(PEOPLE)) $(ARGS)

faults: .venv/tests ## Kill and freeze each part of a fleet under load, and check its history (SHORT=1); needs haproxy and faketime
	@PYTHONPATH=tests:bench $(shell unshare --mount true 2>/dev/null && echo unshare --mount) $(BIN)/python bench/faults/main.py $(if $(SHORT),--short) $(ARGS)

fault-figures: .venv/tests ## Measure kills, stops and starts, see bench/faults/README.md; ARGS="stops starts" for some
	@PYTHONPATH=tests:bench $(BIN)/python bench/faults/figures.py $(ARGS)

lighthouse: .venv/tests ## Measure the landing, sign-in and home pages with Lighthouse; needs chromium and npm
	@PYTHONPATH=tests $(BIN)/python bench/lighthouse.py

test-cache: .venv/tests ## Run the tests of codes and sign-up with Redis there, dead, and without a cache
	@for cache in $(or $(CACHE),valkey dead off); do \
	  $(BIN)/python -m pytest -n 2 --cache=$$cache tests/codes tests/signup || exit 1; done

test-pooler: .venv/tests ## Run the tests that need Debian's pgbouncer
	@$(BIN)/python -m pytest --override-ini addopts="-q" tests/pooler

test-proxies: .venv/tests ## Run the service behind each configuration of deploy/; needs Debian's haproxy, nginx and caddy
	@$(BIN)/python -m pytest --override-ini addopts="-q" tests/proxies

test-deploy: .venv/tests ## Check the files of deploy/ with the programs that read them; needs Debian's systemd, haproxy, nginx and caddy
	@$(BIN)/python -m pytest --override-ini addopts="-q" tests/deploy

test-ha: .venv/tests ## Lose the primary of a Patroni cluster and of Sentinel under load, see docs/high-availability.md
	@$(BIN)/python -m pytest --override-ini addopts="-q" tests/ha $(ARGS)

test-metrics: .venv/tests ## Check the rules of deploy/prometheus and scrape two nodes; needs Debian's prometheus
	@cd deploy/prometheus && promtool check rules goodword.rules.yml && promtool test rules goodword.rules.test.yml
	@$(BIN)/python -m pytest --override-ini addopts="-q" tests/prometheus

test-package: .venv/tests ## Build the sdist and the wheel, check them, and run the service from each
	@rm -rf dist && $(BIN)/hatchling build -d dist >/dev/null
	@$(BIN)/uv --quiet tool run twine==7.0.0 check --strict dist/*
	@$(BIN)/python -m pytest --override-ini addopts="-q" tests/package

client: client-document .venv/generator ## Generate the Python client and build its wheel, in clients/python/dist
	@$(BIN)/python clients/python/generate.py
	@cd clients/python && rm -rf dist && ../../$(BIN)/hatchling build -t wheel -d dist >/dev/null

client-document: .venv/tests ## Write clients/openapi.json again, from which the clients are generated, after a change of the API
	@$(BIN)/python scripts/client_document.py

test-clients: client ## Check the Python client, and run its examples against a service
	@cd clients/python && ../../$(BIN)/mypy
	@$(BIN)/python -m pytest --override-ini addopts="-q" tests/clients

sbom: .venv/tests ## List the components of the wheel in dist/ and their licenses (CycloneDX), in sbom/goodword.cdx.json
	@mkdir -p sbom && $(BIN)/uv --quiet venv --clear .venv/sbom
	@$(BIN)/uv --quiet pip install --python .venv/sbom --require-hashes --requirement requirements.lock
	@$(BIN)/uv --quiet pip install --python .venv/sbom --no-deps dist/*.whl
	@$(BIN)/uv --quiet tool run --from cyclonedx-bom==7.5.0 cyclonedx-py environment .venv/sbom --pyproject pyproject.toml \
	  --mc-type application --output-reproducible --output-file sbom/goodword.cdx.json

release-check: test-package client client-document test-clients sbom ## Check what a release publishes: the sdist, the wheel and the list of components

mutants: .venv/tests ## Remove each safeguard from a copy of the service and check that a test fails
	@$(BIN)/python tests/mutants.py $(ARGS)

check: lint types test ## All that must hold before a change lands

lint: .venv/tests ## Look for mistakes and untidy code
	@$(BIN)/ruff check --no-cache .  # a remembered "clean" outlives a change of what counts as first-party
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache --no-logo
	@$(BIN)/python scripts/check_prose.py
	@$(BIN)/yamllint --strict .
	@$(BIN)/actionlint -shellcheck $(BIN)/shellcheck
	@$(BIN)/zizmor --offline --quiet .github
	@$(BIN)/shellcheck .ci/run
	@$(BIN)/hadolint Dockerfile
	@$(BIN)/python scripts/migrations_sql.py .venv/migrations && $(BIN)/squawk .venv/migrations/*.sql

types: .venv/tests ## Check the types, of tests and benchmarks as well
	@$(BIN)/mypy
	@$(BIN)/mypy --config-file tests/mypy.ini
	@$(BIN)/mypy --config-file bench/mypy.ini

format: .venv/tests ## Put the code in its form
	@$(BIN)/ruff check --no-cache --fix .
	@$(BIN)/ruff format .

docs: .venv/docs ## Build the documentation site, in site/html; fails on a broken link or a third-party resource
	@$(BIN)/python scripts/site.py

messages: .venv/tests ## Collect the texts of the pages for translation, and compile what is translated
	@$(BIN)/pybabel --quiet extract $(EXTRACT) --output-file .venv/messages.pot src/goodword
	@for file in $(CATALOGUES); do language=$$(basename $$file .po); \
	  $(BIN)/pybabel --quiet update --no-wrap --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date \
	    --input-file .venv/messages.pot --locale $$language --output-file $$file && \
	  $(BIN)/pybabel --quiet compile --locale $$language --input-file $$file --output-file $${file%.po}.mo; done

pictures: .venv/tests docs ## Make the pictures of the documents again, with chromium and prometheus
	@$(BIN)/python docs/pictures/emails.py
	@$(BIN)/python docs/pictures/sequence.py
	@PYTHONPATH=tests $(BIN)/python docs/pictures/pages.py
	@PYTHONPATH=tests $(BIN)/python docs/pictures/rewards.py
	@PYTHONPATH=tests $(BIN)/python docs/pictures/webhooks.py
	@PYTHONPATH=tests $(BIN)/python docs/pictures/embed.py
	@PYTHONPATH=tests $(BIN)/python docs/pictures/acme_pages.py
	@PYTHONPATH=tests $(BIN)/python docs/pictures/dashboard.py
	@$(BIN)/python docs/pictures/site.py
	@PYTHONPATH=tests $(BIN)/python docs/pictures/doctor.py

lock: .venv/tests ## Choose the versions of all dependencies anew (UPGRADE=--upgrade for the newest); needs npm
	@$(COMPILE) $(UPGRADE) --output-file requirements.lock
	@$(COMPILE) $(UPGRADE) --group dev --constraints requirements.lock --output-file requirements-dev.lock
	@$(RESOLVE) --group docs $(UPGRADE) --constraints requirements-dev.lock --output-file requirements-docs.lock
	@$(RESOLVE) --group client $(UPGRADE) --output-file clients/python/generator.lock
	@cd clients/typescript && npm install --package-lock-only --no-audit --no-fund >/dev/null  # as package.json says

clean: ## Remove the virtual environment and what tools left behind
	@rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .coverage dist sbom site

.venv/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "Goodword needs Python 3.11 to 3.13; choose one with make PYTHON=..."; exit 1; }
	@$(PYTHON) -m venv .venv
	@touch $@

.venv/runs: .venv/python requirements.lock pyproject.toml
	@echo "Installing into .venv ..."
	@$(PIP) --require-hashes --requirement requirements.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/tests: .venv/runs requirements-dev.lock
	@echo "Installing what the tests need into .venv ..."
	@$(PIP) --require-hashes --requirement requirements-dev.lock
	@touch $@

.venv/docs: .venv/python requirements-docs.lock
	@echo "Installing what the documentation site needs into .venv ..."
	@$(PIP) --require-hashes --requirement requirements-docs.lock
	@touch $@

.venv/generator: .venv/tests clients/python/generator.lock
	@echo "Installing what generates the Python client into .venv/generator ..."
	@$(BIN)/uv --quiet venv --clear --python $(BIN)/python $@
	@$(BIN)/uv --quiet pip install --python $@ --require-hashes --requirement clients/python/generator.lock
	@touch $@
