"""text: plain text, a row a line; the task decides what makes a document of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nlpipe.datasets.readers.lines import Layout, Origin, read_lines
from nlpipe.errors import DataError
from nlpipe.tasks.task import Row


def read_text(origins: Sequence[Origin], layout: Layout) -> Iterator[Row]:
    """Rows of files, one file after another; blank lines are rows too.

    Every role has the whole line, without its end.

    Raises:
        DataError: a file is empty, or has a null character: it is no file of text.
    """
    for origin in origins:
        empty = True
        for number, line in enumerate(read_lines(origin, layout.encoding), 1):
            text = line.removesuffix("\n").removesuffix("\r")
            if "\0" in text:
                raise DataError(f"{origin.name}:{number}: a null character; is this a file of text?")
            empty = empty and not text.strip()
            yield Row(dict.fromkeys(layout.columns, text), origin.name, number, layout.columns)
        if empty:
            raise DataError(f"{origin.name}: the file is empty")
