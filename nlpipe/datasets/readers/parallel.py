"""parallel: two files side by side, one text a line; each line of the second file belongs to that of the first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any

from nlpipe.datasets.readers.lines import Layout, Origin, read_lines
from nlpipe.errors import DataError
from nlpipe.tasks.task import Row


def read_parallel(origins: Sequence[Origin], layout: Layout) -> Iterator[Row]:
    """Rows of pairs of files, one pair after another; empty lines are rows too.

    Columns are 0, the first file (also ``source``), and 1, the second (``target``): ``{source: 1, target: 0}`` reads
    the other direction.

    Raises:
        DataError: the files are not pairs, or have unequal numbers of lines; a column is neither of the two.
    """
    if len(origins) % 2:
        names = ", ".join(origin.name for origin in origins)
        raise DataError(f"parallel reads pairs of files, [source, target]; {len(origins)} are given: {names}")
    sides = {role: _side(role, column) for role, column in layout.columns.items()}
    for pair in zip(origins[::2], origins[1::2], strict=True):
        lines = zip_longest(*(read_lines(origin, layout.encoding) for origin in pair))
        number = 0
        for number, both in enumerate(lines, 1):
            if None in both:
                _unequal(pair, both.index(None), number, lines)
            texts = [str(line).removesuffix("\n").removesuffix("\r") for line in both]
            yield Row({role: texts[side] for role, side in sides.items()}, pair[0].name, number, layout.columns)
        if not number:
            raise DataError(f"{pair[0].name}: the file is empty")


def _side(role: str, column: str | int) -> int:
    sides: dict[str | int, int] = {"source": 0, "target": 1, 0: 0, 1: 1}
    if column not in sides:
        raise DataError(f"parallel has no column {column!r} for '{role}': 0 is the first file, 1 the second")
    return sides[column]


def _unequal(pair: tuple[Origin, Origin], shorter: int, number: int, lines: Iterator[tuple[str | Any, ...]]) -> None:
    """Raise the error for files of unequal length, after counting the remaining ``lines``.

    Raises:
        DataError: always.
    """
    total = number + sum(1 for _ in lines)
    short, long = pair[shorter].name, pair[1 - shorter].name
    raise DataError(
        f"{long}:{number}: this line has no partner: {short} ends after {number - 1} lines, {long} has {total}; "
        "the files must be parallel, line by line"
    )
