"""Batches of examples of similar length, so that little time goes into padding.

Bucketing within shuffled chunks, as in Vaswani et al. 2017 (section 5.1) and tensor2tensor: the order stays random,
the lengths within a batch are close.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

CHUNK = 100
"""How many batches are sorted by length together; more pads less, fewer mixes better."""
LONGEST = 8
"""A batch's padded size, in examples of median length, is at most this many times the batch size."""


class Examples(Protocol):
    """What is trained on."""

    @property
    def lengths(self) -> np.ndarray:
        """(N,) tokens of each example."""

    def batch(self, indices: Sequence[int], random: np.random.Generator) -> Any:
        """What the objective takes, for these examples.

        Args:
            indices: which, from 0 to N - 1.
            random: for fresh corruption, word dropout and the like; a new one for each batch, determined by the seed,
                the epoch and the batch, so that a resumed run draws what an uninterrupted one does.
        """


def plan(lengths: np.ndarray, *, batch_size: int, tokens: int | None, seed: int, epoch: int) -> list[np.ndarray]:
    """The batches of one epoch, each an array of indices; the same for the same arguments.

    Every example comes once. With ``tokens``, the examples of a batch times its longest are at most ``tokens``;
    without, a batch has ``batch_size`` examples, and fewer where padding to a very long one would multiply its size:
    a text of 100,000 words among short ones is a batch of its own.
    """
    random = np.random.default_rng([seed, epoch])
    lengths = np.maximum(np.asarray(lengths, dtype=np.int64), 1)  # (N,)
    if not len(lengths):
        return []
    order = random.permutation(len(lengths))  # (N,)
    if tokens is None:
        limit, ceiling = batch_size, int(LONGEST * batch_size * max(float(np.median(lengths)), 1.0))
    else:
        limit, ceiling = tokens, tokens
    chunk = CHUNK * (batch_size if tokens is None else max(1, int(tokens / lengths.mean())))
    batches = []
    for start in range(0, len(order), chunk):
        part = order[start : start + chunk]
        batches += _cut(part[np.argsort(lengths[part], kind="stable")], lengths, limit, ceiling)
    return [batches[i] for i in random.permutation(len(batches))]


def _cut(order: np.ndarray, lengths: np.ndarray, limit: int, ceiling: int) -> list[np.ndarray]:
    """``order``, from short to long, in pieces of at most ``limit`` examples and ``ceiling`` padded tokens."""
    batches = []
    start = 0
    while start < len(order):
        several = lengths[order[start : start + min(limit, ceiling // int(lengths[order[start]]) + 1)]]
        padded = several * np.arange(1, len(several) + 1)  # what a batch of the first 1, 2, 3 … would take
        count = max(1, int(np.searchsorted(padded, ceiling, side="right")))
        batches.append(order[start : start + count])
        start += count
    return batches
