"""What the trainer minimises: a pipeline's stages behind one ``forward`` from a batch to its loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn

from nlpipe.stage import Head, Stage
from nlpipe.tasks.task import Split
from nlpipe.training import objective as training
from nlpipe.wire import Sequences, Text, Tokens, Vectors, Wire


class Objective(training.Objective):
    """Stages and head as one module: a batch (inputs, targets) to (summed loss in nats, units).

    Only the modules that belong to the stages are registered, so that a stage without parameters may take part. Stages
    that are not trainable stay in eval mode.

    Args:
        stages: what a batch goes through, in order.
        head: gives the loss.
    """

    def __init__(self, stages: Sequence[Stage[Any, Any]], head: Head[Any, Any]) -> None:
        super().__init__()
        self.stages = list(stages)
        self.head = head
        self.body = nn.ModuleList([stage.module for stage in stages if stage.module is not None])

    def forward(self, batch: tuple[Any, Any]) -> tuple[Tensor, Tensor]:
        wire, targets = batch
        loss, units = self.head.loss(apply(self.stages, wire), targets)  # type: ignore[attr-defined]
        return loss, units

    def train(self, mode: bool = True) -> Objective:
        super().train(mode)
        for stage in self.stages:
            if stage.module is not None and not stage.trainable:
                stage.module.eval()
        return self

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Parameters that gradients change: ``pretrained`` ones may have a rate of their own."""
        groups: dict[str, list[nn.Parameter]] = {"pretrained": [], "new": []}
        every = [each for stage in self.stages for each in stage.with_nested()]  # those joined side by side too
        told = {id(p) for stage in every for p in getattr(stage, "pretrained_parameters", list)()}
        for parameter in self.parameters():
            if parameter.requires_grad:
                groups["pretrained" if id(parameter) in told else "new"].append(parameter)
        return groups


def apply(stages: Sequence[Stage[Any, Any]], wire: Any) -> Any:
    """``wire`` through all of ``stages``."""
    for stage in stages:
        wire = stage(wire) if isinstance(stage, nn.Module) else stage.forward(wire)
    return wire


class SplitExamples:
    """A split as the trainer takes it: lengths for its buckets, batches by indices.

    Args:
        split: inputs, prepared once, and targets.
        corrupt: makes (inputs, targets) of a batch's inputs afresh each time, for language models; None: as they are.
    """

    def __init__(
        self, split: Split, corrupt: Callable[[Any, np.random.Generator], tuple[Any, Any]] | None = None
    ) -> None:
        self.split = split
        self.corrupt = corrupt
        self.lengths = lengths_of(split.inputs)
        also = getattr(split.targets, "lengths", None)  # of targets that are sequences, prepared by their head
        if also is not None:
            self.lengths = np.maximum(self.lengths, also)

    def batch(self, indices: Sequence[int], random: np.random.Generator) -> tuple[Any, Any]:
        """The examples at ``indices``: (inputs, targets)."""
        chosen = self.split.take(list(indices))
        if self.corrupt is None:
            return chosen.inputs, chosen.targets
        return self.corrupt(chosen.inputs, random)


def lengths_of(wire: Wire) -> np.ndarray:
    """(N,) how long each example is, in the unit that padding costs."""
    if isinstance(wire, Sequences):
        return wire.lengths
    if isinstance(wire, Tokens):
        return np.array([len(words) for words in wire.words], dtype=np.int64)
    if isinstance(wire, Text):
        return np.array([len(text) for text in wire.strings], dtype=np.int64)
    assert isinstance(wire, Vectors), type(wire)
    return np.ones(len(wire), dtype=np.int64)
