"""Log-probabilities of every word's tags to the tags of texts: the best sequence that the scheme allows."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from nlpipe import tag_schemes
from nlpipe.search.viterbi import viterbi
from nlpipe.stage import Predictions
from nlpipe.wire import Sequences, Tags


def decode(
    logged: np.ndarray, source: Sequences, classes: Sequence[str], scheme: str, constrained: bool = True
) -> Predictions[Tags]:
    """The best tags of every text, in IOB2 where they mark entities, with the probability of each word's.

    Args:
        logged: (sum of T_b, C) log-probabilities, or any scores that add up.
        source: whose words they are.
        classes: C tags in ``scheme``.
        scheme: a name of ``tag_schemes.SCHEMES``, or none.
        constrained: whether the sequence must be one that the scheme allows; else each word's best.
    """
    lengths = source.lengths
    if constrained and scheme != "none":
        best = viterbi(logged, lengths, *_allowed(tuple(classes), scheme))  # (sum of T_b,)
    else:
        best = logged.argmax(-1) if len(logged) else np.zeros(0, dtype=np.int64)
    names = np.array(classes, dtype=object)[best]
    ends = np.cumsum(lengths)[:-1]
    tags = [list(part) for part in np.split(names, ends)] if len(lengths) else []
    if scheme not in ("none", "IOB2"):
        tags = [tag_schemes.convert(sentence, scheme, "IOB2") for sentence in tags]
    with np.errstate(over="ignore"):  # margins are no logarithms
        probabilities = np.exp(logged[np.arange(len(best)), best])
    scores = np.empty(len(lengths), dtype=object)
    for i, part in enumerate(np.split(probabilities, ends) if len(lengths) else []):
        scores[i] = part
    return Predictions(Tags(tags, source.tokens), scores)


@functools.lru_cache(maxsize=32)
def _allowed(classes: tuple[str, ...], scheme: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return tag_schemes.allowed(classes, scheme)
