"""Rows to examples that know where they stand in the files, and the slices that a column of the data puts them in."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from nlpipe.datasets.cards import Card
from nlpipe.errors import DataError
from nlpipe.labels import clean_label
from nlpipe.tasks.task import Note, Origins, Row, Split, Task

MOST_SLICES = 50
"""Values of a column that divides the examples into slices."""
MAX_SHOWN = 5
"""Values that a message names."""


def slice_columns(card: Card) -> dict[str, str | int]:
    """The roles and columns to read for the ``slices`` of a card."""
    return {f"slice {name}": column for name, column in card.slice_columns().items()}


def examples(
    task: Task, clean_rows: Iterator[Row], labels: Mapping[str, str] | None, note: Note, slices: Sequence[str]
) -> Split:
    """The examples of the rows, with where each stands and its values of the columns ``slices``.

    A task makes one example of each row; where a user's own leaves rows out or joins them, neither is known.
    """
    files: dict[str, int] = {}
    file, line = array("l"), array("q")
    columns: dict[str, list[str]] = {name: [] for name in slices}

    def recorded() -> Iterator[Row]:
        for row in clean_rows:
            file.append(files.setdefault(row.path, len(files)))
            line.append(row.line)
            for name, values in columns.items():
                values.append(_slice(row, f"slice {name}"))
            yield row

    split = task.split(recorded(), labels, note)
    if len(split) != len(line):
        return split
    for name, values in columns.items():
        if len(set(values)) > MOST_SLICES:
            raise DataError(
                f"{next(iter(files))}: slices: column '{name}' has {len(set(values)):,} different values, and "
                f"{MOST_SLICES} can be told apart in a report; name one with fewer"
            )
    origins = Origins(tuple(files), np.array(file, np.int32), np.array(line, np.int64))
    return replace(split, origins=origins, columns=columns)


def _slice(row: Row, role: str) -> str:
    """The value of a row in a column of ``slices``; of a sentence in conll the one that all its words have.

    Raises:
        DataError: its words have several values.
    """
    value = row.fields[role]
    if isinstance(value, list):
        distinct = list(dict.fromkeys(map(str, value)))
        if len(distinct) != 1:
            raise DataError(f"{row.place(role)}: {', '.join(distinct[:MAX_SHOWN])}: a slice has one value an example")
        value = distinct[0]
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else clean_label(str(value))
