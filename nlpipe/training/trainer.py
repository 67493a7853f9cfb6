"""The options of the only trainer; ``nlpipe.training.loop.train`` carries them out. Importing this imports no torch."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from nlpipe.options import Count, Fraction, NonNegativeFloat, Positive, PositiveFloat, check_options
from nlpipe.training.device import Device, Precision
from nlpipe.training.schedule import Schedule


@dataclass(frozen=True)
class Trainer:
    """Mini-batch training with AdamW; resumes exactly, stops early, restores the best parameters.

    Options:
        epochs: passes over the training examples
        batch_size: examples of a batch, over all processes
        tokens: instead of batch_size, the most padded tokens of a batch
        lr: peak learning rate
        pretrained_lr: peak learning rate of pretrained parts; null for lr
        weight_decay: of weights; biases and norms do not decay
        warmup: share of the steps in which the learning rate rises
        schedule: course of the learning rate after the warm-up
        clip: largest norm of a step's gradient; null for any
        accumulate: batches whose gradients make one step
        patience: epochs without a better score that are borne; null for all
        average: average the parameters of the last so many epochs, where that scores better than the best one
        precision: bf16 halves the width of activations, not of weights; auto where it is faster
        device: where to train; auto for the fastest there is
        minutes: stop after this time, at the best so far; null for no limit
        checkpoint_minutes: time between checkpoints within an epoch, besides the one at its end; null for none
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
