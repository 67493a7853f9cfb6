"""Copies of the parameters after past epochs: the best epoch's, to restore, and the last ones', to average.

Averaging the last checkpoints: Vaswani et al. 2017, section 6.1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch

from nlpipe.training.checkpoint import Checkpoint
from nlpipe.training.history import Epoch
from nlpipe.training.step import Prepared

if TYPE_CHECKING:
    from torch import Tensor


class Snapshots:
    """The parameters that may be needed at the end of training, in the memory of the CPU and in the checkpoint.

    Args:
        model: whose parameters they are.
        average: number of last epochs that are averaged at the end; below 2 for none.
        higher_is_better: whether a larger score is better.
        checkpoint: where the parameters are also written; None to keep them in memory only.
    """

    def __init__(self, model: Prepared, average: int, higher_is_better: bool, checkpoint: Checkpoint | None) -> None:
        self.model = model
        self.average = average
        self.sign = 1.0 if higher_is_better else -1.0
        self.checkpoint = checkpoint
        self.epochs: dict[int, dict[str, Tensor]] = {}
        """Parameters by the number of their epoch."""
        self.best: int | None = None
        """Number of the best epoch; None if none has a score."""
        self.best_score: float | None = None
        self.best_loss: float | None = None
        """Loss of the best epoch on the dev split; None until a tie asks for it."""
        self.stale = 0
        """Number of epochs since the best one."""

    def add(self, epoch: int, score: float | None, dev_loss: Callable[[], float] | None = None) -> None:
        """Keep the parameters after ``epoch`` if it is the best one or may be averaged; drop those not needed now.

        Args:
            dev_loss: computes the loss of the current parameters on the dev split, to which a tie in the score goes;
                None: the earlier of two equal epochs is the better one.
        """
        loss: float | None = None
        better = self._is_better(score)
        if dev_loss is not None and score is not None and score == self.best_score:
            loss = dev_loss()
            if self.best_loss is None:
                self.best_loss = self._loss_of_best(dev_loss)
            better = loss < self.best_loss
        if better:
            self.best, self.best_score, self.best_loss, self.stale = epoch, score, loss, 0
        else:
            self.stale += 1
        needed = set(range(epoch - self.average + 1, epoch + 1)) if self.average > 1 else set()
        if self.best is not None:
            needed.add(self.best)
        if epoch in needed:
            self.epochs[epoch] = self.model.snapshot()
            if self.checkpoint is not None and self.model.is_main:
                self.checkpoint.write_epoch(epoch, self.epochs[epoch])
        self.epochs = {number: tensors for number, tensors in self.epochs.items() if number in needed}

    def load(self, epochs: Sequence[int], best: int | None, best_score: float | None, stale: int) -> None:
        """Continue from a checkpoint, whose state names these epochs.

        Raises:
            ModelError: the parameters of an epoch are missing or damaged.
        """
        assert self.checkpoint is not None
        self.epochs = {epoch: self.checkpoint.read_epoch(epoch) for epoch in epochs}
        self.best, self.best_score, self.stale = best, best_score, stale

    def _loss_of_best(self, dev_loss: Callable[[], float]) -> float:
        """The loss of the best epoch's parameters; the model then has its current ones again."""
        assert self.best is not None
        current = self.model.snapshot()
        self.model.restore(self.epochs[self.best])
        loss = dev_loss()
        self.model.restore(current)
        return loss

    def restore_best(self) -> None:
        """Give the model the parameters of the best epoch, if there is one."""
        if self.best is not None:
            self.model.restore(self.epochs[self.best])

    def finish(self, last: Epoch, evaluate: Callable[[], float | None]) -> tuple[tuple[int, ...], float | None]:
        """Give the model its final parameters: the average of the last epochs, the best epoch's, or the last ones'.

        Args:
            last: the record of the last epoch.
            evaluate: scores the average.

        Returns:
            Numbers of the epochs whose parameters the model now has, and their score.
        """
        averaged = [epoch for epoch in sorted(self.epochs) if epoch > last.epoch - self.average]
        if len(averaged) > 1:
            self.model.restore(self._mean(averaged))
            score = evaluate()
            if self.best is None or self._is_better(score):
                return tuple(averaged), score
        if self.best is not None:
            self.restore_best()
            return (self.best,), self.best_score
        return (last.epoch,), last.score

    def _is_better(self, score: float | None) -> bool:
        if score is None:
            return False
        return self.best_score is None or self.sign * score > self.sign * self.best_score

    def _mean(self, epochs: Sequence[int]) -> dict[str, Tensor]:
        """The mean of floating-point tensors over ``epochs``; of integer tensors (counts) the last epoch's."""
        mean = {}
        for name in self.model.tensors:
            tensors = [self.epochs[epoch][name] for epoch in epochs]
            mean[name] = torch.stack(tensors).mean(0) if tensors[0].is_floating_point() else tensors[-1]
        return mean
