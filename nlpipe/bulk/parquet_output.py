"""Answers as a parquet file, written in groups of rows."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from nlpipe.errors import NlpipeError
from nlpipe.names import missing_extra

GROUP = 1 << 14
"""Rows that are in memory together, and whose values decide the types of the columns."""


class ParquetFile:
    """A new parquet file of objects that come as JSON Lines; the columns and their types are those of the first rows.

    A column without a value in the first rows holds texts.

    Args:
        like: an earlier part of the same table, whose columns and types this one gets.

    Raises:
        MissingExtra: pyarrow is not installed.
    """

    def __init__(self, path: Path, like: Path | None = None) -> None:
        try:
            import pyarrow.parquet
        except ModuleNotFoundError as error:
            raise missing_extra("--format parquet", error) from error
        self.path = path
        self.rows: list[dict[str, Any]] = []
        self.count = 0
        self.schema: Any = None if like is None else pyarrow.parquet.read_schema(like)
        self.writer: Any = None

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

        try:
            if self.schema is None:
                names = list(dict.fromkeys(name for row in rows for name in row))
                fields = pyarrow.Table.from_pylist([{name: row.get(name) for name in names} for row in rows]).schema
                text = pyarrow.string()
                self.schema = pyarrow.schema(
                    [field.with_type(text) if pyarrow.types.is_null(field.type) else field for field in fields]
                )
            known = set(self.schema.names)
            if unknown := next((name for row in rows for name in row if name not in known), None):
                raise NlpipeError(f"the field '{unknown}' is not in the first rows; --format jsonl takes any")
            table = pyarrow.Table.from_pylist(rows, schema=self.schema)
        # Each stands for a kind of value: text among numbers, a list, values of several types, a number beyond 64 bits.
        # Their common base would also take a lack of memory for a fault of the data.
        except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError, pyarrow.ArrowNotImplementedError, OverflowError) as error:
            place = f"answers {self.count + 1} to {self.count + len(rows)}"
            raise NlpipeError(
                f"{place}: a column of parquet has values of one type: {error}; --format jsonl takes any"
            ) from None
        if self.writer is None:
            self.writer = pyarrow.parquet.ParquetWriter(self.path, self.schema)
        self.writer.write_table(table)
        self.count += len(rows)
