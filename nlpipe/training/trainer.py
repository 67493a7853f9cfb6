"""The options of training by gradients, for ``nlpipe.training.loop.train``. Importing this file loads no torch."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from nlpipe.options import Count, Fraction, NonNegativeFloat, Positive, PositiveFloat, check_options
from nlpipe.training.device import Device, Precision
from nlpipe.training.schedule import Schedule


@dataclass(frozen=True)
class Trainer:
    """Mini-batch training with AdamW, early stopping and exact resumption; the best parameters are restored at the end.

    Options:
        epochs: maximum number of passes over the training examples
        batch_size: examples per batch, over all processes
        tokens: maximum number of tokens per batch, padding included; used instead of batch_size
        lr: peak learning rate
        pretrained_lr: peak learning rate of pretrained parameters; null for the same as lr
        weight_decay: decoupled weight decay (AdamW) of weight matrices; biases and normalisation scales do not decay
        warmup: share of all steps over which the learning rate rises linearly to its peak
        schedule: how the learning rate changes after the warm-up
        clip: maximum L2 norm of the gradient of a step; null for no limit
        accumulate: number of batches whose gradients are summed for one step
        patience: stop after more than this many epochs without improvement; null to train all epochs
        average: average the parameters of this many last epochs, if the average scores better than the best epoch
        precision: bf16 computes in bfloat16 and keeps the weights in float32; auto takes bf16 where it is faster
        device: where to train; auto takes the fastest device of this machine
        minutes: stop after this many minutes and restore the best parameters so far; null for no limit
        checkpoint_minutes: minutes between checkpoints within an epoch, besides the one at its end; null for none
    """

    epochs: Positive = 10
    batch_size: Positive = 32
    tokens: Positive | None = None
    lr: PositiveFloat = 1e-3
    pretrained_lr: PositiveFloat | None = None
    weight_decay: NonNegativeFloat = 0.01
    warmup: Fraction = 0.0
    schedule: Schedule = "constant"
    clip: PositiveFloat | None = 1.0
    accumulate: Positive = 1
    patience: Count | None = None
    average: Count = 0
    precision: Precision = "auto"
    device: Device = "auto"
    minutes: PositiveFloat | None = None
    checkpoint_minutes: PositiveFloat | None = 10.0

    def __post_init__(self) -> None:
        for name, value in check_options(Trainer, self.options).items():
            object.__setattr__(self, name, value)

    @property
    def options(self) -> dict[str, Any]:
        """Every option with its value, as a pipeline file writes it."""
        return dataclasses.asdict(self)
