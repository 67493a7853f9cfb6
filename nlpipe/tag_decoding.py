"""Decoding of tag scores: the best sequence of tags of each text that the tagging scheme allows."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from nlpipe import tag_schemes
from nlpipe.predictions import Predictions
from nlpipe.search.viterbi import viterbi
from nlpipe.wire import Sequences, Tags


def decode(
    log_probabilities: np.ndarray, source: Sequences, classes: Sequence[str], scheme: str, constrained: bool = True
) -> Predictions[Tags]:
    """Return the best tags of each text, in IOB2 if they mark entities, with the probability of each word's tag.

    Args:
        log_probabilities: (sum of T_b, C) log-probabilities of the tags of each word, or other additive scores.
        source: the B texts.
        classes: C tags, in ``scheme``.
        scheme: a name of ``tag_schemes.SCHEMES``.
        constrained: whether to search for the best sequence that the scheme allows; else each word gets its best tag.
    """
    lengths = source.lengths
    if constrained and scheme != "none":
        best = viterbi(log_probabilities, lengths, *_allowed(tuple(classes), scheme))  # (sum of T_b,)
    else:
        best = log_probabilities.argmax(-1) if len(log_probabilities) else np.zeros(0, dtype=np.int64)
    names = np.array(classes, dtype=object)[best]
    ends = np.cumsum(lengths)[:-1]
    tags = [list(part) for part in np.split(names, ends)] if len(lengths) else []
    if scheme not in ("none", "IOB2"):
        tags = [tag_schemes.convert(sentence, scheme, "IOB2") for sentence in tags]
    with np.errstate(over="ignore"):  # margins of a linear classifier are not log-probabilities
        probabilities = np.exp(log_probabilities[np.arange(len(best)), best])
    scores = np.empty(len(lengths), dtype=object)
    for i, part in enumerate(np.split(probabilities, ends) if len(lengths) else []):
        scores[i] = part
    return Predictions(Tags(tags, source.tokens), scores)


@functools.lru_cache(maxsize=32)
def _allowed(classes: tuple[str, ...], scheme: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return tag_schemes.allowed(classes, scheme)
