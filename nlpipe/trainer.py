"""The only trainer: its options, and ``train``, which knows an objective, batches and a callback, and nothing else.

The loop itself is ``nlpipe.training.loop``; importing this file imports no torch.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlpipe.errors import NlpipeError
from nlpipe.options import Count, Fraction, NonNegativeFloat, Positive, PositiveFloat, check_options
from nlpipe.training.batching import Examples
from nlpipe.training.device import Device, Precision
from nlpipe.training.history import Epoch, History
from nlpipe.training.optimizer import Schedule

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Epoch", "Examples", "History", "Trainer"]


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

    def train(
        self,
        objective: nn.Module,
        examples: Examples,
        evaluate: Callable[[], float] | None,
        *,
        seed: int,
        checkpoint: Path | None = None,
        higher_is_better: bool = True,
        progress: bool | None = None,
        report: Callable[[str], None] | None = None,
    ) -> History:
        """Train ``objective`` in place; it ends in eval mode, on the device, with the best parameters.

        Args:
            objective: ``objective(batch)`` gives the loss summed over units in nats and the number of units, both of
                shape (); see ``adamw`` for its pretrained parts.
            examples: what to train on.
            evaluate: scores the model on the dev split, after each epoch, in eval mode without gradients, in the first
                process only; None where there is no dev split: the last parameters are kept, or the average.
            seed: of the order of the examples and the global random states, which it sets.
            checkpoint: a folder; where it holds a state of this very run, training goes on from there.
            higher_is_better: whether a larger score is a better one.
            progress: whether to draw a bar; None draws on a terminal.
            report: takes a line at each epoch's end where there is no bar; None gives them to ``logging``.

        Raises:
            NlpipeError: no examples, nothing to learn, a device that is not here, or a loss or gradient that is not
                a number; the objective then has the best parameters so far.
            ModelError: the checkpoint is damaged or of another run.
        """
        if not len(examples.lengths):
            raise NlpipeError("there is nothing to train on: 0 examples")
        if not any(p.requires_grad for p in objective.parameters()):
            raise NlpipeError("there is nothing to train: no parameter of the model requires a gradient")
        if self.patience is not None and evaluate is None:
            raise NlpipeError("trainer.patience: there is no dev split to be patient about; leave it out or give one")
        from nlpipe.training.loop import Loop

        loop = Loop(self, objective, examples, evaluate, seed, checkpoint, higher_is_better)
        try:
            return loop.run(progress, report or logging.getLogger(__name__).info)
        finally:
            loop.model.close()
