"""Rows to examples that know where they stand in the files, and the slices that a column of the data puts them in."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
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
    """The roles and columns to read for the ``slices`` and the ``group`` of a card."""
    columns = {f"slice {name}": column for name, column in card.slice_columns().items()}
    return columns if card.group is None else {**columns, "group": card.group}


def examples(task: Task, clean_rows: Iterator[Row], card: Card, note: Note) -> Split:
    """The examples of the rows, with where each stands, its group, and its values of the columns of ``slices``.

    A task makes one example of each row; where a user's own leaves rows out or joins them, none of it is known.

    Raises:
        DataError: the card has groups and they are not known, or a column of ``slices`` has very many values.
    """
    files: dict[str, int] = {}
    file, line = array("l"), array("q")
    columns: dict[str, list[str]] = {name: [] for name in card.slices}
    groups: list[str] | None = None if card.group is None else []

    def recorded() -> Iterator[Row]:
        for row in clean_rows:
            file.append(files.setdefault(row.path, len(files)))
            line.append(row.line)
            for name, values in columns.items():
                values.append(_slice(row, f"slice {name}"))
            if groups is not None:
                groups.append(_slice(row, "group"))
            yield row

    split = task.split(recorded(), card.labels, note)
    if len(split) != len(line):
        if groups is not None:
            raise DataError(f"{next(iter(files))}: group: the task {task.name} does not make one example of each row")
        return split
    for name, values in columns.items():
        if len(set(values)) > MOST_SLICES:
            raise DataError(
                f"{next(iter(files))}: slices: column '{name}' has {len(set(values)):,} different values, and "
                f"{MOST_SLICES} can be told apart in a report; name one with fewer"
            )
    origins = Origins(tuple(files), np.array(file, np.int32), np.array(line, np.int64))
    return replace(split, origins=origins, columns=columns, groups=groups)


def _slice(row: Row, role: str) -> str:
    """The value of a row in a column of ``slices`` or ``group``; of a sentence in conll that of all its words.

    Raises:
        DataError: its words have several values.
    """
    value = row.fields[role]
    if isinstance(value, list):
        distinct = list(dict.fromkeys(map(str, value)))
        if len(distinct) != 1:
            raise DataError(f"{row.place(role)}: {', '.join(distinct[:MAX_SHOWN])}: an example has one value of it")
        value = distinct[0]
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else clean_label(str(value))
