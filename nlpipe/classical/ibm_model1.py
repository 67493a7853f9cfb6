"""Word alignment with IBM Model 1, trained by expectation maximisation (EM).

Brown et al. 1993, "The mathematics of statistical machine translation", section 4: each target word f_j is drawn from
t(f | e_i), where the source position i is drawn uniformly from all source words and an empty word. If ``diagonal`` is
above 0, positions near the diagonal have a higher prior, exp(-diagonal |i/I - j/J|), as in Dyer et al. 2013 ("A
simple, fast, and effective reparameterization of IBM Model 2"); with 0 it is Model 1. Each step is a numpy operation
over all L links, which are the pairs of a target word and a source word (or the empty word) of one example.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

EMPTY = 0
"""The id of the empty source word, which generates target words without a counterpart."""
EMPTY_SHARE = 0.05
"""Prior probability of the empty word."""


@dataclass(frozen=True)
class Alignment:
    """The result of EM, over the P distinct pairs of a source id and a target id that occur in an example.

    Args:
        sources: (P,) source ids of the pairs.
        targets: (P,) target ids of the pairs; the pairs are sorted by source, then target.
        probabilities: (P,) t(target | source).
        links: (sum of J_b,) most probable source position of each target word, from 1; 0 is the empty word.
        log_likelihoods: log-likelihood of the targets given the sources before each iteration, in nats.
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
        sources: B arrays (I_b,) of ids above 0.
        targets: B arrays (J_b,) of ids.
        iterations: number of iterations of EM.
        diagonal: strength of the prior for positions near the diagonal; 0 for none.
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
    first = np.flatnonzero(weights == best[group])  # links with the highest weight of their target word
    chosen = np.searchsorted(group[first], np.arange(len(starts)))  # the first if several are equal
    links = first[chosen] - starts if len(starts) else np.zeros(0, dtype=np.int64)
    return Alignment(source_of, keys % base, table, links, tuple(likelihoods))


def _links(
    sources: Sequence[np.ndarray], targets: Sequence[np.ndarray], diagonal: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return source id, target id, target word and prior of each link, (L,), and the first link of each target word."""
    extended = [np.concatenate([[EMPTY], source]) for source in sources]
    widths = np.array([len(source) for source in extended], dtype=np.int64)  # (B,), I + 1
    heights = np.array([len(target) for target in targets], dtype=np.int64)  # (B,), J
    flat = np.concatenate([*extended, np.zeros(0, dtype=np.int64)]).astype(np.int64)
    words = np.concatenate([*targets, np.zeros(0, dtype=np.int64)]).astype(np.int64)  # (sum of J,)
    example = np.repeat(np.arange(len(widths)), heights)  # example of each target word
    width = widths[example]
    starts = np.cumsum(width) - width
    group = np.repeat(np.arange(len(words)), width)  # (L,)
    position = np.arange(len(group)) - starts[group]  # i, 0 is the empty word
    first = (np.cumsum(widths) - widths)[example]
    j = np.arange(len(words)) - (np.cumsum(heights) - heights)[example] + 0.5
    length = np.maximum(width - 1, 1)
    distance = np.abs((position - 0.5) / length[group] - (j / np.maximum(heights[example], 1))[group])
    prior = np.where(position == 0, 0.0, np.exp(-diagonal * distance))
    totals = np.bincount(group, prior, minlength=len(words))
    prior = (1 - EMPTY_SHARE) * prior / np.where(totals > 0, totals, 1.0)[group]
    prior = np.where(position == 0, np.where(width == 1, 1.0, EMPTY_SHARE)[group], prior)
    return flat[first[group] + position], words[group], group, prior, starts
