"""Examples through stages in batches: as many at a time as memory allows, answers in the order of the questions."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from nlpipe.stage import Predictions, Stage, Tokenizer
from nlpipe.tasks.task import Split
from nlpipe.wire import Sequences, Text, Tokens, Wire

BATCH = 256
"""Examples that go through the stages together where nothing else decides."""

PADDED = 400_000
"""Most characters (or 6 times as many as tokens) in a batch if each text were as long as its longest."""


def cuts(sizes: np.ndarray, most: int = BATCH) -> Iterator[tuple[int, int]]:
    """(start, end) of batches of at most ``most`` examples, and of at most ``PADDED`` unless one alone is longer.

    Args:
        sizes: (N,) of each example, as ``sizes_of`` gives them.
    """
    start = 0
    while start < len(sizes):
        end = min(start + most, len(sizes))
        while end - start > 1 and (end - start) * sizes[start:end].max() > PADDED:
            end = start + (end - start) // 2
        yield start, end
        start = end


class Batches:
    """Inputs and targets in batches, each passed through ``steps`` when it is asked for; can be gone through again.

    A very long text makes its batch smaller, so that padding the others to its length costs no memory.
    """

    def __init__(self, split: Split, steps: Sequence[Callable[[Any], Any]] = (), size: int = BATCH) -> None:
        self.split = split
        self.steps = tuple(steps)
        self.size = size

    def then(self, step: Callable[[Any], Any]) -> Batches:
        """The same batches, one step further."""
        return Batches(self.split, (*self.steps, step), self.size)

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        for start, end in cuts(sizes_of(self.split.inputs), self.size):
            batch = self.split.take(range(start, end))
            wire: Any = batch.inputs
            for step in self.steps:
                wire = step(wire)
            yield wire, batch.targets


def step(stage: Stage[Any, Any], first: bool) -> Callable[[Any], Any]:
    """What ``stage`` does to a batch; words that the data has split already are kept by a tokenizer at the front."""
    if first and isinstance(stage, Tokenizer):
        tokenizer = stage
        return lambda wire: tokenizer.keep(wire) if isinstance(wire, Tokens) else tokenizer.forward(wire)
    return stage.forward


def answered(wire: Wire, answer: Callable[[Any], Predictions[Any]], batch_size: int = BATCH) -> Predictions[Any]:
    """``answer`` of every batch of ``wire``, which is not empty, in its order.

    Texts of like length are together in a batch, so that one long text does not slow the others.
    """
    sizes = sizes_of(wire)
    order = np.argsort(sizes, kind="stable")
    with inference():
        parts = [answer(wire.take(order[start:end].tolist())) for start, end in cuts(sizes[order], batch_size)]
    return _concat(parts, np.argsort(order, kind="stable"))


def sizes_of(wire: Wire) -> np.ndarray:
    """(N,) characters of each example, or about as many."""
    if isinstance(wire, Text):
        return np.array([len(text) for text in wire.strings], dtype=np.int64)
    if isinstance(wire, Tokens):
        return np.array([6 * len(words) for words in wire.words], dtype=np.int64)
    return 6 * wire.lengths if isinstance(wire, Sequences) else np.zeros(len(wire), dtype=np.int64)


@contextmanager
def inference() -> Iterator[None]:
    """No gradients are kept in the block, where torch is loaded at all."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
    else:
        with torch.inference_mode():
            yield


def _concat(parts: Sequence[Predictions[Any]], order: np.ndarray) -> Predictions[Any]:
    """Predictions of several batches as one, then reordered."""
    first = parts[0]
    values = type(first.values).concat([part.values for part in parts]).take(order.tolist())
    scores = None if first.scores is None else np.concatenate([p.scores for p in parts if p.scores is not None])[order]
    probabilities = (
        None
        if first.probabilities is None
        else np.concatenate([p.probabilities for p in parts if p.probabilities is not None])[order]
    )
    return Predictions(values, scores, probabilities, first.classes)
