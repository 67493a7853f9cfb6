"""The best sequence of tags in which every tag may follow the one before it.

Viterbi 1967, "Error Bounds for Convolutional Codes". The transitions are allowed or not and have no scores, which
makes it cheap: where every word's best tag is allowed there is nothing to search, and a broken rule is mostly mended
by the words around it. The best tags of a few words, free in what comes before and after, and the best tag of every
other word sum to no less than any allowed sequence; so if the two fit together, that is the answer, and only if they
do not is the whole text searched. Tags with the same possible predecessors share one maximum.
"""

from __future__ import annotations

import numpy as np

SMALL = 4
"""Sets of predecessors up to this size are looked through side by side."""

REACH = 3
"""Words before a broken rule, and from it on, that are searched first."""


def viterbi(
    scores: np.ndarray, lengths: np.ndarray, start: np.ndarray, pairs: np.ndarray, end: np.ndarray
) -> np.ndarray:
    """The tags whose scores sum to most, in every text.

    Args:
        scores: (sum of T_b, C) of each tag of each word; -inf is never chosen where anything else is allowed.
        lengths: (B,) words of each text.
        start: (C,) whether a text may begin with a tag.
        pairs: (C, C) whether the column's tag may follow the row's.
        end: (C,) whether a text may end with a tag.

    Returns:
        (sum of T_b,) tags by number; each word's best where the rules allow no sequence at all.
    """
    if not len(scores):
        return np.zeros(0, dtype=np.int64)
    best: np.ndarray = scores.argmax(-1)  # (N,)
    counts = np.asarray(lengths, dtype=np.int64)
    counts = counts[counts > 0]
    lasts = np.cumsum(counts) - 1
    firsts = lasts - counts + 1
    wrong = np.empty(len(best), dtype=bool)  # words that may not follow the word before, or not end the text
    wrong[1:] = ~pairs.reshape(-1)[best[:-1] * len(pairs) + best[1:]]
    wrong[firsts] = ~start[best[firsts]]
    wrong[lasts] |= ~end[best[lasts]]
    broken = np.flatnonzero(wrong)
    if not len(broken):
        return best
    best = best.copy()
    text = np.searchsorted(lasts, broken)  # of each broken word
    lows, highs = np.maximum(broken - REACH, firsts[text]), np.minimum(broken + REACH - 1, lasts[text])
    begins = np.append(True, (lows[1:] > highs[:-1] + 1) | (text[1:] != text[:-1]))  # else joined to the one before
    ends = np.append(begins[1:], True)
    lows, highs, text = lows[begins], highs[ends], text[begins]
    rules = start, pairs, end, Predecessors(pairs)
    unlike = ~_mend(best, scores, (lows, highs), (firsts[text], lasts[text]), rules)
    whole = np.unique(text[unlike])
    if len(whole):
        _mend(best, scores, (firsts[whole], lasts[whole]), (firsts[whole], lasts[whole]), rules)
    return best


Span = tuple[np.ndarray, np.ndarray]
"""The first and the last word of each of S stretches, (S,) each."""

Rules = tuple[np.ndarray, np.ndarray, np.ndarray, "Predecessors"]
"""``start``, ``pairs`` and ``end`` as ``viterbi`` has them, and ``pairs`` sorted."""


def _mend(best: np.ndarray, scores: np.ndarray, stretches: Span, texts: Span, rules: Rules) -> np.ndarray:
    """Put the best allowed tags of each stretch into ``best``, and tell which fit the tags around them: (S,).

    The ends of a stretch that are not those of its text are free. A text whose stretches do not all fit is to be
    searched whole; what was put there does not matter then.
    """
    (lows, highs), (firsts, lasts), (start, pairs, end, predecessors) = stretches, texts, rules
    counts = highs - lows + 1
    steps = np.arange(counts.max())
    inside = steps < counts[:, None]  # (S, T)
    places = np.where(inside, lows[:, None] + steps, lows[:, None])
    starts = start | (lows > firsts)[:, None]  # (S, C)
    ends = end | (highs < lasts)[:, None]
    found, possible = _search(scores[places].astype(np.float64), counts, starts, predecessors, ends)  # (S, T), (S,)
    best[places[inside]] = found[inside]
    before = (lows == firsts) | pairs[best[lows - 1], best[lows]]
    after = (highs == lasts) | pairs[best[highs], best[np.minimum(highs + 1, len(best) - 1)]]
    fit: np.ndarray = possible & before & after
    return fit


def _search(
    scores: np.ndarray, lengths: np.ndarray, start: np.ndarray, before: Predecessors, end: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Padded scores (B, T, C), rules of both ends (B, C): the tags (B, T), and whether any sequence is allowed (B,)."""
    scores = np.maximum(scores, -1e30)  # finite, so that a forbidden path stays worse than an improbable one
    count, longest, tags = scores.shape
    best = scores[:, 0] + np.where(start, 0.0, -np.inf)  # (B, C)
    back = np.zeros((count, longest, tags), dtype=np.int32)
    for t in range(1, longest):
        value, back[:, t] = before.best(best)  # (B, C) each
        best = np.where((t < lengths)[:, None], value + scores[:, t], best)
    best = best + np.where(end, 0.0, -np.inf)
    found = np.zeros((count, longest), dtype=np.int64)
    last = tag = best.argmax(-1)  # (B,)
    rows = np.arange(count)
    for t in range(longest - 1, -1, -1):
        tag = np.where(t == lengths - 1, last, tag)
        found[:, t] = tag
        tag = np.where(t < lengths, back[rows, t, tag], tag)
    hopeless = ~np.isfinite(best.max(-1))
    found[hopeless] = scores[hopeless].argmax(-1)
    return found, ~hopeless


class Predecessors:
    """Which tags may stand before each of C tags: G sets, one for all the tags that have the same."""

    def __init__(self, pairs: np.ndarray) -> None:
        _, firsts, of_tag = np.unique(np.packbits(pairs, axis=0), axis=1, return_index=True, return_inverse=True)
        self.of_tag = of_tag.reshape(-1)  # (C,)
        self.sets = [np.flatnonzero(pairs[:, first]) for first in firsts]
        self.small = [g for g, members in enumerate(self.sets) if 0 < len(members) <= SMALL]
        self.large = [g for g, members in enumerate(self.sets) if len(members) > SMALL]
        self.members = np.array([np.resize(self.sets[g], SMALL) for g in self.small]).reshape(-1, SMALL)  # some twice

    def best(self, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The best of scores (B, C) that may stand before each tag, and which it is, (B, C) each."""
        rows = np.arange(len(scores))[:, None]
        value = np.full((len(scores), len(self.sets)), -np.inf)
        place = np.zeros((len(scores), len(self.sets)), dtype=np.int32)
        if self.small:
            place[:, self.small] = self.members[range(len(self.small)), scores[:, self.members].argmax(-1)]
        for g in self.large:
            place[:, g] = self.sets[g][scores[:, self.sets[g]].argmax(-1)]
        some = self.small + self.large
        value[:, some] = scores[rows, place[:, some]]
        return value[:, self.of_tag], place[:, self.of_tag]
