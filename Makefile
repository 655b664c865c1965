# Everything starts here: `make demo` and `make test` set up what they need on a fresh machine.
PYTHON ?= $(firstword $(foreach p,python3.12 python3.11 python3,$(if $(shell $(p) -c "import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))" 2>/dev/null && echo ok),$(p))))
VENV ?= .venv
BIN := $(VENV)/bin
RUN ?= runs/scenes
JOBS ?= 2  # test processes; each takes about 2 GB
export TF_CPP_MIN_LOG_LEVEL ?= 2

.DEFAULT_GOAL := help
.PHONY: help demo test test-all test-processors lint format clean

help:  ## show this help
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

$(VENV)/.installed: pyproject.toml
	@test -n "$(PYTHON)" || { echo "wsseg needs Python 3.11 or 3.12; name one: make PYTHON=/path/to/python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable ".[dev]"
	@if command -v g++ >/dev/null; then $(BIN)/pip install --quiet --editable ".[pydensecrf]"; \
	else echo "no g++, so no pydensecrf: its tests are skipped, and our own CRF does without"; fi
	@touch $@

demo: $(VENV)/.installed  ## set up, and run all stages on the built-in scenes (minutes on two cores)
	$(BIN)/wsseg run scenes --run $(RUN)

test: $(VENV)/.installed lint  ## set up, lint, and pass the tests (no network, no GPU)
	$(BIN)/python -m pytest -q -n $(strip $(JOBS)) -m "not slow"

test-all: $(VENV)/.installed lint  ## the slow tests too
	$(BIN)/python -m pytest -q -n $(strip $(JOBS))

test-processors: $(VENV)/.installed  ## the fast tests as other processors compute; one: SETTING=sse41, avx2, own, plain, today
	@PYTHON=$(BIN)/python JOBS=$(strip $(JOBS)) tests/processors.sh $(SETTING)

lint: $(VENV)/.installed  ## ruff: lint and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.installed  ## let ruff format and mend what it can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:  ## remove the environment and the demo's run
	rm -rf $(VENV) $(RUN)
