r"""Bytes to lines: gzip, byte order marks and encodings, with the line number of every fault.

Only ``\n`` ends a line, or ``\r`` in a file that has no ``\n``. U+2028, U+0085 and other separators are text, so
``str.splitlines`` is not used here. Lines and unpacked files have bounds, so that a damaged or hostile file is an error
and not the end of the memory.
"""

from __future__ import annotations

import codecs
import gzip
import io
import stat
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
LONGEST_LINE = 1 << 25
"""Bytes of a line, 32 MiB: more than any text that people write."""
UNPACKED = 1 << 22
"""Bytes that any gzipped file may hold, 4 MiB; more only if they are at most ``MOST_TIMES`` the packed ones."""
MOST_TIMES = 200
"""Texts, and tables with much repetition, shrink to a tenth or a fiftieth of their size; zeros to a thousandth."""
NO_FILE_ENCODINGS = frozenset({"idna", "punycode", "raw-unicode-escape", "unicode-escape"})
"""Codecs of Python that spell names or literals; no file of texts is written in them."""


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
    """The stream of a regular file.

    Raises:
        DataError: it is a folder, a pipe or a device, which might never end.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
        raise DataError(f"{path}: this is {kind}; expected a file")
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
        comment: what lines begin with that are comments, in conll; empty for none; None: see that format.
        ledger: what the reader leaves out is counted here.
        whole: whether every record is given, with all its fields: what training leaves out because it has no answer, or
            looks like a header, still has an input that can be answered.
    """

    columns: Mapping[str, str | int] = field(default_factory=dict)
    header: bool | None = None
    encoding: str = "utf-8"
    quoting: bool | None = None
    delimiter: str | None = None
    ledger: Ledger = field(default_factory=Ledger)
    whole: bool = False
    comment: str | None = None


def is_text_encoding(name: str) -> bool:
    """Whether ``name`` is a codec of Python's in which files of text are written."""
    try:
        codec = codecs.lookup(name)
        usual = codec._is_text_encoding and codec.name.replace("_", "-") not in NO_FILE_ENCODINGS
        return usual and "a".encode(name).decode(name) == "a"
    except (LookupError, UnicodeError, ValueError):  # 'undefined' refuses all text; a name with a null character
        return False


def read_lines(origin: Origin, encoding: str = "utf-8") -> Iterator[str]:
    """The lines of a file with their ends, read lazily; gzip is recognised by the first bytes.

    Raises:
        DataError: the file cannot be opened or unpacked, holds a line of more than 32 MiB or far more than its packed
            size, or a line is not in this encoding.
    """
    try:
        with origin.open() as stream, _buffered(packed := _Counted(stream)) as whole:
            if whole.peek(2)[:2] == b"\x1f\x8b":
                with gzip.open(whole) as unpacked, _buffered(_Counted(unpacked, origin.name, packed)) as plain:
                    yield from _decoded(plain, origin.name, encoding)
            else:
                yield from _decoded(whole, origin.name, encoding)
    except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile) as error:
        raise DataError(f"{origin.name}: the file is damaged and cannot be unpacked: {error}") from error
    except OSError as error:
        raise DataError(f"{origin.name}: cannot be read: {error.strerror or error}") from error


class _Counted(io.RawIOBase):
    """A stream that counts its bytes and, where they are unpacked from another, stops when they are far too many."""

    def __init__(self, stream: Any, name: str = "", packed: _Counted | None = None) -> None:
        self.stream = stream
        self.name = name
        self.packed = packed
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count: int = self.stream.readinto(buffer) or 0
        self.count += count
        if self.packed is not None and self.count > max(UNPACKED, MOST_TIMES * self.packed.count):
            raise DataError(
                f"{self.name}: unpacks to more than {MOST_TIMES} times its size: a damaged file, or one made to fill "
                "the memory; unpack it yourself if it is neither"
            )
        return count


def _buffered(stream: io.RawIOBase) -> io.BufferedReader[Any]:
    return io.BufferedReader(stream, BUFFER)


def _decoded(stream: io.BufferedReader[Any], name: str, encoding: str) -> Iterator[str]:
    codec = codecs.lookup(encoding).name
    codec = "utf-8" if codec == "utf-8-sig" else codec
    returns = _ends_in_returns(stream, codec)
    if "\n".encode(codec) != b"\n":
        yield from _decoded_wide(stream, name, codec, "\r" if returns else "\n")
        return
    for number, raw in enumerate(_raw_lines(stream, name, b"\r" if returns else b"\n"), 1):
        try:
            line = raw.decode(codec)
        except UnicodeDecodeError as error:
            utf_16 = raw[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) and number == 1
            remedy = "it looks like UTF-16, write encoding: utf-16" if utf_16 else "write its encoding: cp1252, say"
            byte = f"byte {error.start + 1} of the line (0x{raw[error.start]:02x})"
            raise DataError(f"{name}:{number}: {byte} is not {codec}; {remedy}") from error
        yield line.removeprefix("\ufeff")


def _ends_in_returns(stream: io.BufferedReader[Any], codec: str) -> bool:
    """Whether carriage returns alone end the lines, as the beginning of the file shows."""
    try:
        start = codecs.getincrementaldecoder(codec)("ignore").decode(stream.peek(BUFFER))
    except UnicodeError:  # UTF-16 without its byte order mark: reading the lines says so
        return False
    return "\r" in start[:-1] and "\n" not in start


def _raw_lines(stream: io.BufferedReader[Any], name: str, end: bytes) -> Iterator[bytes]:
    """The lines with their ends; the parts of long ones are joined when they are whole."""
    parts: list[bytes] = []
    size, count = 0, 0
    while block := stream.read1(BUFFER):
        if end == b"\r" and b"\n" in block:
            raise _mixed_ends(name, count + 1 + block.count(b"\r", 0, block.index(b"\n")))
        first, *others = block.split(end)
        parts.append(first)
        size += len(first)
        if size > LONGEST_LINE:
            raise _too_long(name, count + 1)
        if others:
            yield b"".join(parts) + end
            *whole, last = others
            for line in whole:
                yield line + end
            count += len(others)
            parts, size = [last], len(last)
    if size:
        yield b"".join(parts)


def _mixed_ends(name: str, number: int) -> DataError:
    return DataError(
        f"{name}:{number}: a line feed, where the lines before end in carriage returns alone; "
        "convert them to line feeds"
    )


def _too_long(name: str, number: int) -> DataError:
    return DataError(f"{name}:{number}: the line is longer than {LONGEST_LINE >> 20} MiB; is this a file of texts?")


def _decoded_wide(stream: io.BufferedReader[Any], name: str, codec: str, end: str) -> Iterator[str]:
    """The lines in an encoding that writes a line feed in more than one byte, or in another."""
    number = 0
    wrapper = io.TextIOWrapper(stream, codec, newline=end)
    try:
        for number, line in enumerate(iter(partial(wrapper.readline, LONGEST_LINE + 1), ""), 1):
            if len(line) > LONGEST_LINE:
                raise _too_long(name, number)
            if end == "\r" and "\n" in line:
                raise _mixed_ends(name, number)
            yield line.removeprefix("\ufeff")
    except UnicodeError as error:
        raise DataError(f"{name}:{number + 1}: here or soon after is text that is not {codec}: {error}") from error
    finally:
        wrapper.detach()  # the stream is closed where it was opened
