"""Sources: the rows of a card's splits out of files, members of a wheel, or the hub. One file a source."""

from __future__ import annotations

from collections.abc import Iterator

from nlpipe.datasets.card_finder import LocatedCard
from nlpipe.datasets.cards import FileSource, HubSource
from nlpipe.datasets.readers import Layout, reader
from nlpipe.tasks.task import Ledger, Row


def rows(located: LocatedCard, split: str, columns: dict[str, str | int], ledger: Ledger) -> Iterator[Row] | None:
    """The rows of a split, read lazily; None if the card has no such split.

    Args:
        columns: role to column.
        ledger: what the reader leaves out is counted here.

    Raises:
        DataError: the source cannot be reached or its hash differs; while rows are read, any fault of the files.
        MissingExtra: the hub's package is not installed.
    """
    source = located.card.origin()
    if not getattr(source, split):
        return None
    if isinstance(source, HubSource):
        from nlpipe.datasets.sources.hub import hub_rows

        return hub_rows(located, source, split, columns)
    if isinstance(source, FileSource):
        from nlpipe.datasets.sources.file import file_origins

        origins = file_origins(source, split)
    else:
        from nlpipe.datasets.sources.wheel import wheel_origins

        origins = wheel_origins(source, split)
    card = located.card
    layout = Layout(columns, card.header, card.encoding, card.quoting, card.delimiter, ledger, comment=card.comment)
    return reader(card.layout_format())(origins, layout)
