"""parquet: a table of typed columns, read by pyarrow; rows are counted from 1."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from typing import Any

from nlpipe.datasets.readers.lines import Layout, Origin
from nlpipe.errors import DataError, suggest
from nlpipe.names import missing_extra
from nlpipe.tasks.task import Row

AT_ONCE = 4_096
"""Rows that are in memory together."""


def read_parquet(origins: Sequence[Origin], layout: Layout) -> Iterator[Row]:
    """Rows of files, one after another; the fields of an empty cell, and of NaN, are None.

    Raises:
        DataError: a file is not parquet, has no rows, or lacks a column.
        MissingExtra: pyarrow is not installed.
    """
    for role, column in layout.columns.items():
        if isinstance(column, int):
            raise DataError(f"parquet has no column {column} for '{role}': give its name")
    for origin in origins:
        number = 0
        for number, record in enumerate(parquet_rows(origin, None if layout.whole else layout.columns), 1):
            fields = {role: record[str(column)] for role, column in layout.columns.items()}
            yield Row(fields, origin.name, number, layout.columns, (), record if layout.whole else {})
        if not number:
            raise DataError(f"{origin.name}: there are no rows")


def parquet_rows(origin: Origin, columns: Any = None) -> Iterator[dict[str, Any]]:
    """Column to value of each row.

    Args:
        columns: role to the column to read; None for all columns.

    Raises:
        DataError: the file is not parquet, or lacks a column.
        MissingExtra: pyarrow is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        raise missing_extra("format 'parquet'", error) from error
    count = 0
    try:
        with origin.open() as stream:
            file = pyarrow.parquet.ParquetFile(stream if stream.seekable() else io.BytesIO(stream.read()))
            names = file.schema_arrow.names
            for role, column in (columns or {}).items():
                if column not in names:
                    near = suggest(column, names)
                    raise DataError(f"{origin.name}: there is no column '{column}' for '{role}'{near}")
            wanted = None if columns is None else sorted(set(columns.values()))
            for batch in file.iter_batches(AT_ONCE, columns=wanted):
                for record in batch.to_pylist():
                    yield {name: _plain(value) for name, value in record.items()}
                count += batch.num_rows
    except (OSError, pyarrow.ArrowException) as error:
        if isinstance(error, OSError) and not isinstance(error, pyarrow.ArrowException) and error.strerror:
            raise DataError(f"{origin.name}: cannot be read: {error.strerror}") from None
        fault = f"damaged after row {count}" if count else "not a parquet file, or damaged"
        raise DataError(f"{origin.name}: {fault}: {error}") from None


def _plain(value: Any) -> Any:
    """A cell as JSON has it; dates and decimals as text."""
    if isinstance(value, float) and math.isnan(value):
        return None
    return value if value is None or isinstance(value, str | bool | int | float | list | dict) else str(value)
