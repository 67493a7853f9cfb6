# All the verbs: compare, compare-full, test, check, bench, clean.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt

.PHONY: compare compare-full test check bench clean

compare: .venv/base   ## real reviews, six approaches side by side; leaves the best one saved
	$(BIN)/nlpipe compare pipelines/sentiment/compare_quick.yaml

compare-full: .venv/dev   ## every approach, from bag of words to BERT
	$(BIN)/nlpipe compare pipelines/sentiment/compare.yaml

test: .venv/dev
	$(BIN)/python -m pytest

check: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: .venv/dev   ## speed, memory and accuracy beside peers; writes benchmarks/results/ and REPORT.md
	$(BIN)/python -m benchmarks

.venv/base: pyproject.toml constraints.txt Makefile
	$(PYTHON) -m venv .venv
	$(PIP) -e ".[word2vec]"
	touch $@

.venv/dev: .venv/base
	$(PIP) -e ".[all,dev]"
	touch $@

clean:
	rm -rf .venv build dist
