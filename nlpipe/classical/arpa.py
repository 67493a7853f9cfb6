"""N-gram models as ARPA files, which KenLM, SRILM, speech recognisers and others read.

The file has, for each length, the n-grams with log10 p(last word | the words before) and log10 of the mass that is left
to words which were not seen after them (the backoff weight, left out where it is 1).

Stanford Research Institute, "ngram-format" (manual of SRILM): the format.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import numpy as np

from nlpipe.classical.ngram_model import NgramModel
from nlpipe.errors import DataError
from nlpipe.files import whole_file
from nlpipe.vocabulary import SPECIAL, unescaped

PART = 100_000
"""N-grams that are written at once, so that memory does not grow with the model."""
NEVER = -99.0
"""Log10 of the probability of the start of a text, which is never predicted; by convention."""


def write_arpa(model: NgramModel, words: Sequence[str], path: Path) -> None:
    """Write ``model`` as an ARPA file; an older file is replaced when the new one is complete.

    Numbers have seven digits. The probability of unknown words is that of ``<unk>`` alone, without their spelling.

    Args:
        model: fitted; over V words.
        words: all V words; the start and the end of a text are ``<s>`` and ``</s>``, unknown words ``<unk>``.
        path: compressed if it ends in ``.gz``.

    Raises:
        DataError: two words would have the same name in the file; see ``arpa_word``.
        NlpipeError: the file cannot be written.
    """
    names = _names(words)
    predicted = np.isfinite(model.unigrams)
    predicted[model.start] = True
    singles = np.flatnonzero(predicted)
    unigrams = np.where(np.arange(len(words)) == model.start, NEVER, model.unigrams / np.log(10))
    levels = [singles, *(np.arange(len(keys)) for keys in model.keys)]
    with whole_file(path) as partial, _opened(partial, compressed=path.suffix == ".gz") as file:
        file.write("\\data\\\n")
        file.writelines(f"ngram {n}={len(ids)}\n" for n, ids in enumerate(levels, 1))
        for n, ids in enumerate(levels, 1):
            file.write(f"\n\\{n}-grams:\n")
            logs = unigrams if n == 1 else model.logs[n - 2] / np.log(10)
            gammas = model.gammas[n - 1] / np.log(10) if n < model.order else np.zeros(len(logs))
            for i in range(0, len(ids), PART):
                part = ids[i : i + PART]
                file.writelines(_lines(_ngrams(model, n, part, names), logs[part], gammas[part]))
        file.write("\n\\end\\\n")


def arpa_word(word: str) -> str:
    r"""The name of ``word`` in an ARPA file, in which white space separates words: the word itself, mostly.

    White space, NUL and surrogates, which UTF-8 lacks, are written as ``\u0020`` is; so is the first character of a
    word of the text that is spelled like a special one, ``<s>`` say, or ``<UNK>``, which KenLM takes for ``<unk>``.
    """
    if word in SPECIAL or word == "<UNK>":
        return rf"\u003c{word[1:]}"
    if word.isprintable() and " " not in word:
        return word
    return "".join(
        f"\\u{ord(char):04x}" if char.isspace() or char == "\0" or "\ud800" <= char <= "\udfff" else char
        for char in word
    )


def _names(words: Sequence[str]) -> list[str]:
    """The names of all words.

    Raises:
        DataError: a word is empty, or two words have the same name.
    """
    names = [word if word in SPECIAL else arpa_word(own) for word, own in zip(words, unescaped(words), strict=True)]
    owners = dict(zip(names, words, strict=True))
    if "" in owners:
        raise DataError("an empty word has no name in an ARPA file; remove it from the vocabulary")
    for word, name in zip(words, names, strict=True):
        if owners[name] != word:
            both = f"{word!r} and {owners[name]!r}"
            raise DataError(f"{both} would both be {name} in an ARPA file; replace one of them in the texts")
    return names


def _ngrams(model: NgramModel, n: int, ids: np.ndarray, names: list[str]) -> Iterator[str]:
    """The words of the n-grams of n words with these ``ids``."""
    columns, size = [], len(names)
    for keys in reversed(model.keys[: n - 1]):
        columns.append(keys[ids] % size)
        ids = keys[ids] // size
    columns.append(ids)
    for row in zip(*(column.tolist() for column in reversed(columns)), strict=True):
        yield " ".join([names[i] for i in row])


def _lines(ngrams: Iterator[str], logs: np.ndarray, gammas: np.ndarray) -> Iterator[str]:
    """A line for each n-gram."""
    for ngram, log, gamma in zip(ngrams, np.minimum(logs, 0.0).tolist(), gammas.tolist(), strict=True):
        yield f"{log:.7g}\t{ngram}\t{gamma:.7g}\n" if gamma else f"{log:.7g}\t{ngram}\n"


@contextmanager
def _opened(path: Path, compressed: bool) -> Iterator[TextIO]:
    """A text file to write to; the same model gives the same bytes."""
    with path.open("wb") as raw:
        if not compressed:
            with io.TextIOWrapper(raw, encoding="utf-8", newline="\n") as file:
                yield file
            return
        with (
            gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed,
            io.TextIOWrapper(packed, encoding="utf-8", newline="\n") as file,
        ):
            yield file
