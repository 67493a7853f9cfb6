"""Examples go through stages in batches: as many at a time as memory allows, answers in the order of the inputs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from nlpipe.predictions import AnyPredictions, Predictions
from nlpipe.stage import AnyStage
from nlpipe.tasks.task import Split
from nlpipe.wire import Wire

BATCH = 256
"""Examples that go through the stages together where nothing else decides."""

PADDED = 400_000
"""Most characters in a batch, were each text as long as its longest; ``Wire.characters`` converts other lengths."""

Through = Callable[[Sequence[AnyStage], Any], Any]
"""How a wire goes through stages: ``apply``, or from memory as far as another pipeline has been there."""


def cuts(sizes: np.ndarray, most: int = BATCH) -> Iterator[tuple[int, int]]:
    """(start, end) of batches of at most ``most`` examples, and of at most ``PADDED`` unless one alone is longer.

    Args:
        sizes: (N,) characters of each example, as ``sizes_of`` gives them.
    """
    start = 0
    while start < len(sizes):
        end = min(start + most, len(sizes))
        while end - start > 1 and (end - start) * sizes[start:end].max() > PADDED:
            end = start + (end - start) // 2
        yield start, end
        start = end


class Batches:
    """Inputs and targets in batches, each passed through ``stages`` when it is asked for; can be iterated repeatedly.

    A very long text makes its batch smaller, so that padding the others to its length costs no memory.
    """

    def __init__(
        self, split: Split, stages: Sequence[AnyStage] = (), size: int = BATCH, through: Through | None = None
    ) -> None:
        self.split = split
        self.stages = tuple(stages)
        self.size = size
        self.through = through or apply

    def then(self, stage: AnyStage) -> Batches:
        """The same batches through one more stage."""
        return Batches(self.split, (*self.stages, stage), self.size, self.through)

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        for start, end in cuts(sizes_of(self.split.inputs), self.size):
            batch = self.split.take(range(start, end))
            yield self.through(self.stages, batch.inputs), batch.targets


def apply(stages: Sequence[AnyStage], wire: Any) -> Any:
    """``wire`` through all of ``stages``."""
    for stage in stages:
        wire = stage.process(wire)
    return wire


def predict_all(wire: Wire, predict: Callable[[Any], AnyPredictions], batch_size: int = BATCH) -> AnyPredictions:
    """``predict`` of every batch of ``wire``, which is not empty, in its order.

    Texts of similar length share a batch, so that one long text does not slow the others.
    """
    if len(wire) == 1:
        with inference():
            return predict(wire)
    sizes = sizes_of(wire)
    order = np.argsort(sizes, kind="stable")
    with inference():
        parts = [predict(wire.take(order[start:end].tolist())) for start, end in cuts(sizes[order], batch_size)]
    return concat(parts, np.argsort(order, kind="stable"))


def sizes_of(wire: Wire) -> np.ndarray:
    """(N,) characters of each example, roughly."""
    return wire.characters * wire.lengths


def inference() -> AbstractContextManager[None]:
    """No gradients are recorded in the block, where torch is loaded at all."""
    torch = sys.modules.get("torch")
    return nullcontext() if torch is None else torch.inference_mode()


def concat(parts: Sequence[AnyPredictions], order: np.ndarray) -> AnyPredictions:
    """Several predictions as one, then reordered; what one of them lacks, all do.

    Probabilities of the same classes in another order are put in that of the first.
    """
    first = parts[0]
    values = type(first.values).concat([part.values for part in parts]).take(order.tolist())
    scores, cut, units = (
        _joined([getattr(part, name) for part in parts], order) for name in ("scores", "cut", "units")
    )
    same = all(set(part.classes) == set(first.classes) for part in parts)
    tables = [part.probabilities if same else None for part in parts]
    columns = [[part.classes.index(name) for name in first.classes] if same else [] for part in parts]
    probabilities = _joined(
        [None if table is None else table[:, each] for table, each in zip(tables, columns, strict=True)], order
    )
    return Predictions(values, scores, probabilities, first.classes, cut, units)


def _joined(arrays: Sequence[np.ndarray | None], order: np.ndarray) -> np.ndarray | None:
    known = [array for array in arrays if array is not None]
    return np.concatenate(known)[order] if len(known) == len(arrays) else None


def taken(predictions: AnyPredictions, indices: np.ndarray) -> AnyPredictions:
    """Those of the examples ``indices``."""

    def some(array: np.ndarray | None) -> np.ndarray | None:
        return None if array is None else array[indices]

    values = predictions.values.take(indices.tolist())
    scores, probabilities = some(predictions.scores), some(predictions.probabilities)
    cut, units = some(predictions.cut), some(predictions.units)
    return Predictions(values, scores, probabilities, predictions.classes, cut, units)
