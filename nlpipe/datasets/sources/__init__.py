"""Sources: where the rows of a card's splits come from: files, members of a wheel, the hub. One file a source."""

from __future__ import annotations

from collections.abc import Iterator

from nlpipe.datasets.card_finder import Found
from nlpipe.datasets.cards import FileSource, HubSource
from nlpipe.datasets.readers import Layout, reader
from nlpipe.tasks.task import Ledger, Row


def rows(found: Found, split: str, columns: dict[str, str | int], ledger: Ledger) -> Iterator[Row] | None:
    """Rows of a split as they stream; None where the card has no such split.

    Args:
        ledger: where the reader counts what it leaves out.

    Raises:
        DataError: the source cannot be reached or does not match its hash; later, any fault of the files.
        MissingExtra: the hub's package is not installed.
    """
    source = found.card.origin()
    if not getattr(source, split):
        return None
    if isinstance(source, HubSource):
        from nlpipe.datasets.sources.hub import hub_rows

        return hub_rows(found, source, split, columns)
    if isinstance(source, FileSource):
        from nlpipe.datasets.sources.file import file_origins

        origins = file_origins(source, split)
    else:
        from nlpipe.datasets.sources.wheel import wheel_origins

        origins = wheel_origins(source, split)
    card = found.card
    layout = Layout(columns, card.header, card.encoding, card.quoting, card.delimiter, ledger)
    return reader(card.layout_format())(origins, layout)
