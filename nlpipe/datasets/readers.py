"""Files to rows: csv, tsv and jsonl, plain or gzipped, line by line, with the place of each row.

csv follows RFC 4180 (quoted fields may hold commas and line breaks). tsv has no quoting unless it is asked for: a
quote is a character like any other there. Lines end at LF or CRLF, never at U+2028 or another character inside a text.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from nlpipe.errors import DataError, suggest
from nlpipe.tasks.task import Row

FORMATS = ("csv", "tsv", "jsonl")
FIELD_BYTES = 1 << 28
"""The longest field that is read, 256 MB."""


@dataclass(frozen=True)
class Layout:
    """How the rows of a file are written.

    Args:
        form: csv, tsv or jsonl.
        columns: role (``text``) to column, by name or by place; -1 is the last.
        header: whether the first line names the columns; None: it does where a column is given by name.
        quoting: whether quotes have a meaning; None: in csv, not in tsv.
        encoding: of the text.
    """

    form: str
    columns: Mapping[str, str | int]
    header: bool | None = None
    quoting: bool | None = None
    encoding: str = "utf-8"


def form_of(path: str) -> str:
    """The format that a file's name tells: ``a.csv.gz`` is csv.

    Raises:
        DataError: it tells none.
    """
    name = path.removesuffix(".gz")
    for ending, form in ((".csv", "csv"), (".tsv", "tsv"), (".txt", "tsv"), (".jsonl", "jsonl"), (".ndjson", "jsonl")):
        if name.endswith(ending):
            return form
    raise DataError(f"{path}: the name does not tell the format; say format: {', '.join(FORMATS)}")


def read_file(path: Path, layout: Layout) -> Iterator[Row]:
    """The rows of a file; see ``read``."""
    try:
        with path.open("rb") as file:
            yield from read(file, str(path), layout)
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise DataError(f"{path}: is a folder, not a file") from None


def read(file: IO[bytes], path: str, layout: Layout) -> Iterator[Row]:
    """The rows of an open file; ``path`` is for messages, and tells by ``.gz`` that it is compressed.

    Raises:
        DataError: a row cannot be read; says file, line, what, and what would do instead.
    """
    raw = gzip.open(file) if path.endswith(".gz") else file  # noqa: SIM115 - closed by whoever opened ``file``
    try:
        if layout.form == "jsonl":
            yield from _json_rows(raw, path, layout)
        else:
            yield from _table_rows(raw, path, layout)
    except (gzip.BadGzipFile, EOFError) as error:
        raise DataError(f"{path}: damaged gzip file: {error}") from None


def _lines(raw: Any, path: str, encoding: str) -> Iterator[str]:
    """Decoded lines with their ends; the byte-order mark is dropped."""
    wide = (
        not encoding.lower().replace("-", "").startswith(("utf8", "ascii", "latin", "iso8859", "cp125", "windows125"))
    )
    number = 0
    if wide:  # line ends are not single bytes there: decode all of it
        try:
            text = raw.read().decode(encoding)
        except (UnicodeDecodeError, LookupError) as error:
            raise DataError(f"{path}: not {encoding}: {error}; say which encoding it has with 'encoding:'") from None
        yield from io.StringIO(text.removeprefix("\ufeff"), newline="\n")
        return
    for number, line in enumerate(raw, 1):
        try:
            text = line.decode(encoding)
        except LookupError:
            raise DataError(f"{path}: there is no encoding '{encoding}'; try utf-8, latin-1 or cp1252") from None
        except UnicodeDecodeError as error:
            raise DataError(
                f"{path}:{number}: byte {error.start + 1} of this line is not {encoding}; convert the file, or say "
                "which encoding it has with 'encoding: latin-1' (or cp1252, utf-16, …)"
            ) from None
        yield text.removeprefix("\ufeff") if number == 1 else text


def _json_rows(raw: Any, path: str, layout: Layout) -> Iterator[Row]:
    for number, line in enumerate(_lines(raw, path, layout.encoding), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(f"{path}:{number}: not JSON at column {error.colno}: {error.msg}") from None
        if not isinstance(record, dict):
            raise DataError(f'{path}:{number}: each line is an object such as {{"text": …}}, not {line.strip()[:40]}')
        fields = {}
        for role, column in layout.columns.items():
            if column not in record:
                known = ", ".join(map(str, record))
                raise DataError(
                    f"{path}:{number}: there is no field '{column}' for the {role}{suggest(str(column), record)}"
                    f" (fields here: {known}); say which with columns: {{{role}: …}}"
                )
            value = record[column]
            fields[role] = value if isinstance(value, str) else json.dumps(value) if value is not None else ""
        yield Row(fields, path, number)


def _table_rows(raw: Any, path: str, layout: Layout) -> Iterator[Row]:
    quoting = layout.quoting if layout.quoting is not None else layout.form == "csv"
    lines = _lines(raw, path, layout.encoding)
    records = _quoted(lines, path, layout.form) if quoting else _unquoted(lines, layout.form)
    named = any(isinstance(column, str) for column in layout.columns.values())
    header: Sequence[str] | None = None
    if layout.header or (layout.header is None and named):
        first = next(records, None)
        if first is None:
            raise DataError(f"{path}: is empty")
        header = first[1]
    places = {role: _place(column, role, header, path) for role, column in layout.columns.items()}
    least = max((place + 1 if place >= 0 else -place) for place in places.values())
    for number, record in records:
        if len(record) < least or (header is not None and len(record) < len(header)):
            wanted = len(header) if header is not None else least
            raise DataError(
                f"{path}:{number}: {len(record)} field{'s' * (len(record) != 1)}, {wanted} expected"
                f"{' as in the header' if header is not None else ''}; is the format {layout.form}?"
            )
        yield Row({role: record[place] for role, place in places.items()}, path, number)


def _place(column: str | int, role: str, header: Sequence[str] | None, path: str) -> int:
    if isinstance(column, int):
        return column
    if header is None:
        raise DataError(f"{path}: has no header, so columns are given by place (0, 1, …, -1), not as '{column}'")
    if column not in header:
        known = ", ".join(f"'{name}'" for name in header)
        near = suggest(column, header)
        raise DataError(
            f"{path}:1: there is no column '{column}' for the {role}{near if 'mean' in near else ''} (columns here: "
            f"{known}); say which with columns: {{{role}: …}}"
        )
    return list(header).index(column)


def _unquoted(lines: Iterator[str], form: str) -> Iterator[tuple[int, list[str]]]:
    """Fields between tabs (or commas), each character as it stands; lines with nothing on them are passed over."""
    separator = "," if form == "csv" else "\t"
    for number, line in enumerate(lines, 1):
        line = line.removesuffix("\n").removesuffix("\r")
        if line:
            yield number, line.split(separator)


def _quoted(lines: Iterator[str], path: str, form: str) -> Iterator[tuple[int, list[str]]]:
    """RFC 4180 records with the line each begins on."""
    csv.field_size_limit(FIELD_BYTES)
    read = 0

    def counted() -> Iterator[str]:
        nonlocal read
        for line in lines:
            read += 1
            yield line

    reader = csv.reader(counted(), delimiter="," if form == "csv" else "\t", strict=True)
    while True:
        begins = read + 1
        try:
            record = next(reader, None)
        except csv.Error as error:
            what = "a quote opens here and never closes" if "unexpected end" in str(error) else str(error)
            raise DataError(
                f"{path}:{begins}: {what}; double the quotes inside a quoted field, or say 'quoting: false' where "
                "quotes mean nothing"
            ) from None
        if record is None:
            return
        if record:
            yield begins, record
