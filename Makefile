# Everything a newcomer types. Each target installs what it needs; nothing is done by hand.
PORT ?= 8080
VENV ?= .venv
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
# A lock is complete, so nothing is resolved: a resolver, an old one above all, may ask for releases newer than the lock.
LOCKED := $(PIP) install --no-deps --require-hashes -r

.DEFAULT_GOAL := help
.PHONY: help install run test lint format bench soak fidelity chaos clients docs lock clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.base: requirements/build.lock requirements/base.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Turnout needs Python 3.11 or newer; none was found on PATH."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(LOCKED) requirements/build.lock
	$(LOCKED) requirements/base.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	$(PIP) check
	@$(BIN)/python -m turnout.upstream.prices
	@touch $@

$(VENV)/.dev: $(VENV)/.base requirements/dev.lock
	$(LOCKED) requirements/dev.lock
	$(PIP) check
	@touch $@

install: $(VENV)/.base ## the gateway and nothing else: leaves .venv/bin/turnout

run: $(VENV)/.base ## the gateway on simulated providers (PORT=8080)
	@$(BIN)/turnout run --port $(PORT)

test: $(VENV)/.dev ## all tests
	$(BIN)/python -m pytest -n auto --dist worksteal

lint: $(VENV)/.dev ## ruff, mypy --strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.dev ## side by side with peers, with the bars
	$(BIN)/python -m bench

soak: $(VENV)/.dev ## memory over a million requests
	$(BIN)/python -m bench soak --requests 1000000

fidelity: $(VENV)/.dev ## real recorded traffic through the gateway, same dialect and across
	$(BIN)/python -m tests.fidelity

chaos: $(VENV)/.dev ## every way a provider can fail, through the gateway
	$(BIN)/python -m tests.chaos

clients: $(VENV)/.dev ## real programs (LangChain, Claude Code, Codex, …) against Turnout; installs them under .clients
	$(BIN)/python -m tests.clients
	$(BIN)/python -m tests.clients --models crossed
	$(BIN)/python -m tests.clients --models auto

docs: $(VENV)/.dev ## regenerate what is generated
	$(BIN)/python -m turnout.config.render > docs/configuration.md
	$(BIN)/python -m turnout.wire.losses_page > docs/dialects.md
	$(BIN)/python -m turnout.wire.errors_page > docs/errors.md
	$(BIN)/python -m turnout.upstream.providers_page > docs/providers.md

COMPILE := $(BIN)/uv pip compile --universal --generate-hashes --python-version 3.11 --no-header --no-emit-index-url -q

lock: $(VENV)/.dev ## resolve the lock files anew
	$(COMPILE) --group build -o requirements/build.lock
	$(COMPILE) pyproject.toml -o requirements/base.lock
	$(COMPILE) pyproject.toml --group dev -o requirements/dev.lock

clean: ## remove what the targets made
	rm -rf $(VENV) .bench .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
