# Python 3.11 or later and make are all this needs; the rest is installed into .venv from the lock.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: install demo test check format bench lock clean new-adapter

install: $(READY)

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "carbon-gateway needs Python 3.11 or later, found " + sys.version.split()[0] + ": call make PYTHON=/path/to/python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) from requirements.lock"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

demo: $(READY)
	@CARBON_GATEWAY_DATA_DIRECTORY="$(CURDIR)/var" $(BIN)/carbon-gateway demo

test: $(READY)
	@$(BIN)/python -m pytest

check: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m tests.source_rules

format: $(READY)
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(READY)
	@$(BIN)/python -m benchmarks

# make new-adapter NAME=reef [FOLDER=../carbon-gateway-reef]: docs/write-an-adapter.md goes on from there.
new-adapter: FOLDER ?= ../carbon-gateway-$(NAME)
new-adapter: $(READY)
	@$(BIN)/python -m gateway.kit.scaffold "$(NAME)" "$(FOLDER)"

# Needs uv (in the lock's own environment it is not kept): versions and hashes only, no index.
lock:
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make lock" --output-file requirements.lock

clean:
	rm -rf $(VENV) var
