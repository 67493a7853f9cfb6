"""jsonl: one JSON object a line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from nlpipe.datasets.readers.lines import Layout, Origin, read_lines
from nlpipe.errors import DataError, suggest
from nlpipe.json_reader import parse_json
from nlpipe.tasks.task import Row


def read_json_lines(origins: Sequence[Origin], layout: Layout) -> Iterator[Row]:
    """Rows of files with one object a line, one file after another, without blank lines.

    Raises:
        DataError: a file is empty, a line is not a JSON object, or an object lacks a column.
    """
    for role, column in layout.columns.items():
        if isinstance(column, int):
            raise DataError(f"jsonl has no column {column} for '{role}': give the key's name")
    for origin in origins:
        empty = True
        for line, record in objects(origin, layout.encoding):
            empty = False
            yield Row({role: _value(origin, line, record, role, column) for role, column in layout.columns.items()},
                      origin.name, line, layout.columns, (), record if layout.whole else {})  # fmt: skip
        if empty:
            raise DataError(f"{origin.name}: the file is empty")


def objects(origin: Origin, encoding: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number and object of each line.

    Raises:
        DataError: a line is not a JSON object.
    """
    for number, line in enumerate(read_lines(origin, encoding), 1):
        if not line.strip():
            continue
        record = parse_json(line.rstrip("\r\n"), f"{origin.name}:{number}")
        if not isinstance(record, dict):
            raise DataError(f"{origin.name}:{number}: a {type(record).__name__}, not an object of named fields")
        yield number, record


def _value(origin: Origin, line: int, record: dict[str, Any], role: str, column: str | int) -> Any:
    name = str(column)
    if name in record:
        return record[name]
    near = suggest(name, record)
    others = f"{near} There are: " if near.startswith("; did") else "; there are: "
    raise DataError(
        f"{origin.name}:{line}: there is no '{name}'{others}{', '.join(record) or 'no fields'}; "
        f"give the field of the {role} as columns: {{{role}: NAME}}"
    )
