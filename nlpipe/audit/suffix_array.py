"""Where stretches of a text stand in a corpus, word for word: the sorted suffixes of the corpus, searched by halving.

Manber and Myers 1993, "Suffix Arrays: A New Method for On-Line String Searches"; used to find training text in what a
model generates by Lee et al. 2022, "Deduplicating Training Data Makes Language Models Better".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Matches:
    """The longest stretch of a corpus that begins as each place of other texts does.

    Args:
        lengths: (Q,) its tokens; 0 where the token itself is not in the corpus.
        times: (Q,) how often it stands there; 0 where it does not.
    """

    lengths: np.ndarray
    times: np.ndarray


class SuffixArray:
    """The places of a corpus, sorted by the tokens that stand there.

    Args:
        ids: (N,) the tokens, 0 or more; -1 stands between texts, and nothing matches it.
        depth: tokens by which places are sorted; longer stretches are not looked for.
    """

    def __init__(self, ids: np.ndarray, depth: int) -> None:
        self.depth = depth
        self.ids = np.concatenate([ids, np.full(depth, -1)]).astype(np.int64)  # (N + depth,)
        ranks = self.ids[: len(ids)] + 1  # (N,) rank of each place by its first `width` tokens
        self.places, width = np.argsort(ranks, kind="stable"), 1  # (N,)
        while width < depth:  # twice as many tokens in each round
            behind = np.zeros(len(ids), dtype=np.int64)
            behind[: max(0, len(ids) - width)] = ranks[width:]
            keys = ranks * (int(ranks.max(initial=0)) + 1) + behind
            self.places = np.argsort(keys, kind="stable")
            in_order = keys[self.places]
            steps = np.ones(len(ids), dtype=np.int64)
            steps[1:] = in_order[1:] != in_order[:-1]
            ranks = np.empty(len(ids), dtype=np.int64)
            ranks[self.places] = np.cumsum(steps)
            width *= 2

    def matches(self, ids: np.ndarray, lengths: np.ndarray) -> Matches:
        """The longest stretches of the corpus that begin at each token of other texts, each within its text.

        Args:
            ids: (Q,) of all texts, one after another; below 0 what the corpus does not have.
            lengths: (B,) tokens of each text.
        """
        ends = np.repeat(np.cumsum(lengths), lengths)  # (Q,)
        left = np.minimum(ends - np.arange(len(ids)), self.depth)
        low, high = np.zeros(len(ids), np.int64), np.full(len(ids), len(self.places))
        found = np.zeros(len(ids), np.int64)
        active = np.arange(len(ids))
        for offset in range(self.depth):
            active = active[(left[active] > offset) & (ids[np.minimum(active + offset, len(ids) - 1)] >= 0)]
            wanted = ids[active + offset]
            first = self._border(offset, wanted, low[active], high[active])
            behind = self._border(offset, wanted + 1, first, high[active])
            kept = behind > first
            active = active[kept]
            if not len(active):
                break
            low[active], high[active], found[active] = first[kept], behind[kept], offset + 1
        return Matches(found, np.where(found > 0, high - low, 0))

    def _border(self, offset: int, wanted: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """(A,) within [low, high) of the sorted places the first whose token at ``offset`` is not below ``wanted``."""
        low, high = low.copy(), high.copy()
        while (searching := low < high).any():
            middle = (low + high) // 2
            token = self.ids[self.places[np.minimum(middle, len(self.places) - 1)] + offset]
            below = searching & (token < wanted)
            low = np.where(below, middle + 1, low)
            high = np.where(searching & ~below, middle, high)
        return low


def covered(matches: Matches, least: int) -> np.ndarray:
    """(Q,) whether each token lies in a stretch of ``least`` or more tokens that stands in the corpus."""
    starts = np.flatnonzero(matches.lengths >= least)
    change = np.zeros(len(matches.lengths) + 1, dtype=np.int64)
    np.add.at(change, starts, 1)
    np.add.at(change, starts + matches.lengths[starts], -1)
    inside: np.ndarray = np.cumsum(change)[:-1] > 0
    return inside
