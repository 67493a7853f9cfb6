# All the verbs: compare, compare-full, test, check, bench, docs.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt

.PHONY: compare compare-full test check bench docs clean

compare: .venv/base   ## real reviews, classical pipelines side by side; leaves the best one saved
	$(BIN)/nlpipe compare pipelines/sentiment/compare.yaml

compare-full: .venv/dev   ## every pipeline of every task
	$(BIN)/nlpipe compare pipelines/sentiment/compare.yaml

test: .venv/dev
	$(BIN)/python -m pytest

check: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: .venv/dev   ## speed and accuracy beside peers; writes benchmarks/results/ and REPORT.md
	$(BIN)/python -m benchmarks

docs: .venv/dev   ## writes docs/pipelines.md from the code
	$(BIN)/python docs/reference.py

.venv/base: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP) -e .
	touch $@

.venv/dev: .venv/base
	$(PIP) -e ".[all,dev]"
	touch $@

clean:
	rm -rf .venv build dist
