"""What the trainer minimises: a pipeline's stages behind one ``forward`` from a batch to its loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn

from nlpipe.capabilities import Pretrained, Trained, able
from nlpipe.pipeline.batches import apply
from nlpipe.stage import AnyStage
from nlpipe.tasks.task import Split
from nlpipe.training.loss import Objective


class PipelineObjective(Objective):
    """Stages and head as one module: a batch (inputs, targets) to (summed loss in nats, units).

    Only the modules that belong to the stages are registered, so that a stage without parameters may take part. Stages
    that are not trainable stay in eval mode.

    Args:
        stages: what a batch goes through, in order.
        head: gives the loss.
    """

    def __init__(self, stages: Sequence[AnyStage], head: Trained[Any, Any]) -> None:
        super().__init__()
        self.stages = list(stages)
        self.head = head
        self.body = nn.ModuleList([stage.module for stage in stages if stage.module is not None])

    def forward(self, batch: tuple[Any, Any]) -> tuple[Tensor, Tensor]:
        wire, targets = batch
        return self.head.loss(apply(self.stages, wire), targets)

    def train(self, mode: bool = True) -> PipelineObjective:
        super().train(mode)
        for stage in self.stages:
            if stage.module is not None and not stage.trainable:
                stage.module.eval()
        return self

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Parameters that gradients change: ``pretrained`` ones may have a learning rate of their own."""
        groups: dict[str, list[nn.Parameter]] = {"pretrained": [], "new": []}
        every = [nested for stage in self.stages for nested in stage.with_nested()]  # those joined side by side too
        readers = [reader for stage in every if (reader := able(stage, Pretrained)) is not None]
        pretrained = {id(parameter) for reader in readers for parameter in reader.pretrained_parameters()}
        for parameter in self.parameters():
            if parameter.requires_grad:
                groups["pretrained" if id(parameter) in pretrained else "new"].append(parameter)
        return groups


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
        self.lengths = np.maximum(split.inputs.lengths, split.targets.lengths)

    def batch(self, indices: Sequence[int], random: np.random.Generator) -> tuple[Any, Any]:
        """The examples at ``indices``: (inputs, targets)."""
        chosen = self.split.take(list(indices))
        if self.corrupt is None:
            return chosen.inputs, chosen.targets
        return self.corrupt(chosen.inputs, random)
