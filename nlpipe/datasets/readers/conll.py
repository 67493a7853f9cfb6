"""conll: one token a line with its columns, a blank line after each sentence.

Columns are separated by tabs if the first line of tokens has one, otherwise by spaces. A line of only spaces and tabs
ends a sentence, and so does ``-DOCSTART-``. Comments are lines that begin with what the layout's ``comment`` says; by
default those that begin with ``#`` and have another number of columns than the tokens, or begin a sentence and hold a
``=`` (``# id a1 domain=en``). The ranges and empty nodes of CoNLL-U (``3-4`` before ``3``, ``3.1`` after it) are not
tokens and are left out.

Tjong Kim Sang and De Meulder 2003, "Introduction to the CoNLL-2003 Shared Task".
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence

from nlpipe.datasets.readers.lines import Layout, Origin, read_lines
from nlpipe.errors import DataError
from nlpipe.tasks.task import Row

DOCUMENT = "-DOCSTART-"
NO_TOKEN = re.compile(r"\d+[-.]\d+")
"""The first column of a CoNLL-U line for several tokens (a range) or for an empty node."""
NUMBER = re.compile(r"1(-\d+)?")
"""The first column of the first word, or range of words, in CoNLL-U."""
CONLLU = 10
"""Columns of CoNLL-U."""
AHEAD = 20
"""Lines that are looked at to see how many columns tokens have."""

Sentence = list[tuple[int, list[str]]]
"""Line number and columns of each token."""


def read_conll(origins: Sequence[Origin], layout: Layout) -> Iterator[Row]:
    """Rows whose fields are lists, one item a token; one file after another.

    Raises:
        DataError: a file has no tokens, a line has more or fewer columns than the first, a token is empty, or a column
            is missing.
    """
    for role, column in layout.columns.items():
        if isinstance(column, str):
            raise DataError(f"conll has no column named {column!r} for '{role}': give its number, 0 or -1 (the last)")
    for origin in origins:
        empty = True
        for sentence in sentences(origin, layout):
            empty = False
            fields = {role: [values[int(c)] for _, values in sentence] for role, c in layout.columns.items()}
            record = _columns(sentence) if layout.whole else {}
            yield Row(fields, origin.name, sentence[0][0], layout.columns, [line for line, _ in sentence], record)
        if empty:
            raise DataError(f"{origin.name}: the file is empty")


def _columns(sentence: Sentence) -> dict[str, list[str]]:
    """The columns of a sentence by their numbers."""
    columns = zip(*(values for _, values in sentence), strict=True)
    return {str(number): list(column) for number, column in enumerate(columns)}


def sentences(origin: Origin, layout: Layout) -> Iterator[Sentence]:
    """Every sentence of a file, with all columns.

    Raises:
        DataError: as ``read_conll`` says.
    """
    sentence: Sentence = []
    lines = _Lines(read_lines(origin, layout.encoding))
    width, delimiter = 0, layout.delimiter
    for number, line in lines:
        plain = line.rstrip("\r\n")
        if not plain.strip(" \t\u3000\ufeff") or plain.startswith(DOCUMENT):
            if sentence:
                yield sentence
            sentence = []
            continue
        if layout.comment is not None:
            if layout.comment and plain.startswith(layout.comment):
                continue
        elif plain.startswith("#") and not sentence and _is_comment(plain, width or lines.next_columns()):
            continue
        if delimiter is None:
            delimiter = "\t" if "\t" in plain else " "
        values = _split(plain, delimiter)
        if layout.comment is None and plain.startswith("#") and width and len(values) != width:
            continue
        if not width:
            width = len(values)
            _check_columns(origin, number, layout, width)
            if width == CONLLU and layout.columns.get("token") == 0 and NUMBER.fullmatch(values[0]):
                raise DataError(
                    f"{origin.name}:{number}: column 0 numbers the words, as in CoNLL-U; "
                    "give columns: {token: 1, tag: 3} for its parts of speech"
                )
        if len(values) != width:
            fault = "too few" if len(values) < width else "too many"
            raise DataError(
                f"{origin.name}:{number}: {fault} columns: {len(values)}, where the first token has {width}"
            )
        if 0 not in layout.columns.values() and _is_no_token(values[0], sentence, lines):
            continue
        if not values[int(layout.columns.get("token", 0))]:
            raise DataError(f"{origin.name}:{number}: the token is empty; end a sentence with a blank line")
        sentence.append((number, values))
    if sentence:
        yield sentence


def _split(line: str, delimiter: str | None) -> list[str]:
    if delimiter in (None, " "):
        return re.split(r"[ \t]+", line.strip(" \t"))
    return [value.strip(" ") for value in line.split(delimiter)]


class _Lines:
    """Numbered lines, of which one can be seen ahead."""

    def __init__(self, lines: Iterator[str]) -> None:
        self.lines = enumerate(lines, 1)
        self.ahead: deque[tuple[int, str]] = deque()

    def __iter__(self) -> Iterator[tuple[int, str]]:
        while True:
            following = self.ahead.popleft() if self.ahead else next(self.lines, None)
            if following is None:
                return
            yield following

    def next_first(self) -> str:
        """The first column of the next line; empty at the end."""
        if not self.ahead and (following := next(self.lines, None)) is not None:
            self.ahead.append(following)
        return self.ahead[0][1].replace("\t", " ").split(" ")[0] if self.ahead else ""

    def next_columns(self) -> int:
        """The number of columns of the next line that begins with no ``#``, if it is among the next few; else 0."""
        while len(self.ahead) < AHEAD and (following := next(self.lines, None)) is not None:
            self.ahead.append(following)
        plain = (line.rstrip("\r\n") for _, line in self.ahead if line.strip() and not line.startswith("#"))
        first = next(plain, "")
        return len(_split(first, "\t" if "\t" in first else None)) if first else 0


def _is_no_token(first: str, sentence: Sentence, lines: _Lines) -> bool:
    """Whether the first column numbers a range before its first word (``3-4`` before ``3``), or an empty node (``3.1``
    after ``3``); elsewhere it is what it says.
    """
    if not NO_TOKEN.fullmatch(first):
        return False
    if "-" in first:
        return lines.next_first() == first.partition("-")[0]
    before = sentence[-1][1][0] if sentence else "0"
    return before == first.partition(".")[0]


def _is_comment(line: str, width: int) -> bool:
    """Whether a line that begins with ``#``, at the beginning of a sentence, is a comment."""
    if "\t" in line:
        return False
    columns = _split(line, None)
    return len(columns) != width or (line.startswith("# ") and "=" in line)


def _check_columns(origin: Origin, number: int, layout: Layout, width: int) -> None:
    for role, column in layout.columns.items():
        if not -width <= int(column) < width:
            raise DataError(
                f"{origin.name}:{number}: there is no column {column} for '{role}'; the first token has {width}, "
                f"0 to {width - 1}"
            )
    places = {role: int(column) % width for role, column in layout.columns.items()}
    if len(set(places.values())) < len(places):
        raise DataError(
            f"{origin.name}:{number}: {' and '.join(places)} are the same column; the first token has {width}"
            + ("" if width > 1 else ": is the delimiter another than tab or space?")
        )
