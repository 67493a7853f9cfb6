# The verbs: compare, test, check, bench, docs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: install compare compare-full test check bench docs clean
install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -c constraints.txt -e ".[all,dev]"
	touch $@

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

test: install
	$(BIN)/python -m pytest
