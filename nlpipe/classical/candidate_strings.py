"""Candidate strings: by which target words, none to three in a row, each source word may be translated.

They are counted from aligned pairs of texts: a run of adjacent target words that are aligned with the same source word
is one occurrence of that string.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MAX_STRING = 3
"""Maximum number of target words in a string."""
COPY = 1
"""The id of unknown words; as a target word, it stands for a copy of the source word."""


@dataclass(frozen=True)
class CandidateStrings:
    """The most probable strings of each of V source words.

    Args:
        strings: (V, C, 3) ids of the target words, most probable string first; -1 after the end of a string.
        logs: (V, C) log p(string | source word); -inf where a source word has fewer strings.
    """

    strings: np.ndarray
    logs: np.ndarray

    @classmethod
    def empty(cls) -> CandidateStrings:
        """For a vocabulary without words."""
        return cls(np.zeros((0, 0, MAX_STRING), dtype=np.int32), np.zeros((0, 0)))

    @classmethod
    def count(
        cls,
        sources: Sequence[np.ndarray],
        targets: Sequence[np.ndarray],
        links: np.ndarray,
        vocabulary_size: int,
        candidates: int,
    ) -> CandidateStrings:
        """Count with which strings the occurrences of each source word are aligned.

        Args:
            sources: word ids of each source; W_s words in all.
            targets: word ids of each target; W words in all.
            links: (W,) for each target word the position in its source, from 1; 0 if it is aligned with none.
            vocabulary_size: number of source words, V.
            candidates: maximum number of strings per source word, C. Source words without any string are copied.
        """
        ids, strings = _aligned_strings(sources, targets, links)
        distinct, inverse = np.unique(strings, axis=0, return_inverse=True)
        pairs, counts = np.unique(ids.astype(np.int64) * len(distinct) + inverse.reshape(-1), return_counts=True)
        owner = pairs // len(distinct)  # source word of each distinct pair
        logs = np.log(counts / np.bincount(owner, counts)[owner])
        order = np.lexsort((pairs, -logs, owner))
        owner, pairs, logs = owner[order], pairs[order], logs[order]
        rank = np.arange(len(owner)) - np.searchsorted(owner, owner)
        best = rank < candidates
        owner, pairs, logs, rank = owner[best], pairs[best], logs[best], rank[best]
        table = cls(
            np.full((vocabulary_size, candidates, MAX_STRING), -1, dtype=np.int32),
            np.full((vocabulary_size, candidates), -np.inf),
        )
        table.strings[owner, rank] = distinct[pairs % len(distinct)]
        table.logs[owner, rank] = logs
        without = np.isinf(table.logs[:, 0])  # unknown source words, and those that were never aligned
        table.strings[without, 0, 0] = COPY
        table.logs[without, 0] = 0.0
        return table


def _aligned_strings(
    sources: Sequence[np.ndarray], targets: Sequence[np.ndarray], links: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Ids (M,) of source words and the strings (M, 3) with which they are aligned, one per occurrence."""
    offsets = np.cumsum([0, *(len(s) for s in sources)])
    ids, words = np.concatenate(list(sources)), np.concatenate(list(targets))
    example = np.repeat(np.arange(len(targets)), [len(t) for t in targets])  # (W,)
    aligned = link_unaligned(links, example)  # (W,)
    occurrence = offsets[example] + aligned - 1  # (W,) index of the source word among the words of all sources
    starts = np.flatnonzero(np.diff(occurrence, prepend=-2) | np.diff(example, prepend=-1))  # of runs
    lengths = np.diff(np.append(starts, len(words)))
    usable = (lengths <= MAX_STRING) & (aligned[starts] > 0)
    starts, lengths = starts[usable], lengths[usable]
    translated, first = np.unique(occurrence[starts], return_index=True)  # the first run of each source word
    starts, lengths = starts[first], lengths[first]
    strings = np.full((len(ids), MAX_STRING), -1, dtype=np.int64)  # (W_s, 3)
    for n in range(MAX_STRING):
        has_word = lengths > n
        strings[translated[has_word], n] = words[starts[has_word] + n]
    linked = np.zeros(len(ids), dtype=bool)  # (W_s,)
    linked[occurrence[aligned > 0]] = True
    counted = linked <= (strings[:, 0] >= 0)  # leave out source words all of whose runs were too long
    return ids[counted], strings[counted]


def link_unaligned(links: np.ndarray, example: np.ndarray) -> np.ndarray:
    """Give unaligned target words the link of the next aligned word of their text, else of the previous one; (W,).

    Args:
        links: (W,) position in the source, from 1; 0 for unaligned words.
        example: (W,) number of the text.
    """
    indices = np.arange(len(links))
    last = len(links) - 1
    next_aligned = np.minimum.accumulate(np.where(links > 0, indices, len(links))[::-1])[::-1]
    previous_aligned = np.maximum.accumulate(np.where(links > 0, indices, -1))
    has_next = (next_aligned <= last) & (example[np.minimum(next_aligned, last)] == example)
    has_previous = (previous_aligned >= 0) & (example[np.maximum(previous_aligned, 0)] == example)
    nearest = np.where(has_previous, np.maximum(previous_aligned, 0), indices)
    return links[np.where(has_next, np.minimum(next_aligned, last), nearest)]
