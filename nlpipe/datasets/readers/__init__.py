"""Readers: files to rows. One file a format (or a close family), one line a name.

A reader is a function ``(origins, layout) -> rows``. The origins of one split are given together, so that a format
of parallel files can read them side by side; other readers take them one after another.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

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
    found: Any = getattr(importlib.import_module(f"{__name__}.{module}"), attribute)
    return found  # type: ignore[no-any-return]


def format_of(path: str) -> str | None:
    """The format that a file's ending tells, ``.gz`` aside; None where it tells none."""
    name = path.lower().removesuffix(".gz")
    return next((known for suffix, known in SUFFIXES.items() if name.endswith(suffix)), None)
