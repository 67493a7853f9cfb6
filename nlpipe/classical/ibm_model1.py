"""Which word of a source text stands for which word of its target: IBM Model 1, learnt by expectation maximisation.

Brown et al. 1993, "The mathematics of statistical machine translation", section 4: each target word f_j is drawn from
t(f | e_i), where the source position i is drawn evenly from all words and an empty one. With ``diagonal`` above 0
positions near the diagonal are likelier, exp(-diagonal |i/I - j/J|), as in Dyer et al. 2013 ("A simple, fast, and
effective reparameterization of IBM Model 2"); 0 is Model 1. Every step is one pass of numpy over all links, (L,):
the pairs of a target word and a source word of the same example.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

EMPTY = 0
"""The id of the empty source word, which generates what has no counterpart."""
EMPTY_SHARE = 0.05
"""How probable the empty word is before anything is known."""


@dataclass(frozen=True)
class Alignment:
    """What EM left.

    Args:
        sources: (P,) source ids of the pairs seen in one example.
        targets: (P,) their target ids; pairs are sorted by source, then target.
        probabilities: (P,) t(target | source).
        links: (sum of J_b,) for each target word its most probable source position, from 1; 0 is the empty word.
        log_likelihoods: of the targets given the sources before each iteration, in nats.
    """

    sources: np.ndarray
    targets: np.ndarray
    probabilities: np.ndarray
    links: np.ndarray
    log_likelihoods: tuple[float, ...]


def align(
    sources: Sequence[np.ndarray], targets: Sequence[np.ndarray], iterations: int = 5, diagonal: float = 0.0
) -> Alignment:
    """Fit t(f | e) to B pairs of id arrays.

    Args:
        sources: B arrays of ids above 0.
        targets: B arrays of ids.
    """
    ids, words, group, prior, starts = _links(sources, targets, diagonal)
    base = int(words.max(initial=0)) + 1
    keys, pair = np.unique(ids * base + words, return_inverse=True)  # (P,), (L,)
    source_of = keys // base
    table = np.ones(len(keys))
    likelihoods = []
    for _ in range(iterations):
        weights = prior * table[pair]  # (L,)
        totals = np.bincount(group, weights, minlength=len(starts))
        likelihoods.append(float(np.log(totals).sum()))
        counts = np.bincount(pair, weights / totals[group], minlength=len(keys))
        table = counts / np.bincount(source_of, counts)[source_of]
    weights = prior * table[pair]
    best = np.maximum.reduceat(weights, starts) if len(starts) else np.zeros(0)
    first = np.flatnonzero(weights == best[group])  # links that are the best of their target word
    at = np.searchsorted(group[first], np.arange(len(starts)))  # the first of equals
    links = first[at] - starts if len(starts) else np.zeros(0, dtype=np.int64)
    return Alignment(source_of, keys % base, table, links, tuple(likelihoods))


def _links(
    sources: Sequence[np.ndarray], targets: Sequence[np.ndarray], diagonal: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Every link, (L,): source id, target id, number of the target word, prior; and where each target word's begin."""
    wide = [np.concatenate([[EMPTY], source]) for source in sources]
    widths = np.array([len(source) for source in wide], dtype=np.int64)  # (B,), I + 1
    heights = np.array([len(target) for target in targets], dtype=np.int64)  # (B,), J
    flat = np.concatenate([*wide, np.zeros(0, dtype=np.int64)]).astype(np.int64)
    words = np.concatenate([*targets, np.zeros(0, dtype=np.int64)]).astype(np.int64)  # (sum of J,)
    example = np.repeat(np.arange(len(widths)), heights)  # of each target word
    width = widths[example]
    starts = np.cumsum(width) - width
    group = np.repeat(np.arange(len(words)), width)  # (L,)
    position = np.arange(len(group)) - starts[group]  # i, 0 is the empty word
    first = (np.cumsum(widths) - widths)[example]
    j = np.arange(len(words)) - (np.cumsum(heights) - heights)[example] + 0.5
    length = np.maximum(width - 1, 1)
    away = np.abs((position - 0.5) / length[group] - (j / np.maximum(heights[example], 1))[group])
    prior = np.where(position == 0, 0.0, np.exp(-diagonal * away))
    totals = np.bincount(group, prior, minlength=len(words))
    prior = (1 - EMPTY_SHARE) * prior / np.where(totals > 0, totals, 1.0)[group]
    prior = np.where(position == 0, np.where(width == 1, 1.0, EMPTY_SHARE)[group], prior)
    return flat[first[group] + position], words[group], group, prior, starts
