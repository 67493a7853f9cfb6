"""Batches of examples of similar length, so that little time is spent on padding.

Examples are shuffled, then sorted by length within chunks of many batches, as in Vaswani et al. 2017 (section 5.1) and
tensor2tensor: the order stays random while the lengths within a batch are close.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

CHUNK = 100
"""Batches whose examples are sorted by length together. More batches need less padding, fewer are shuffled better."""
MAX_GROWTH = 8
"""Maximum padded size of a batch, in multiples of ``batch_size`` examples of median length."""

Part = tuple[Any, bool]
"""What one process computes of a batch, and whether its loss counts."""


class Examples(Protocol):
    """Training examples."""

    @property
    def lengths(self) -> np.ndarray:
        """(N,) number of tokens of each example."""

    def batch(self, indices: Sequence[int], random: np.random.Generator) -> Any:
        """The batch of these examples, as the objective takes it.

        Args:
            indices: of the examples, from 0 to N - 1.
            random: for random changes of the inputs (masking, word dropout). Each batch has a generator of its own,
                determined by the seed, the epoch and the batch, so that a resumed run draws the same numbers.
        """


class Sampler:
    """The batches of each training step, and the examples in them that this process computes.

    Args:
        examples: N training examples.
        batch_size: examples per batch, over all processes; see ``plan_batches``.
        tokens: maximum padded size of a batch; None to use ``batch_size``.
        accumulate: number of batches per step.
        seed: of the order of the examples.
        rank: of this process, from 0.
        processes: number of processes that train together.
        plan: the batches of every epoch, where their order is given: of running text; None: they are drawn.
    """

    def __init__(
        self,
        examples: Examples,
        *,
        batch_size: int,
        tokens: int | None,
        accumulate: int,
        seed: int,
        rank: int,
        processes: int,
        plan: list[np.ndarray] | None = None,
    ) -> None:
        self.examples = examples
        self.plan = plan
        self.lengths = np.asarray(examples.lengths)  # (N,)
        self.batch_size, self.tokens, self.accumulate = batch_size, tokens, accumulate
        self.seed, self.rank, self.processes = seed, rank, processes

    @property
    def tokens_per_epoch(self) -> int:
        """Number of tokens of all examples."""
        return int(self.lengths.sum())

    def steps(self, epoch: int) -> list[list[np.ndarray]]:
        """The batches of each step of ``epoch`` (from 0), each an array of example indices."""
        batches = self.plan
        if batches is None:
            batches = plan_batches(
                self.lengths, batch_size=self.batch_size, tokens=self.tokens, seed=self.seed, epoch=epoch
            )
        return [batches[start : start + self.accumulate] for start in range(0, len(batches), self.accumulate)]

    def parts(self, epoch: int, step: int, batches: Sequence[np.ndarray]) -> list[Part]:
        """What this process computes of the ``batches`` of a step.

        All processes must call backward for each batch. A process without examples in a batch therefore repeats an
        example, and its loss does not count.

        Args:
            epoch: from 0.
            step: of the epoch, from 0.
            batches: of this step, as ``steps`` returns them.
        """
        parts = []
        for number, indices in enumerate(batches, step * self.accumulate):
            own = indices[self.rank :: self.processes]
            counts = len(own) > 0
            generator = np.random.default_rng([self.seed, epoch, number, self.rank])
            parts.append((self.examples.batch((own if counts else indices[:1]).tolist(), generator), counts))
        return parts

    def count_tokens(self, batches: Sequence[np.ndarray]) -> int:
        """Number of tokens of all examples of ``batches``."""
        return sum(int(self.lengths[indices].sum()) for indices in batches)


def plan_batches(
    lengths: np.ndarray, *, batch_size: int, tokens: int | None, seed: int, epoch: int
) -> list[np.ndarray]:
    """The batches of one epoch, each an array of example indices; deterministic in its arguments.

    Every example occurs once. With ``tokens``, the padded size of a batch (examples times the longest one) is at most
    ``tokens``, unless a single example is longer. Without, a batch has ``batch_size`` examples, or fewer if padding
    them to a very long one would multiply its size: a text of 100,000 words among short ones is a batch of its own.

    Args:
        lengths: (N,) number of tokens of each example.
        batch_size: maximum number of examples per batch, if ``tokens`` is None.
        tokens: maximum padded size of a batch; None to use ``batch_size``.
        seed: determines the order, together with ``epoch``.
        epoch: from 0.
    """
    random = np.random.default_rng([seed, epoch])
    lengths = np.maximum(np.asarray(lengths, dtype=np.int64), 1)  # (N,)
    if not len(lengths):
        return []
    order = random.permutation(len(lengths))  # (N,)
    if tokens is None:
        max_examples, max_tokens = batch_size, int(MAX_GROWTH * batch_size * max(float(np.median(lengths)), 1.0))
    else:
        max_examples, max_tokens = tokens, tokens
    chunk_size = CHUNK * (batch_size if tokens is None else max(1, int(tokens / lengths.mean())))
    batches = []
    for start in range(0, len(order), chunk_size):
        chunk = order[start : start + chunk_size]
        batches += _cut(chunk[np.argsort(lengths[chunk], kind="stable")], lengths, max_examples, max_tokens)
    return [batches[i] for i in random.permutation(len(batches))]


def _cut(order: np.ndarray, lengths: np.ndarray, max_examples: int, max_tokens: int) -> list[np.ndarray]:
    """Cut ``order``, sorted from short to long, into batches of at most ``max_examples`` and ``max_tokens`` padded."""
    batches = []
    start = 0
    while start < len(order):
        candidates = order[start : start + min(max_examples, max_tokens // int(lengths[order[start]]) + 1)]
        sizes = lengths[candidates] * np.arange(1, len(candidates) + 1)  # padded tokens of the first 1, 2, 3 … together
        count = max(1, int(np.searchsorted(sizes, max_tokens, side="right")))
        batches.append(order[start : start + count])
        start += count
    return batches
