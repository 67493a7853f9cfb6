"""Pairs of words that people have judged, and how well cosines of vectors rank them.

WordSim-353: Finkelstein et al. 2002, "Placing Search in Context"; it rates relatedness. SimLex-999: Hill, Reichart,
Korhonen 2015; it rates similarity, so that antonyms and associates are far apart. Both come with gensim. The interval
of Spearman's correlation: Bonett and Wright 2000, "Sample Size Requirements for Estimating Pearson, Kendall and
Spearman Correlations".
"""

from __future__ import annotations

import importlib.util
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from nlpipe.errors import DataError, NlpipeError, suggest
from nlpipe.files import decode_utf8
from nlpipe.pipeline.word_space import WordSpace, unit
from nlpipe.registry import missing_extra

SETS = {"wordsim353": "wordsim353.tsv", "simlex999": "simlex999.txt"}
"""Names of sets to their files in gensim's test data."""
FEWEST = 4
"""Pairs that a correlation with an interval needs."""


@dataclass(frozen=True)
class Pair:
    """Two words and how similar people find them, on any scale."""

    one: str
    other: str
    score: float


@dataclass(frozen=True)
class Similarity:
    """How cosines agree with people.

    Args:
        name: of the set of pairs, or its file.
        pairs: their number.
        covered: pairs of which both words have a vector; the others are left out.
        composed: of these, pairs with a word whose vector is made from pieces or letters.
        correlation: Spearman's, of cosines and scores, in [-1, 1].
        low, high: its 95 % interval over pairs.
    """

    name: str
    pairs: int
    covered: int
    composed: int
    correlation: float
    low: float
    high: float


def word_similarity(space: WordSpace, source: str | Path) -> Similarity:
    """Spearman's correlation of the cosines of pairs with what people judged.

    Args:
        space: words and vectors.
        source: a name in ``SETS``, or a file: two words and a number on each line, with tabs between.

    Raises:
        DataError: the file cannot be read, or a line is malformed.
        MissingExtra: a named set is asked for, and gensim is not installed.
        NlpipeError: fewer than four pairs have vectors, or all have the same score or cosine.
    """
    name, pairs = str(source), read_pairs(source)
    words = list(dict.fromkeys(word for pair in pairs for word in (pair.one, pair.other)))
    found = dict(zip(words, space.find(words), strict=True))
    known = {word: pieces for word, pieces in found.items() if pieces is not None}
    covered = [pair for pair in pairs if pair.one in known and pair.other in known]
    if len(covered) < FEWEST:
        raise NlpipeError(
            f"{name}: {len(covered)} of {len(pairs):,} pairs have both words in the vocabulary of '{space.name}' "
            f"({space.part}); a correlation needs {FEWEST} or more"
        )
    rows = {word: i for i, word in enumerate(known)}
    vectors = unit(space.look_up(list(known.values())))  # (N, D)
    ones, others = ([rows[word] for word in side] for side in zip(*((p.one, p.other) for p in covered), strict=True))
    cosines = (vectors[ones] * vectors[others]).sum(-1)  # (number of covered pairs,)
    scores = np.array([pair.score for pair in covered])
    for what, values in (("scores", scores), ("cosines", cosines)):
        if np.ptp(values) == 0:
            raise NlpipeError(f"{name}: the {what} of all {len(covered):,} pairs in the vocabulary are the same")
    correlation = float(stats.spearmanr(scores, cosines).statistic)
    low, high = interval(correlation, len(covered))
    made = [space.computes or len(known[p.one]) > 1 or len(known[p.other]) > 1 for p in covered]
    return Similarity(name, len(pairs), len(covered), sum(made), correlation, low, high)


def interval(correlation: float, count: int) -> tuple[float, float]:
    """The 95 % interval of Spearman's correlation of ``count`` pairs, by Fisher's transformation."""
    centre = math.atanh(min(max(correlation, -1 + 1e-12), 1 - 1e-12))
    half = float(stats.norm.ppf(0.975)) * math.sqrt((1 + correlation**2 / 2) / (count - 3))
    return math.tanh(centre - half), math.tanh(centre + half)


def read_pairs(source: str | Path) -> list[Pair]:
    """The pairs of a named set or a file. Lines that begin with # and one line of headers are passed over.

    Raises:
        DataError: the file cannot be read, holds no pair, or a line is malformed.
        MissingExtra: as ``word_similarity``.
    """
    path = _set_file(str(source)) if str(source) in SETS else Path(source)
    try:
        content = path.read_bytes()
    except OSError as error:
        near = suggest(str(source), SETS) if not path.exists() else ""
        raise DataError(f"{source}: cannot be read: {error.strerror or error}{near}") from None
    lines = decode_utf8(content, str(source)).removeprefix("\ufeff").split("\n")
    numbered = [(i, line.split("\t")) for i, line in enumerate(lines, 1) if line.strip() and line[0] != "#"]
    if numbered and _is_header(numbered[0][1]):
        numbered = numbered[1:]
    if not numbered:
        raise DataError(f"{source}: holds no pair; write two words and a number on each line, with tabs between")
    return [_pair(f"{source}:{i}", columns) for i, columns in numbered]


def _is_header(columns: Sequence[str]) -> bool:
    """Whether a first line names columns: its third has no digit."""
    return len(columns) == 3 and not re.search(r"\d", columns[2])


def _pair(place: str, columns: Sequence[str]) -> Pair:
    if len(columns) != 3 or not columns[0].strip() or not columns[1].strip():
        raise DataError(
            f"{place}: expected two words and a number with tabs between, and none of them empty; there are "
            f"{len(columns)} columns"
        )
    try:
        score = float(columns[2])
    except ValueError:
        score = math.nan
    if not math.isfinite(score):
        raise DataError(f"{place}: {columns[2].strip()!r} is not a number; write one such as 7.35 in the third column")
    return Pair(columns[0].strip(), columns[1].strip(), score)


def _set_file(name: str) -> Path:
    """The file of a named set, in gensim's test data."""
    spec = importlib.util.find_spec("gensim")
    if spec is None or spec.origin is None:
        error = ModuleNotFoundError("No module named 'gensim'", name="gensim")
        raise missing_extra(f"the word pairs '{name}'", error)
    return Path(spec.origin).parent / "test" / "test_data" / SETS[name]
