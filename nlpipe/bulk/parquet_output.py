"""Answers as a parquet file, written in groups of rows."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nlpipe.errors import NlpipeError
from nlpipe.names import missing_extra

GROUP = 1 << 14
"""Rows that are in memory together, and whose values decide the types of the columns."""

Fields = dict[str, "Fields | None"]
"""Of an object: its fields, with those that the objects in them have."""


class ParquetFile:
    """A new parquet file of objects that come as JSON Lines; the columns and their types are those of the first rows.

    What has no value in the first rows, a column, a field or the items of a list, holds texts.

    Args:
        like: an earlier part of the same table, whose columns and types this one gets.
        example: an answer, for the types of its lists that are empty in the first rows.

    Raises:
        MissingExtra: pyarrow is not installed.
        NlpipeError: ``like`` cannot be read.
    """

    def __init__(self, path: Path, like: Path | None = None, example: Mapping[str, Any] | None = None) -> None:
        try:
            import pyarrow.parquet
        except ModuleNotFoundError as error:
            raise missing_extra("--format parquet", error) from error
        self.path = path
        self.rows: list[dict[str, Any]] = []
        self.count = 0
        self.example = example or {}
        self.schema: Any = None
        self.writer: Any = None
        if like is not None:
            try:
                self.schema = pyarrow.parquet.read_schema(like)
            except (pyarrow.ArrowInvalid, OSError) as error:
                raise NlpipeError(
                    f"{like}: not a parquet file, or damaged: {error}; remove it, and the same command makes it again"
                ) from None

    def write(self, lines: str) -> None:
        """Append rows.

        Raises:
            NlpipeError: a value is not of its column's type.
            OSError: the disk is full.
        """
        self.rows += (json.loads(line) for line in lines.split("\n") if line)
        while len(self.rows) >= GROUP:
            self._flush(self.rows[:GROUP])
            del self.rows[:GROUP]

    def close(self) -> None:
        """Write what is left, and the end of the file."""
        if self.rows or self.writer is None:
            self._flush(self.rows)
            self.rows = []
        self.writer.close()

    def abandon(self) -> None:
        """Close a file that is not to be completed."""
        if self.writer is not None:
            with contextlib.suppress(OSError):  # the disk that is full
                self.writer.close()

    def _flush(self, rows: list[dict[str, Any]]) -> None:
        import pyarrow
        import pyarrow.parquet

        place = f"answers {self.count + 1} to {self.count + len(rows)}"
        try:
            if self.schema is None:
                self.schema = self._schema(rows)
            fields: Fields = {field.name: _fields_of(field.type) for field in self.schema}
            _check_fields(rows, fields)
            table = pyarrow.Table.from_pylist(rows, schema=self.schema)
            if self.writer is None:
                self.writer = pyarrow.parquet.ParquetWriter(self.path, self.schema)
            self.writer.write_table(table)
        except NlpipeError as error:
            raise NlpipeError(f"{place}: {error}") from None
        # Each stands for a kind of value: text among numbers, a list, values of several types, a number beyond 64 bits.
        # Their common base would also take a lack of memory for a fault of the data.
        except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError, pyarrow.ArrowNotImplementedError, OverflowError) as error:
            raise NlpipeError(
                f"{place}: a column of parquet has values of one type: {error}; --format jsonl takes any"
            ) from None
        self.count += len(rows)

    def _schema(self, rows: list[dict[str, Any]]) -> Any:
        """The columns and types of the first rows."""
        import pyarrow

        names = list(dict.fromkeys(name for row in rows for name in row))
        fields = pyarrow.Table.from_pylist([{name: row.get(name) for name in names} for row in rows]).schema
        types = {field.name: field.type for field in fields}
        for name, value in self.example.items():
            answer = f"{name}_answered" if f"{name}_answered" in types else name
            kind = types.get(answer)
            if kind is not None and pyarrow.types.is_list(kind) and pyarrow.types.is_null(kind.value_type):
                types[answer] = pyarrow.array([value]).type
        return pyarrow.schema([(name, _known_type(kind, name)) for name, kind in types.items()])


def _known_type(kind: Any, name: str) -> Any:
    """The type ``kind`` with texts where the first rows have no value.

    Args:
        name: of the field, for messages.

    Raises:
        NlpipeError: it is an object without fields.
    """
    import pyarrow

    if pyarrow.types.is_null(kind):
        return pyarrow.string()
    if pyarrow.types.is_list(kind):
        return pyarrow.list_(_known_type(kind.value_type, name))
    if pyarrow.types.is_struct(kind):
        if not kind.num_fields:
            raise NlpipeError(
                f"the field '{name}' is {{}} in the first rows, and an object of parquet has fields; --format jsonl "
                "takes any"
            )
        return pyarrow.struct([field.with_type(_known_type(field.type, f"{name}.{field.name}")) for field in kind])
    return kind


def _fields_of(kind: Any) -> Fields | None:
    """The fields of the objects that a column has, itself or in lists; None where it has none."""
    import pyarrow

    while pyarrow.types.is_list(kind):
        kind = kind.value_type
    return {field.name: _fields_of(field.type) for field in kind} if pyarrow.types.is_struct(kind) else None


def _check_fields(value: Any, fields: Fields, path: str = "") -> None:
    """Check that ``fields`` has all that ``value``, an object or a list of them, has; pyarrow leaves out others.

    Raises:
        NlpipeError: one is missing.
    """
    if isinstance(value, list):
        for item in value:
            _check_fields(item, fields, path)
    elif isinstance(value, dict):
        for name, item in value.items():
            if name not in fields:
                raise NlpipeError(f"the field '{path}{name}' is not in the first rows; --format jsonl takes any")
            if (inner := fields[name]) is not None:
                _check_fields(item, inner, f"{path}{name}.")
