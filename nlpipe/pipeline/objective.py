"""What the trainer minimises: a pipeline's stages behind one ``forward`` from a batch to its loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nlpipe.capabilities import Pretrained, Steps, Trained, able
from nlpipe.pipeline.batches import apply
from nlpipe.stage import AnyStage
from nlpipe.tasks.task import Split
from nlpipe.training.loss import Objective
from nlpipe.wire import Sequences


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


class CarriedObjective(PipelineObjective):
    """Stages and head of a recurrent language model: each batch goes on where the one before ended.

    The states are buffers, so that a checkpoint has them.

    Args:
        stages: what a batch goes through, in order.
        head: gives the loss.
        rows: stretches of text that are read side by side, B.
    """

    def __init__(self, stages: Sequence[AnyStage], head: Trained[Any, Any], rows: int) -> None:
        super().__init__(stages, head)
        self.names: dict[int, list[list[str]]] = {}
        for index, stage in enumerate(self.stages):
            steps = able(stage, Steps)
            if steps is None or not steps.recurrent:
                continue
            layers = steps.start(rows)
            self.names[index] = [
                [f"state_{index}_{i}_{k}" for k in range(len(layer))] for i, layer in enumerate(layers)
            ]
            for names, layer in zip(self.names[index], layers, strict=True):
                for name, tensor in zip(names, layer, strict=True):
                    self.register_buffer(name, torch.zeros_like(tensor))

    def forward(self, batch: tuple[Any, Any]) -> tuple[Tensor, Tensor]:
        wire, targets = batch
        begins = wire.begins
        for index, stage in enumerate(self.stages):
            wire = self._carried(index, stage, wire, begins) if index in self.names else stage.process(wire)
        return self.head.loss(wire, targets)

    def _carried(self, index: int, stage: AnyStage, source: Sequences, begins: bool) -> Sequences:
        """The output of a recurrent stage that goes on from its last state."""
        steps, names = able(stage, Steps), self.names[index]
        assert steps is not None
        rows, mask = source.padded()  # (B, T, D)
        state = tuple(tuple(self.get_buffer(name).clone() for name in layer) for layer in names)
        if begins:
            state = tuple(tuple(torch.zeros_like(tensor) for tensor in layer) for layer in state)
        rows, after = steps.step(rows, state)
        for layer, tensors in zip(names, after, strict=True):
            for name, tensor in zip(layer, tensors, strict=True):
                self.get_buffer(name).copy_(tensor.detach())
        return Sequences(rows, source.lengths, source.tokens, mask)


class SplitExamples:
    """A split as the trainer takes it: lengths for its buckets, batches by indices.

    Args:
        split: inputs, prepared once, and targets.
    """

    def __init__(self, split: Split) -> None:
        self.split = split
        self.lengths = np.maximum(split.inputs.lengths, split.targets.lengths)

    def batch(self, indices: Sequence[int], random: np.random.Generator) -> tuple[Any, Any]:
        """The examples at ``indices``: (inputs, targets)."""
        chosen = self.split.take(list(indices))
        return chosen.inputs, chosen.targets
