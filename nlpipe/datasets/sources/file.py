"""Files on disk."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import IO

from nlpipe.datasets.cards import FileSource, Found, resolve
from nlpipe.datasets.readers.lines import Origin
from nlpipe.errors import DataError
from nlpipe.wheel import sha256_of


def file_origins(found: Found, source: FileSource, split: str) -> list[Origin]:
    """The files of a split, checked against their hashes where the card has them.

    Raises:
        DataError: a file is not there or is another one.
    """
    origins = []
    for written in getattr(source, split):
        path = resolve(written, found.folder)
        expected = source.sha256.get(written)
        if path.is_file() and expected is not None and (actual := sha256_of(path)) != expected.lower():
            raise DataError(f"{path}: the file has sha256 {actual}, but the card expects {expected}")
        origins.append(Origin(str(path), partial(_open, path)))
    return origins


def _open(path: Path) -> IO[bytes]:
    return path.open("rb", buffering=0)
