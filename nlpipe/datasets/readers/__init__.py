"""Readers: files to rows. One file a format (or a family of formats), one line a name.

A reader is a function ``(origins, layout) -> rows``. It gets all files of a split together, so that a format of
parallel files can read them side by side; other readers read them one after another.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence

from nlpipe.datasets.readers.lines import Layout, Origin
from nlpipe.tasks.task import Row

Reader = Callable[[Sequence[Origin], Layout], Iterator[Row]]

__all__ = ["FORMATS", "Layout", "Origin", "Reader", "format_of", "reader"]

FORMATS = {
    "csv": "separated:read_csv",
    "tsv": "separated:read_tsv",
    "jsonl": "json_lines:read_json_lines",
    "conll": "conll:read_conll",
    "parallel": "parallel:read_parallel",
    "po": "catalogue:read_po",
}
"""Format, as cards spell it, to ``module:function``; each also gzipped."""

SUFFIXES = {
    ".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".conll": "conll", ".po": "po",
}  # fmt: skip


def reader(name: str) -> Reader:
    """The reader of a format that ``FORMATS`` knows."""
    module, _, attribute = FORMATS[name].partition(":")
    function: Reader = getattr(importlib.import_module(f"{__name__}.{module}"), attribute)
    return function


def format_of(path: str) -> str | None:
    """The format of a file by the suffix of its name, ``.gz`` apart; None if the suffix is not one of a format."""
    name = path.lower().removesuffix(".gz")
    return next((format_name for suffix, format_name in SUFFIXES.items() if name.endswith(suffix)), None)
