# Needs Python 3.11 or newer with venv, and make. Everything else is installed into .venv from the lock file.
PYTHON ?= python3
BIN := .venv/bin
# Tests run in two processes; a file's tests stay together, as they share what they set up.
WORKERS ?= --numprocesses 2 --dist loadfile

.PHONY: run test slow lint bench anvil clients lock clean

run: .venv/run
	$(BIN)/wattbook demo --data var/demo

test: .venv/test
	$(BIN)/python -m pytest $(WORKERS)

slow: .venv/test
	$(BIN)/python -m pytest -m slow --timeout 1800 $(WORKERS)

lint: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/test
	$(BIN)/python -m tests.benchmarks

# The second chain that tests run on, for which npm is needed; without it, those tests are skipped.
anvil: .tools/anvil/installed

# A client that other people write, against which the development chain's server is tested; for npm likewise.
clients: .tools/clients/installed

.tools/%/installed: tests/%/package.json tests/%/package-lock.json
	mkdir -p $(@D)
	cp $^ $(@D)
	npm ci --prefix $(@D) --ignore-scripts --no-audit --no-fund
	touch $@

INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check

# The lock files hold exact versions and hashes, and no addresses.
LOCK := $(BIN)/pip-compile --quiet --allow-unsafe --generate-hashes --strip-extras --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options pyproject.toml
lock: .venv/test
	$(INSTALL) pip-tools
	$(LOCK) --extra build --extra simulation --output-file requirements.lock
	$(LOCK) --extra build --extra simulation --extra cluster --extra dev --output-file requirements-dev.lock

clean:
	rm -rf .venv .tools var

.venv/run: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(INSTALL) --require-hashes --only-binary :all: -r requirements.lock
	$(INSTALL) --no-deps --no-build-isolation --editable .
	touch $@

.venv/test: requirements-dev.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(INSTALL) --require-hashes --only-binary :all: -r requirements-dev.lock
	$(INSTALL) --no-deps --no-build-isolation --editable .
	touch $@ .venv/run
