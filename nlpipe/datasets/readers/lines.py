r"""Bytes to lines: gzip, byte order marks and encodings, with the line number of every fault.

Only ``\n`` ends a line. U+2028, U+0085 and other separators are text, so ``str.splitlines`` is not used here.
"""

from __future__ import annotations

import codecs
import gzip
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any

from nlpipe.errors import DataError
from nlpipe.tasks.task import Ledger

BUFFER = 1 << 20


@dataclass(frozen=True)
class Origin:
    """A file that can be opened: on disk, or inside a wheel.

    Args:
        name: its name in messages.
        open: returns a stream of its bytes, which the reader closes.
    """

    name: str
    open: Callable[[], IO[bytes]]


def file_origin(path: str | Path) -> Origin:
    """A file on disk, which need not exist before it is read."""
    return Origin(str(path), partial(_open, Path(path)))


def _open(path: Path) -> IO[bytes]:
    return path.open("rb", buffering=0)


@dataclass(frozen=True)
class Layout:
    """How a file is laid out.

    Args:
        columns: role to the column's name, or its index from 0 (from the end where negative).
        header: whether the first line has the columns' names; None: it has if a column is given by name.
        encoding: an encoding of Python's; a byte order mark is removed.
        quoting: whether ``"`` encloses fields; None: as the format has it.
        delimiter: the character between fields; None: as the format has it.
        ledger: what the reader leaves out is counted here.
    """

    columns: Mapping[str, str | int] = field(default_factory=dict)
    header: bool | None = None
    encoding: str = "utf-8"
    quoting: bool | None = None
    delimiter: str | None = None
    ledger: Ledger = field(default_factory=Ledger)


def read_lines(origin: Origin, encoding: str = "utf-8") -> Iterator[str]:
    """The lines of a file with their ends, read lazily; gzip is recognised by the first bytes.

    Raises:
        DataError: the file cannot be opened or unpacked, or a line is not in this encoding.
    """
    try:
        with origin.open() as stream, _buffered(stream) as whole:
            if whole.peek(2)[:2] == b"\x1f\x8b":
                with gzip.open(whole) as unpacked, _buffered(unpacked) as plain:
                    yield from _decoded(plain, origin.name, encoding)
            else:
                yield from _decoded(whole, origin.name, encoding)
    except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile) as error:
        raise DataError(f"{origin.name}: the file is damaged and cannot be unpacked: {error}") from error
    except OSError as error:
        raise DataError(f"{origin.name}: cannot be read: {error.strerror or error}") from error


def _buffered(stream: Any) -> io.BufferedReader[Any]:
    return io.BufferedReader(stream, BUFFER)


def _decoded(stream: io.BufferedReader[Any], name: str, encoding: str) -> Iterator[str]:
    codec = codecs.lookup(encoding).name
    codec = "utf-8" if codec == "utf-8-sig" else codec
    if "\n".encode(codec) != b"\n":
        yield from _decoded_wide(stream, name, codec)
        return
    for number, raw in enumerate(stream, 1):
        try:
            line = raw.decode(codec)
        except UnicodeDecodeError as error:
            utf_16 = raw[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) and number == 1
            remedy = "it looks like UTF-16, write encoding: utf-16" if utf_16 else "write its encoding: cp1252, say"
            byte = f"byte {error.start + 1} of the line (0x{raw[error.start]:02x})"
            raise DataError(f"{name}:{number}: {byte} is not {codec}; {remedy}") from error
        if number == 1:
            line = line.removeprefix("\ufeff")
            if "\r" in line[:-1] and not line.endswith("\n"):
                raise DataError(f"{name}:1: lines end in carriage returns alone; convert them to line feeds")
        yield line


def _decoded_wide(stream: io.BufferedReader[Any], name: str, codec: str) -> Iterator[str]:
    """The lines in an encoding that writes a line feed in more than one byte."""
    number = 0
    try:
        for number, line in enumerate(io.TextIOWrapper(stream, codec, newline="\n"), 1):
            yield line.removeprefix("\ufeff") if number == 1 else line
    except UnicodeError as error:
        raise DataError(f"{name}:{number + 1}: here or soon after is text that is not {codec}: {error}") from error
