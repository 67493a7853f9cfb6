"""Readers: files to rows. One file a format (or a family of formats), one line a name.

A reader is a function ``(origins, layout) -> rows``. It gets all files of a split together, so that a format of
parallel files can read them side by side; other readers read them one after another.

``@nlpipe.register.reader("lines", suffixes=[".lines"])`` stands above such a function; ``docs/adding-a-stage.md`` has a
whole one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from nlpipe.datasets.readers.lines import Layout, Origin
from nlpipe.errors import NlpipeError
from nlpipe.names import Table
from nlpipe.tasks.task import Row, Task

Reader = Callable[[Sequence[Origin], Layout], Iterator[Row]]

__all__ = ["FORMATS", "Layout", "Origin", "Reader", "format_of", "formats_of", "reader"]

SUFFIXES = {
    ".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".conll": "conll",
    ".conllu": "conll", ".po": "po", ".json": "jsonl", ".parquet": "parquet",
}  # fmt: skip
"""Ending of a file's name to its format."""


class Readers(Table[Reader]):
    """Names of formats to their readers."""

    def __init__(self, name: str, package: str, table: dict[str, str]) -> None:
        super().__init__(name, package, table)
        self._suffixes: dict[str, str] = {}

    def accept(self, name: str, thing: Any) -> Reader:
        """``thing``, if it can be called.

        Raises:
            NlpipeError: it cannot.
        """
        if not callable(thing):
            raise NlpipeError(f"reader '{name}' is {thing!r}: expected a function of (origins, layout)")
        read: Reader = thing
        return read

    def register_reader(self, name: str, suffixes: Sequence[str]) -> Callable[[Reader], Reader]:
        """A decorator that makes a function the reader of a format; see ``nlpipe.register.reader``.

        Raises:
            NlpipeError: the name or a suffix is taken.
        """
        for suffix in suffixes:
            owner = self.suffixes().get(suffix, name)
            if owner != name or not suffix.startswith("."):
                reason = f"it is that of {owner}" if owner != name else "it begins with no '.'"
                raise NlpipeError(f"reader '{name}': invalid suffix '{suffix}': {reason}")
        register = self.register(name)

        def add(read: Reader) -> Reader:
            register(read)
            self._suffixes |= dict.fromkeys(suffixes, name)
            return read

        return add

    def suffixes(self) -> dict[str, str]:
        """Ending of a file's name to its format."""
        return {**SUFFIXES, **{suffix: name for suffix, name in self._suffixes.items() if name in self}}


FORMATS = Readers(
    "format",
    "nlpipe.datasets.readers",
    {
        "csv": "separated:read_csv",
        "tsv": "separated:read_tsv",
        "jsonl": "json_lines:read_json_lines",
        "conll": "conll:read_conll",
        "parallel": "parallel:read_parallel",
        "po": "catalogue:read_po",
        "parquet": "parquet:read_parquet",
        "text": "text:read_text",
    },
)
"""Format, as cards spell it, to its reader; each also gzipped."""


def reader(name: str) -> Reader:
    """The reader of a format that ``FORMATS`` knows."""
    return FORMATS.load(name)


def formats_of(task: Task) -> tuple[str, ...]:
    """The formats that hold examples of ``task``: its own, and every one that is not nlpipe's."""
    return (*task.formats, *(name for name in FORMATS.names() if name not in FORMATS.table))


def format_of(path: str) -> str | None:
    """The format of a file by the suffix of its name, ``.gz`` apart; None if the suffix is not one of a format."""
    name = path.lower().removesuffix(".gz")
    return next((form for suffix, form in FORMATS.suffixes().items() if name.endswith(suffix)), None)
