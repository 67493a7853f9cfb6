# All the verbs: compare, compare-full, test, check, bench, clean.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt

.PHONY: compare compare-full test check bench clean

QUICK := $(wildcard pipelines/*/compare_quick.yaml)
FULL := $(wildcard pipelines/*/compare.yaml)

compare: .venv/base   ## real data of each task, the approaches that need no torch; leaves the best ones saved
	set -e; for file in $(QUICK); do $(BIN)/nlpipe compare $$file; done

compare-full: .venv/dev   ## every approach, from bag of words to BERT
	set -e; for file in $(FULL); do $(BIN)/nlpipe compare $$file; done

test: .venv/dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal

check: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: .venv/dev   ## speed, memory and accuracy beside peers; writes benchmarks/results/ and REPORT.md
	$(BIN)/python -m benchmarks

.venv/base: pyproject.toml constraints.txt Makefile
	$(PYTHON) -m venv .venv
	$(PIP) -e ".[word2vec,report]"
	touch $@

.venv/dev: .venv/base
	$(PIP) -e ".[all,dev]"
	touch $@

clean:
	rm -rf .venv build dist
