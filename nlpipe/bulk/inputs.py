"""What ``nlpipe predict`` reads: arguments, files in the formats of training, or standard input; with their records."""

from __future__ import annotations

import io
import os
import queue
import re
import sys
import threading
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import IO, Any

from nlpipe.datasets.readers import FORMATS, Layout, Origin, format_of, reader
from nlpipe.datasets.readers.json_lines import values_of
from nlpipe.datasets.readers.lines import file_origin, read_lines
from nlpipe.datasets.replacements import replaced_text, replacements_of
from nlpipe.errors import DataError, NlpipeError, NlpipeWarning
from nlpipe.pipeline.batches import BATCH
from nlpipe.tasks.task import Ledger, Row, Task

PATIENCE = 0.02
"""Seconds to wait for one more line of standard input before those that are there are answered."""
AHEAD = 4 * BATCH
"""Inputs that are read ahead of the answers."""
STANDARD_INPUT = "standard input"
HINTS = ("give the column in columns:, by name or by number", "give the field of the text as columns: {text: NAME}")
"""What readers say of a missing column in a card."""
FORMS = ("text", "csv", "tsv", "jsonl", "conll", "po", "parquet")


@dataclass(frozen=True)
class Input:
    """One text to answer.

    Args:
        content: a text, or its words where it comes split.
        record: all that the file has beside it, by column; empty for plain text.
        lines: of conll, the columns of each word.
        number: of the line on which it begins, from 1; of its row, in parquet.
    """

    content: str | list[str]
    record: Mapping[str, Any] = field(default_factory=dict)
    lines: Sequence[Sequence[str]] = ()
    number: int = 0

    @property
    def text(self) -> str:
        """The text; of words, with one space between."""
        return self.content if isinstance(self.content, str) else " ".join(self.content)


@dataclass(frozen=True)
class Reading:
    """How a file is read; what is None is as the data of training was read, or as the format has it.

    Args:
        form: one of ``FORMS``.
        field: name or index of the column that holds the text.
        words: whether a text comes split into words, with spaces between.
    """

    form: str | None = None
    field: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    words: bool = False


def given_texts(texts: Iterable[str], words: bool) -> Iterator[Input]:
    """The texts that the command line has.

    Raises:
        NlpipeError: one is not UTF-8.
    """
    for number, text in enumerate(texts, 1):
        try:
            text.encode()
        except UnicodeEncodeError:
            raise NlpipeError(f"text {number}: not UTF-8; convert it first") from None
        yield Input(text.split() if words else text, number=number)


class Position:
    """How far files have been read, one after another; another thread may ask.

    Args:
        files: in the order in which they are read; some may be left out.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        sizes = [file.stat().st_size for file in files]
        self.total = sum(sizes)
        self.starts = dict(zip(files, accumulate(sizes, initial=0), strict=False))
        self.start = 0
        self.stream: IO[bytes] | None = None

    def bytes_read(self) -> int:
        """Bytes of the files before the one that is being read, and of that one, as they lie on the disk."""
        try:
            return self.start + (self.stream.tell() if self.stream is not None else 0)
        except (OSError, ValueError):  # a pipe; closed a moment ago
            return self.start

    def watched(self, file: Path, origin: Origin) -> Origin:
        """The same file, which is watched once it is opened."""

        def opened() -> IO[bytes]:
            self.start, self.stream = self.starts[file], origin.open()
            return self.stream

        return Origin(origin.name, opened)


def read_inputs(
    file: Path | None, reading: Reading, task: Task, trained: Mapping[str, Any], position: Position | None = None
) -> Iterator[Input]:
    """The inputs of a file, or of standard input, read by the reader that training uses.

    Args:
        file: None or ``-`` for standard input.
        task: of the pipeline; it says which column is its input.
        trained: how the data of training was read, as ``Card.reading`` gives it.
        position: is kept up to date with what has been read.

    Raises:
        NlpipeError: the file cannot be read, a line is not in its format, or there is no such column.
    """
    standard = file is None or str(file) == "-"
    form = reading.form or (None if standard else format_of(str(file))) or "text"
    if form not in FORMATS and form != "text":
        raise NlpipeError(f"--input: there is no format '{form}'; known: {', '.join(FORMS)}")
    encoding = reading.encoding or trained.get("encoding") or "utf-8"
    origin = Origin(STANDARD_INPUT, _standard_input) if standard else _origin(Path(str(file)))
    if position is not None and file is not None:
        origin = position.watched(file, origin)
    replacements = replacements_of(trained.get("replace", {}) if form == trained.get("format") else {})
    for item in _texts(origin, encoding) if form == "text" else _rows(origin, form, encoding, reading, task, trained):
        content = item.content
        if reading.words and isinstance(content, str):
            content = content.split()
        if replacements and isinstance(content, str):
            content = replaced_text(content, replacements, origin.name)
        elif replacements:
            content = [replaced_text(word, replacements, origin.name) for word in content]
        yield Input(content, item.record, item.lines, item.number)


def _texts(origin: Origin, encoding: str) -> Iterator[Input]:
    for number, line in enumerate(read_lines(origin, encoding), 1):
        yield Input(line.removesuffix("\n").removesuffix("\r"), number=number)


def _rows(
    origin: Origin, form: str, encoding: str, reading: Reading, task: Task, trained: Mapping[str, Any]
) -> Iterator[Input]:
    """The inputs of a format with columns."""
    if form == "jsonl":
        yield from _json_lines(origin, encoding, reading, task, trained)
        return
    column = _column(form, reading, task, trained)
    like_trained = trained.get("format") == form
    layout = Layout(
        {"text": column},
        trained.get("header") if like_trained else None,
        encoding,
        trained.get("quoting") if like_trained else None,
        _delimiter(reading) or (trained.get("delimiter") if like_trained else None),
        ledger=Ledger(),
        whole=True,
        comment=trained.get("comment") if like_trained else None,
    )
    width = 0
    try:
        for row in reader(form)([origin], layout):
            width = len(row.record)
            content = _content(row.fields["text"], row)
            if form == "conll":
                yield Input(content, {}, list(zip(*row.record.values(), strict=True)), row.line)
            else:
                yield Input(content, row.record, number=row.line)
    except DataError as error:
        message = str(error)
        for hint in HINTS:
            message = message.replace(hint, "say which holds the text with --field NAME, or its number")
        raise DataError(message) from None
    headers = layout.ledger.examples.get("headers_repeated", [])
    if width > 1:  # one field alone is as likely a short text
        headers = headers + layout.ledger.examples.get("header_as_example", [])
    for example in headers:
        warnings.warn(f"{example}: this looks like a header; it is answered as the other rows are", NlpipeWarning, 2)


def _delimiter(reading: Reading) -> str | None:
    """The character that ``--delimiter`` names.

    Raises:
        NlpipeError: it is not one character.
    """
    named = {"\\t": "\t", "tab": "\t", "space": " ", "comma": ",", "semicolon": ";"}
    delimiter = reading.delimiter if reading.delimiter is None else named.get(reading.delimiter, reading.delimiter)
    if delimiter is not None and len(delimiter) != 1:
        raise NlpipeError(f"--delimiter: expected one character, or a name such as tab, not '{delimiter}'")
    return delimiter


def _json_lines(
    origin: Origin, encoding: str, reading: Reading, task: Task, trained: Mapping[str, Any]
) -> Iterator[Input]:
    """Strings, lists of words, or objects with the text in ``--field``, where training had it, or under the task's
    usual name.
    """
    usual = (_trained_column(task, trained), *_usual(task))
    names = [name for name in ((reading.field,) if reading.field is not None else usual) if isinstance(name, str)]
    kind: type | None = None
    for number, value in values_of(origin, encoding):
        place = f"{origin.name}:{number}"
        record = value if isinstance(value, dict) else {}
        if isinstance(value, dict):
            name = next((name for name in names if name in value), None)
            if name is None:
                known = ", ".join(map(str, value)) or "none"
                raise DataError(f"{place}: no field '{names[0]}'; there are: {known}; say which with --field")
            value = value[name]
        content = _content(value, Row({}, origin.name, number))
        if not reading.words and type(content) is not (kind := kind or type(content)):
            was, now = ("lists of words", "a text") if kind is list else ("texts", "a list of words")
            raise DataError(f"{place}: {now}, where the lines before hold {was}; --words splits texts at spaces")
        yield Input(content, record, number=number)


def _column(form: str, reading: Reading, task: Task, trained: Mapping[str, Any]) -> str | int:
    """The column that holds the input."""
    if reading.field is not None:
        indexed = form in ("csv", "tsv", "conll") and re.fullmatch(r"-?[0-9]{1,6}", reading.field)
        return int(reading.field) if indexed else reading.field
    column = _trained_column(task, trained)
    same_kind = form == trained.get("format") or (isinstance(column, str) and form not in ("conll", "po"))
    if column is not None and same_kind:
        return column
    return 0 if form == "conll" else "msgid" if form == "po" else _usual(task)[0]


def _trained_column(task: Task, trained: Mapping[str, Any]) -> str | int | None:
    columns = trained.get("columns", {})
    return next((columns[role] for role in task.inputs if role in columns), None)


def _usual(task: Task) -> list[str]:
    """The names that the column with the input may have, unless something else is said."""
    return list(dict.fromkeys([*(str(task.columns[role]) for role in task.inputs), "text"]))


def _content(value: Any, row: Row) -> str | list[str]:
    if isinstance(value, str):
        return str(value)
    if isinstance(value, list) and all(isinstance(word, str) and word.strip() for word in value):
        return [str(word) for word in value]
    shown = repr(value)
    raise DataError(f"{row.path}:{row.line}: {shown if len(shown) <= 60 else shown[:57] + '...'} is not a text")


def _origin(path: Path) -> Origin:
    """A file, a pipe or a terminal; not a device without an end."""
    if path.is_file() or not path.exists():
        return file_origin(path)
    if path.is_fifo() or path.is_socket():
        return Origin(str(path), lambda: path.open("rb", buffering=0))
    raise DataError(f"{path}: this is {'a folder' if path.is_dir() else 'a device'}; expected a file")


def _standard_input() -> IO[bytes]:
    """Standard input without a buffer, so that a line is there when it has been typed."""
    try:
        return os.fdopen(os.dup(sys.stdin.fileno()), "rb", buffering=0)
    except (OSError, io.UnsupportedOperation):  # replaced by a stream in memory
        return io.BytesIO(sys.stdin.buffer.read())


def batches(inputs: Iterator[Input]) -> Iterator[list[Input]]:
    """Blocks of inputs: full ones from a source that is fast, and what is there from one that is slow.

    A thread reads ahead. What it raises is raised here, after the inputs before it.
    """
    waiting: queue.Queue[Input | BaseException | None] = queue.Queue(AHEAD)

    def read() -> None:
        try:
            for item in inputs:
                waiting.put(item)
        except BaseException as error:  # it is raised by the other thread
            waiting.put(error)
        else:
            waiting.put(None)

    threading.Thread(target=read, daemon=True).start()
    batch: list[Input] = []
    while True:
        try:
            item = waiting.get(timeout=PATIENCE if batch else None)
        except queue.Empty:
            yield batch
            batch = []
            continue
        if isinstance(item, Input):
            batch.append(item)
            if len(batch) < BATCH:
                continue
        if batch:
            yield batch
            batch = []
        if isinstance(item, BaseException):
            raise item
        if item is None:
            return
