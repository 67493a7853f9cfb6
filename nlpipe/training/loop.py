"""The training loop: steps, an evaluation after each epoch, early stopping, checkpoints.

The loss of a step is divided by its number of units, summed over all processes and accumulated batches. A training
that was interrupted and resumed gives the same parameters as an uninterrupted one, to the last bit, in fp32 on a CPU
with the same number of threads.
"""

from __future__ import annotations

import hashlib
import logging
import math
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from nlpipe.errors import ModelError, NlpipeError
from nlpipe.training.batching import Examples, Sampler
from nlpipe.training.checkpoint import Checkpoint
from nlpipe.training.clock import Clock
from nlpipe.training.device import choose_device, choose_precision
from nlpipe.training.divergence import divergence_error
from nlpipe.training.history import Epoch, History, Stopped
from nlpipe.training.position import Position, Totals
from nlpipe.training.progress import DurationEstimate, Progress
from nlpipe.training.schedule import adamw, learning_rate_factor
from nlpipe.training.snapshots import Snapshots
from nlpipe.training.step import Prepared
from nlpipe.training.trainer import Trainer

if TYPE_CHECKING:
    from torch import Tensor

    from nlpipe.training.loss import Objective

STEPS_PER_SYNC = 16
"""On a GPU, losses are copied to the CPU once in this many steps, because a copy waits for the GPU."""


def train(
    trainer: Trainer,
    objective: Objective,
    examples: Examples,
    evaluate: Callable[[], float] | None,
    *,
    seed: int,
    checkpoint: Path | None = None,
    higher_is_better: bool = True,
    progress: bool | None = None,
    report: Callable[[str], None] | None = None,
    dev_loss: Callable[[], float] | None = None,
    metric: str = "score",
    after_epoch: Callable[[Epoch], None] | None = None,
    plan: list[np.ndarray] | None = None,
) -> History:
    """Train ``objective`` in place. It ends in eval mode, on the training device, with the best parameters.

    Args:
        trainer: the options.
        objective: computes the loss of a batch.
        examples: to train on.
        evaluate: scores the model on the dev split. It is called after each epoch, in eval mode without gradients, in
            the process of rank 0 only; NaN means that the score is undefined. None if there is no dev split: the
            parameters of the last epoch are kept, or the average of the last ones.
        seed: of the order of the examples and of the global random states, which are set.
        checkpoint: a folder. If it holds the state of the same training, training resumes from there.
        higher_is_better: whether a larger score is better.
        progress: whether to draw a progress bar; None draws it if stderr is a terminal.
        report: receives a line of text after each epoch if no bar is drawn; None passes the lines to ``logging``.
        dev_loss: the loss on the dev split, called as ``evaluate`` is: of epochs with equal scores, the one with the
            lower loss is the better one.
        metric: what ``evaluate`` gives, for messages.
        after_epoch: called with the record of each epoch when its checkpoint has been written; what it raises ends the
            training and is passed on. Epochs that a resumed training took before are passed first.
        plan: the batches of every epoch, where their order is given: of running text; None: they are drawn.

    Raises:
        NlpipeError: there are no examples or no trainable parameters, this machine has no such device, or the loss or
            the gradient is no longer finite; in the last case the objective has the best parameters so far.
        ModelError: the checkpoint is damaged or belongs to another training.
    """
    if not len(examples.lengths):
        raise NlpipeError("there is nothing to train on: 0 examples")
    if not any(p.requires_grad for p in objective.parameters()):
        raise NlpipeError("there is nothing to train: no parameter of the model requires a gradient")
    if trainer.patience is not None and evaluate is None:
        raise NlpipeError("trainer.patience needs a dev split, and there is none; give one, or leave patience out")
    loop = Loop(
        trainer, objective, examples, evaluate, seed, checkpoint, higher_is_better, dev_loss, metric, after_epoch, plan
    )
    try:
        return loop.run(progress, report or logging.getLogger(__name__).info)
    finally:
        loop.model.close()


class Loop:
    """One training, from its start or its checkpoint to its history."""

    def __init__(
        self,
        trainer: Trainer,
        objective: Objective,
        examples: Examples,
        evaluate: Callable[[], float] | None,
        seed: int,
        checkpoint: Path | None,
        higher_is_better: bool,
        dev_loss: Callable[[], float] | None = None,
        metric: str = "score",
        after_epoch: Callable[[Epoch], None] | None = None,
        plan: list[np.ndarray] | None = None,
    ) -> None:
        self.dev_loss, self.metric, self.after_epoch = dev_loss, metric, after_epoch
        self.trainer, self.objective, self.evaluate, self.seed = trainer, objective, evaluate, seed
        device = choose_device(trainer.device)
        self.precision = choose_precision(trainer.precision, device, objective)
        self.model = Prepared(objective, device, self.precision)
        random.seed(seed + self.model.rank)
        np.random.seed((seed + self.model.rank) % 2**32)
        torch.manual_seed(seed + self.model.rank)
        self.sampler = Sampler(
            examples,
            batch_size=trainer.batch_size,
            tokens=trainer.tokens,
            accumulate=trainer.accumulate,
            seed=seed,
            rank=self.model.rank,
            processes=self.model.processes,
            plan=plan,
        )
        self.optimizer = adamw(
            objective, lr=trainer.lr, pretrained_lr=trainer.pretrained_lr, weight_decay=trainer.weight_decay
        )
        self.checkpoint = Checkpoint(checkpoint) if checkpoint is not None else None
        self.snapshots = Snapshots(self.model, trainer.average, higher_is_better, self.checkpoint)
        self.clock = Clock(trainer.minutes, trainer.checkpoint_minutes if checkpoint is not None else None)
        self.position = Position()

    def run(self, show: bool | None, report: Callable[[str], None]) -> History:
        """Train until the options say to stop; see ``train``."""
        self._resume()
        per_epoch = self.sampler.tokens_per_epoch
        done = self.position.epoch * per_epoch  # approximate if the training resumes within an epoch
        report_here = report if self.model.is_main else None
        tokens, seconds = per_epoch * self.trainer.epochs, self.clock.seconds_left
        with Progress(tokens, done, show, report_here, seconds, self.metric) as progress:
            progress.write(self._summary())
            if self.after_epoch is not None:
                for record in self.position.records:
                    self.after_epoch(record)
            stopped = self._stop_reason()
            while stopped is None:
                self.objective.train()
                completed = self._train_epoch(progress)
                self._end_epoch(progress)
                stopped = self._stop_reason() if completed else "minutes"
            kept, score = self.snapshots.finish(self.position.records[-1], self._score)
            self.objective.eval()
        return History(
            epochs=tuple(self.position.records),
            stopped=stopped,
            kept=kept,
            score=score,
            parameters=sum(p.numel() for p in self.objective.parameters()),
            trained=sum(p.numel() for p in self.model.trained.values()),
            device=self.model.device.type,
            precision=self.precision,
            threads=torch.get_num_threads(),
            processes=self.model.processes,
            seconds=self.clock.seconds,
            metric=self.metric,
        )

    def _stop_reason(self) -> Stopped | None:
        """Why to stop after a completed epoch; None to continue."""
        if self.position.epoch >= self.trainer.epochs:
            return "epochs"
        if self.trainer.patience is not None and self.snapshots.stale > self.trainer.patience:
            return "patience"
        return "minutes" if self.position.records and self._read_clock()[0] else None

    def _read_clock(self) -> tuple[bool, bool]:
        """Whether the time limit is reached and whether a checkpoint is due, by the clock of the process of rank 0."""
        if not self.clock.is_used:
            return False, False
        flags = int(self.model.broadcast(2 * self.clock.is_over + self.clock.checkpoint_due))
        return flags >= 2, flags % 2 == 1

    def _summary(self) -> str:
        """One line with the size of the training and its device."""
        total = sum(p.numel() for p in self.objective.parameters())
        trained = sum(p.numel() for p in self.model.trained.values())
        epoch, step = self.position.epoch, self.position.step
        processes = f", {self.model.processes} processes" if self.model.processes > 1 else ""
        resumed = f"; resumes after epoch {epoch}, step {step}" if epoch or step else ""
        return (
            f"{total:,} parameters ({trained:,} trained), {len(self.sampler.lengths):,} examples, "
            f"{len(self.sampler.steps(0)):,} steps per epoch, at most {self.trainer.epochs} epochs, "
            f"{self.precision} on {self.model.device.type}{processes}{resumed}"
        )

    # -- within an epoch

    def _train_epoch(self, progress: Progress) -> bool:
        """Take the remaining steps of the current epoch; False if the time limit was reached before its end."""
        position, totals = self.position, self.position.totals
        steps = self.sampler.steps(position.epoch)
        steps_per_sync = 1 if self.model.device.type == "cpu" else STEPS_PER_SYNC
        pending: list[Tensor] = []  # results of steps that were not yet copied from the device
        last_score = position.records[-1].score if position.records else None
        estimate: DurationEstimate | None = None
        if not position.records and not position.step:
            estimate = DurationEstimate(progress, self.sampler.tokens_per_epoch, self.trainer.epochs)
        start = time.perf_counter()
        for step in range(position.step, len(steps)):
            self._set_learning_rate(step, len(steps))
            parts = self.sampler.parts(position.epoch, step, steps[step])
            pending.append(self.model.compute_gradients(parts, self.trainer.clip))
            if len(pending) == steps_per_sync or step + 1 == len(steps):
                self._add_to_totals(pending, step)
                pending = []
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
            position.step = step + 1
            tokens = self.sampler.count_tokens(steps[step])
            progress.advance(tokens, position.epoch + 1, totals.mean_loss, last_score)
            if estimate is not None:
                estimate.add(step, tokens)
            over, due = self._read_clock() if not pending and step + 1 < len(steps) else (False, False)
            if over or due:
                totals.seconds += time.perf_counter() - start
                if over:
                    return False
                self._save()
                start = time.perf_counter()
        if self.model.device.type == "cuda":
            torch.cuda.synchronize()
        totals.seconds += time.perf_counter() - start
        return True

    def _set_learning_rate(self, step: int, steps: int) -> None:
        """Set the learning rate of ``step`` (from 0) of the ``steps`` of the current epoch."""
        options = self.trainer
        done = (self.position.epoch + step / steps) / options.epochs
        factor = learning_rate_factor(options.schedule, done, options.warmup, 1.0 / (steps * options.epochs))
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * factor

    def _add_to_totals(self, results: list[Tensor], step: int) -> None:
        """Add the results of the last steps, which end with ``step``, to the totals of the epoch.

        Raises:
            NlpipeError: a loss or a gradient is not finite.
        """
        first = step - len(results) + 1
        for number, (loss, units, norm) in enumerate(torch.stack(results).tolist(), first + 1):
            if not (math.isfinite(loss) and math.isfinite(norm)):
                self.snapshots.restore_best()
                self.objective.eval()
                raise divergence_error(
                    self.trainer,
                    epoch=self.position.epoch + 1,
                    step=number,
                    loss=loss,
                    norm=norm,
                    learning_rates=[float(group["lr"]) for group in self.optimizer.param_groups],
                    precision=self.precision,
                    best=self.snapshots.best,
                )
            self.position.totals.add(loss, units, norm, self.trainer.clip)

    # -- between epochs

    def _end_epoch(self, progress: Progress) -> None:
        """Evaluate, record the epoch, keep its parameters if they may be needed, and write a checkpoint."""
        position = self.position
        score, lr = self._score(), float(self.optimizer.param_groups[0]["lr"])
        record = position.totals.record(position.epoch + 1, max(position.step, 1), score, lr)
        position.epoch, position.step, position.totals = position.epoch + 1, 0, Totals()
        position.records.append(record)
        self.snapshots.add(record.epoch, score, self._dev_loss if self.dev_loss is not None else None)
        if self.checkpoint is not None:
            self._save()
            if self.model.is_main:
                self.checkpoint.remove_epochs_except(set(self.snapshots.epochs))
        progress.write(record.line(self.metric))
        if self.after_epoch is not None:
            self.after_epoch(record)

    def _score(self) -> float | None:
        """The score on the dev split, the same in all processes; None if there is no dev split or it is undefined."""
        if self.evaluate is None:
            return None
        self.objective.eval()
        with torch.no_grad():
            score = float(self.evaluate()) if self.model.is_main else 0.0
        score = self.model.broadcast(score)
        return None if math.isnan(score) else score

    def _dev_loss(self) -> float:
        """The loss on the dev split, the same in all processes."""
        assert self.dev_loss is not None
        self.objective.eval()
        with torch.no_grad():
            return self.model.broadcast(float(self.dev_loss()) if self.model.is_main else 0.0)

    # -- interruption

    def _fingerprint(self) -> dict[str, Any]:
        """What must be the same in a checkpoint for this training to resume from it."""
        may_differ = {"minutes", "checkpoint_minutes", "device"}
        shapes = str([(name, tuple(tensor.shape)) for name, tensor in self.model.tensors.items()])
        return {
            "options": {name: value for name, value in self.trainer.options.items() if name not in may_differ},
            "seed": self.seed,
            "examples": hashlib.sha256(self.sampler.lengths.astype(np.int64).tobytes()).hexdigest(),
            "parameters": hashlib.sha256(shapes.encode()).hexdigest(),
            "precision": self.precision,
            "processes": self.model.processes,
        }

    def _save(self) -> None:
        """Write a checkpoint; all processes take part."""
        assert self.checkpoint is not None
        tensors = self.model.state(self.optimizer)
        if self.model.is_main:
            data = {
                "run": self._fingerprint(),
                **self.position.plain(),
                "best": self.snapshots.best,
                "stale": self.snapshots.stale,
                "kept": sorted(self.snapshots.epochs),
                "spent": self.clock.seconds,
            }
            self.checkpoint.write(tensors, data)
        self.model.accelerator.wait_for_everyone()
        self.clock.checkpoint_written()

    def _resume(self) -> None:
        """Continue from the checkpoint, if there is one.

        Raises:
            ModelError: it is damaged or belongs to another training.
        """
        state = self.checkpoint.read() if self.checkpoint is not None else None
        if self.checkpoint is None or state is None:
            return
        tensors, data = state
        for key, value in self._fingerprint().items():
            saved = data["run"].get(key)
            if saved != value:
                raise ModelError(
                    f"{self.checkpoint.folder}: the checkpoint belongs to another training, with {key} {saved} "
                    f"instead of {value}; delete the folder or choose another one"
                )
        self.position = Position.from_plain(data)
        best = data["best"]
        best_score = self.position.records[best - 1].score if best is not None else None
        self.snapshots.load(data["kept"], best, best_score, data["stale"])
        self.clock.seconds_before = data["spent"]
        self.model.load_state(tensors, self.optimizer)
