"""csv and tsv: one record a line, or several lines where quotes enclose them.

In csv ``"`` encloses fields as RFC 4180 says; quotes elsewhere in a field are text. A line that violates this (a field
that begins with a quoted word) is split at the delimiters if that gives as many fields as other lines have. In tsv a
quote is text, unless ``quoting: true``.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import chain

from nlpipe.datasets.readers.headers import HeaderWatch
from nlpipe.datasets.readers.lines import Layout, Origin, read_lines
from nlpipe.errors import DataError, suggest
from nlpipe.tasks.task import Row

NAMED_DELIMITER = re.compile(r'"?sep=(.)"?[\r\n]*', re.IGNORECASE)
"""The first line in which some spreadsheets name the delimiter."""
LONGEST_FIELD = 1 << 30
Record = tuple[int, list[str]]
"""The line a record starts on, and its fields."""


def read_csv(origins: Sequence[Origin], layout: Layout) -> Iterator[Row]:
    """Rows of comma-separated files, one file after another."""
    for origin in origins:
        yield from _rows(origin, records(origin, layout, ",", quoting=True), layout)


def read_tsv(origins: Sequence[Origin], layout: Layout) -> Iterator[Row]:
    """Rows of tab-separated files, one file after another."""
    for origin in origins:
        yield from _rows(origin, records(origin, layout, "\t", quoting=False), layout)


def records(origin: Origin, layout: Layout, delimiter: str, quoting: bool) -> Iterator[Record]:
    """All records, the header included, without blank lines.

    Args:
        delimiter: that of the format, for files whose layout has none.
        quoting: that of the format, likewise.

    Raises:
        DataError: a quote never closes, or closes inside a field, or the delimiter is a quote or the end of a line.
    """
    lines = read_lines(origin, layout.encoding)
    first = next(lines, "")
    named = NAMED_DELIMITER.fullmatch(first) if quoting else None
    if named is None:
        lines = chain([first] if first else [], lines)
    before = 0 if named is None else 1
    delimiter = layout.delimiter or (delimiter if named is None else named[1])
    quoting = quoting if layout.quoting is None else layout.quoting
    if delimiter in "\r\n" or (quoting and delimiter == '"'):
        raise DataError(f"{origin.name}: the delimiter cannot be {delimiter!r}, which ends lines or encloses fields")
    if quoting:
        yield from _quoted(origin, layout, delimiter, lines, before)
        return
    for number, line in enumerate(lines, 1 + before):
        plain = _without_end(line)
        if plain:
            yield number, plain.split(delimiter)


class _Lines:
    """An iterator over lines that keeps the last line it gave."""

    def __init__(self, lines: Iterator[str]) -> None:
        self.lines = lines
        self.last = ""

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        self.last = next(self.lines)
        return self.last


def _quoted(origin: Origin, layout: Layout, delimiter: str, file_lines: Iterator[str], before: int) -> Iterator[Record]:
    """The records of ``file_lines``, which are those of the file without ``before`` at its beginning."""
    csv.field_size_limit(LONGEST_FIELD)  # the default, 128 KB, is shorter than long texts
    lines = _Lines(file_lines)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    width = 0
    while True:
        first = before + reader.line_num + 1
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            values = _without_end(lines.last).split(delimiter)
            last = before + reader.line_num
            if last != first or len(values) != width:
                raise _bad_quote(origin, layout, delimiter, first, last, error) from error
        if values:
            width = width or len(values)
            yield first, values


def _bad_quote(origin: Origin, layout: Layout, delimiter: str, first: int, last: int, error: csv.Error) -> DataError:
    remedy = 'write quotes inside a quoted field twice (""), or quoting: false if they never enclose fields'
    if "unexpected end" in str(error):
        line = _opened_on(origin, layout, delimiter, first)
        return DataError(f"{origin.name}:{line}: a quote opens here and never closes; {remedy}")
    if "after" in str(error):
        closes = "" if first == last else f" (it closes on line {last})"
        return DataError(f"{origin.name}:{first}: a quote closes inside a field{closes}; {remedy}")
    return DataError(f"{origin.name}:{first}: {error}")


def _opened_on(origin: Origin, layout: Layout, delimiter: str, first: int) -> int:
    """The line of the quote that is open at the end of the file, in the record that begins on line ``first``."""
    inside, opened = False, first
    for number, line in enumerate(read_lines(origin, layout.encoding), 1):
        if number < first:
            continue
        i, before = 0, delimiter
        while i < len(line):
            if line[i] == '"' and inside and line[i + 1 : i + 2] == '"':
                i += 1
            elif line[i] == '"' and inside:
                inside = False
            elif line[i] == '"' and before == delimiter:
                inside, opened = True, number
            before = line[i]
            i += 1
    return opened


def _without_end(line: str) -> str:
    return line.removesuffix("\n").removesuffix("\r")


def _rows(origin: Origin, file_records: Iterator[Record], layout: Layout) -> Iterator[Row]:
    """Records as rows with the layout's columns, by role.

    Raises:
        DataError: the file is empty, a column is missing, or a record has more or fewer fields than the first.
    """
    start = next(file_records, None)
    if start is None:
        raise DataError(f"{origin.name}: the file is empty")
    line, first = start
    named = any(isinstance(column, str) for column in layout.columns.values())
    header = named if layout.header is None else layout.header
    if named and not header:
        raise DataError(f"{origin.name}: header: false, but columns are given by name; give their indices")
    places = [(role, _place(origin, line, first, column)) for role, column in layout.columns.items()]
    name, columns, width = origin.name, layout.columns, len(first)
    headings = (
        [heading.strip() or str(i) for i, heading in enumerate(first)] if header else list(map(str, range(width)))
    )

    def record(values: list[str]) -> dict[str, str]:
        return dict(zip(headings, values, strict=False)) if layout.whole else {}

    watched = range(width) if layout.whole else [place for _, place in places]
    watch = HeaderWatch(layout.ledger, name, watched, dict(places).get("label"))
    plain, last = watch.plain, watch.last
    if header:
        watch.header(first)
    else:
        watch.first(line, first)
        yield Row({role: first[place] for role, place in places}, name, line, columns, (), record(first))
    for line, values in file_records:
        if len(values) != width:
            _check_width(origin, line, values, width, header)
        if values[last] in plain or not watch.repeats(line, values) or layout.whole:
            yield Row({role: values[place] for role, place in places}, name, line, columns, (), record(values))
    watch.end()


def _check_width(origin: Origin, line: int, values: list[str], width: int, header: bool) -> None:
    if len(values) > width and not any(values[width:]):
        return  # only delimiters at the end of the line
    model = "header" if header else "first record"
    fault = "too few" if len(values) < width else "too many"
    raise DataError(f"{origin.name}:{line}: {fault} fields: {len(values)}, where the {model} has {width}")


def _place(origin: Origin, line: int, first: list[str], column: str | int) -> int:
    """The index of a column in a record.

    Raises:
        DataError: there is no such column, or several have this name.
    """
    if isinstance(column, int):
        if not -len(first) <= column < len(first):
            raise DataError(
                f"{origin.name}:{line}: there is no column {column}; the first record has {len(first)}, "
                f"0 to {len(first) - 1}"
            )
        return column % len(first)
    names = [name.strip() for name in first]
    if names.count(column) == 1:
        return names.index(column)
    if column in names:
        raise DataError(f"{origin.name}:{line}: {names.count(column)} columns are called '{column}'; give the index")
    near = suggest(column, names)
    others = f"{near} There are: " if near.startswith("; did") else "; there are: "
    message = f"there is no column '{column}'{others}{', '.join(names)}"
    raise DataError(f"{origin.name}:{line}: {message}; give the column in columns:, by name or by number")
