"""The best sequence of tags in which every tag may follow the one before it.

Viterbi 1967, "Error Bounds for Convolutional Codes". The transitions are allowed or not and have no scores, which
makes it cheap twice: a text whose best tags are allowed as they are needs no search, and tags with the same possible
predecessors share one maximum.
"""

from __future__ import annotations

import numpy as np

SMALL = 4
"""Sets of predecessors up to this size are looked through side by side."""


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
    lengths = np.asarray(lengths, dtype=np.int64)
    best = scores.argmax(-1) if len(scores) else np.zeros(0, dtype=np.int64)  # (N,)
    filled = lengths > 0
    firsts, lasts = (np.cumsum(lengths) - lengths)[filled], (np.cumsum(lengths) - 1)[filled]
    wrong = np.zeros(len(best), dtype=np.int64)  # (N,) words that break a rule
    if len(best) > 1:
        wrong[1:] = ~pairs[best[:-1], best[1:]]
    wrong[firsts] = ~start[best[firsts]]
    wrong[lasts] |= ~end[best[lasts]]
    broken = np.add.reduceat(wrong, firsts) > 0 if len(firsts) else np.zeros(0, dtype=bool)
    if not broken.any():
        return best
    firsts, counts = firsts[broken], lengths[filled][broken]
    steps = np.arange(counts.max())
    inside = steps < counts[:, None]  # (B, T)
    places = np.where(inside, firsts[:, None] + steps, firsts[:, None])
    found = _search(scores[places].astype(np.float64), counts, start, pairs, end)  # (B, T)
    best = best.copy()
    best[places[inside]] = found[inside]
    return best


def _search(
    scores: np.ndarray, lengths: np.ndarray, start: np.ndarray, pairs: np.ndarray, end: np.ndarray
) -> np.ndarray:
    """``viterbi`` over padded scores (B, T, C): (B, T)."""
    scores = np.maximum(scores, -1e30)  # finite, so that a forbidden path stays worse than an improbable one
    count, longest, _ = scores.shape
    sets, of_tag = np.unique(pairs, axis=1, return_inverse=True)  # columns: tags with the same predecessors
    of_tag = of_tag.reshape(-1)
    best = scores[:, 0] + np.where(start, 0.0, -np.inf)  # (B, C)
    back = np.zeros((count, longest, pairs.shape[0]), dtype=np.int32)
    for t in range(1, longest):
        value, place = _predecessors(best, sets)  # (B, G) each
        new = value[:, of_tag] + scores[:, t]  # (B, C)
        back[:, t] = place[:, of_tag]
        best = np.where((t < lengths)[:, None], new, best)
    best = best + np.where(end, 0.0, -np.inf)
    found = np.zeros((count, longest), dtype=np.int64)
    tag = best.argmax(-1)  # (B,)
    rows = np.arange(count)
    for t in range(longest - 1, -1, -1):
        tag = np.where(t == lengths - 1, best.argmax(-1), tag)
        found[:, t] = tag
        tag = np.where(t < lengths, back[rows, t, tag], tag)
    hopeless = ~np.isfinite(best.max(-1))
    found[hopeless] = scores[hopeless].argmax(-1)
    return found


def _predecessors(best: np.ndarray, sets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The best of ``best`` (B, C) within each of G sets (C, G): its score and which it is, (B, G) each."""
    sizes = sets.sum(0)  # (G,)
    value = np.full((len(best), sets.shape[1]), -np.inf)
    place = np.zeros((len(best), sets.shape[1]), dtype=np.int32)
    small = np.flatnonzero((sizes > 0) & (sizes <= SMALL))
    if len(small):
        members = np.stack([np.resize(np.flatnonzero(sets[:, g]), SMALL) for g in small])  # (G, P), some twice
        seen = best[:, members]  # (B, G, P)
        chosen = seen.argmax(-1)  # (B, G)
        value[:, small] = np.take_along_axis(seen, chosen[:, :, None], -1)[:, :, 0]
        place[:, small] = members[np.arange(len(small)), chosen]
    for g in np.flatnonzero(sizes > SMALL):
        members = np.flatnonzero(sets[:, g])
        chosen = best[:, members].argmax(-1)  # (B,)
        value[:, g] = best[np.arange(len(best)), members[chosen]]
        place[:, g] = members[chosen]
    return value, place
