"""Files on disk."""

from __future__ import annotations

from nlpipe.datasets.card_finder import existing
from nlpipe.datasets.cards import FileSource
from nlpipe.datasets.readers.lines import Origin, file_origin
from nlpipe.errors import DataError
from nlpipe.wheels import sha256_of


def file_origins(source: FileSource, split: str) -> list[Origin]:
    """The files of a split, checked against their hashes where the card has them.

    Raises:
        DataError: a file is missing or its hash differs.
    """
    origins = []
    for name in getattr(source, split):
        path = existing(name)
        expected = source.sha256.get(name)
        if expected is not None and (actual := sha256_of(path)) != expected.lower():
            raise DataError(f"{path}: the file has sha256 {actual}, but the card expects {expected}")
        origins.append(file_origin(path))
    return origins
