"""The gradient loop: from its start or its checkpoint to its history.

Losses are divided by the units of the whole step, over all processes and accumulated batches. Interrupted and resumed
equals uninterrupted, given the same threads, in fp32 on a CPU.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from nlpipe.errors import ModelError, NlpipeError
from nlpipe.training.batching import Examples, plan
from nlpipe.training.checkpoint import Checkpoint
from nlpipe.training.device import choose_device, choose_precision
from nlpipe.training.history import Epoch, History, Stopped
from nlpipe.training.progress import Progress, in_words
from nlpipe.training.schedule import adamw, multiplier
from nlpipe.training.step import Part, Prepared
from nlpipe.training.trainer import Trainer

if TYPE_CHECKING:
    from torch import Tensor, nn

TIMED = 4
"""Steps after which the time of the whole run is estimated; the first is not counted."""
LOOK = 16
"""Steps between two looks at losses that an accelerator computes; each look waits for it. On a CPU every step."""


@dataclass
class _Sums:
    """What the steps of the present epoch add up to."""

    loss: float = 0.0
    units: float = 0.0
    norm: float = 0.0
    largest: float = 0.0
    clipped: int = 0
    seconds: float = 0.0


def train(
    trainer: Trainer,
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
        trainer: its options.
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
    if trainer.patience is not None and evaluate is None:
        raise NlpipeError("trainer.patience: there is no dev split to be patient about; leave it out or give one")
    loop = Loop(trainer, objective, examples, evaluate, seed, checkpoint, higher_is_better)
    try:
        return loop.run(progress, report or logging.getLogger(__name__).info)
    finally:
        loop.model.close()


class Loop:
    """One training, from its start or its checkpoint to its history."""

    def __init__(
        self,
        trainer: Trainer,
        objective: nn.Module,
        examples: Examples,
        evaluate: Callable[[], float] | None,
        seed: int,
        checkpoint: Path | None,
        higher_is_better: bool,
    ) -> None:
        self.trainer, self.objective, self.examples = trainer, objective, examples
        self.evaluate, self.seed, self.sign = evaluate, seed, 1.0 if higher_is_better else -1.0
        self.lengths = np.asarray(examples.lengths)
        device = choose_device(trainer.device)
        self.precision = choose_precision(trainer.precision, device, objective)
        self.model = Prepared(objective, device, self.precision)
        random.seed(seed + self.model.rank)
        np.random.seed((seed + self.model.rank) % 2**32)
        torch.manual_seed(seed + self.model.rank)
        self.optimizer = adamw(
            objective, lr=trainer.lr, pretrained_lr=trainer.pretrained_lr, weight_decay=trainer.weight_decay
        )
        self.checkpoint = Checkpoint(checkpoint) if checkpoint is not None else None
        # where it is
        self.epoch = self.step = self.stale = 0  # epochs and steps that are done; epochs since the best
        self.sums = _Sums()
        self.records: list[Epoch] = []
        self.best: int | None = None  # its epoch, from 1
        self.kept: dict[int, dict[str, Tensor]] = {}
        self.spent, self.began = 0.0, time.perf_counter()
        self.saved = self.began

    @property
    def elapsed(self) -> float:
        """Seconds of this run, with those before an interruption."""
        return self.spent + time.perf_counter() - self.began

    # --- the course of a run

    def run(self, show: bool | None, report: Callable[[str], None]) -> History:
        self._resume()
        a_pass = int(self.lengths.sum())
        done = self.epoch * a_pass  # roughly, within an epoch
        with Progress(a_pass * self.trainer.epochs, done, show, report if self.model.main else None) as progress:
            progress.say(self._size())
            stopped = self._stopped()
            while stopped is None:
                self.objective.train()
                whole = self._pass(progress)
                self._end_epoch(progress)
                stopped = self._stopped() if whole else "minutes"
            kept, score = self._finish()
        counts = {id(p): p.numel() for p in self.objective.parameters()}
        return History(
            epochs=tuple(self.records),
            stopped=stopped,
            kept=kept,
            score=score,
            parameters=sum(counts.values()),
            trained=sum(p.numel() for p in self.model.learned.values()),
            device=self.model.device.type,
            precision=self.precision,
            threads=torch.get_num_threads(),
            processes=self.model.processes,
            seconds=self.elapsed,
        )

    def _stopped(self) -> Stopped | None:
        """Why to go no further, at an epoch's end."""
        if self.epoch >= self.trainer.epochs:
            return "epochs"
        if self.trainer.patience is not None and self.stale > self.trainer.patience:
            return "patience"
        return "minutes" if self.records and self._due()[0] else None

    def _due(self) -> tuple[bool, bool]:
        """Whether the time is over, and whether a checkpoint is due, by the clock of the first process."""
        limit, between = self.trainer.minutes, self.trainer.checkpoint_minutes
        writes = self.checkpoint is not None and between is not None
        if limit is None and not writes:
            return False, False
        over = limit is not None and self.elapsed >= 60 * limit
        due = writes and between is not None and time.perf_counter() - self.saved >= 60 * between
        said = int(self.model.from_main(2 * over + due))
        return said >= 2, said % 2 == 1

    def _size(self) -> str:
        """The size of the run in words."""
        total = sum(p.numel() for p in self.objective.parameters())
        trained = sum(p.numel() for p in self.model.learned.values())
        steps = math.ceil(len(self._plan(0)) / self.trainer.accumulate)
        begun = f"; goes on after epoch {self.epoch}, step {self.step}" if self.epoch or self.step else ""
        return (
            f"{total:,} parameters ({trained:,} trained), {len(self.lengths):,} examples, {steps:,} steps an epoch, "
            f"{self.trainer.epochs} epochs at most, {self.precision} on {self.model.device.type}"
            f"{f', {self.model.processes} processes' if self.model.processes > 1 else ''}{begun}"
        )

    def _plan(self, epoch: int) -> list[np.ndarray]:
        options = self.trainer
        return plan(self.lengths, batch_size=options.batch_size, tokens=options.tokens, seed=self.seed, epoch=epoch)

    # --- one epoch

    def _pass(self, progress: Progress) -> bool:
        """The steps of this epoch that are left; whether the time sufficed for all of them."""
        options, sums = self.trainer, self.sums
        batches = self._plan(self.epoch)
        steps = math.ceil(len(batches) / options.accumulate)
        look = 1 if self.model.device.type == "cpu" else LOOK
        rows: list[Tensor] = []
        tokens, score = 0, self.records[-1].score if self.records else None
        started = entered = time.perf_counter()
        timed: tuple[float, int] | None = None if not self.records and not self.step else (0.0, 0)
        for step in range(self.step, steps):
            mine = batches[step * options.accumulate : (step + 1) * options.accumulate]
            share = 1.0 / (steps * options.epochs)
            part = multiplier(options.schedule, (self.epoch + step / steps) / options.epochs, options.warmup, share)
            for group in self.optimizer.param_groups:
                group["lr"] = group["peak"] * part
            rows.append(self.model.gradients(self._parts(mine, step * options.accumulate), options.clip))
            size = sum(int(self.lengths[indices].sum()) for indices in mine)
            tokens += size
            if len(rows) == look or step + 1 == steps:
                self._look(rows, step)
                rows = []
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
            self.step = step + 1
            progress.step(size, self.epoch + 1, sums.loss / max(sums.units, 1.0), score)
            if timed is None and step == 0:
                entered, tokens = time.perf_counter(), 0
            if timed is None and step + 1 == TIMED:
                timed = (time.perf_counter() - entered, max(tokens, 1))
                whole = timed[0] / timed[1] * int(self.lengths.sum())
                progress.say(
                    f"about {in_words(whole)} an epoch, {in_words(whole * options.epochs)} in all, at this pace"
                )
            over, due = self._due() if not rows and step + 1 < steps else (False, False)
            if over or due:
                sums.seconds += time.perf_counter() - started
                if over:
                    return False
                self._save()
                started = time.perf_counter()
        if self.model.device.type == "cuda":
            torch.cuda.synchronize()
        sums.seconds += time.perf_counter() - started
        return True

    def _parts(self, batches: list[np.ndarray], number: int) -> list[Part]:
        """What falls to this process of these batches, the first of which is the epoch's ``number``-th."""
        rank, processes = self.model.rank, self.model.processes
        parts = []
        for i, indices in enumerate(batches):
            mine = indices[rank::processes]
            idle = not len(mine)  # fewer examples than processes: all must call backward, so one counts for nothing
            drawn = np.random.default_rng([self.seed, self.epoch, number + i, rank])
            parts.append((self.examples.batch((indices[:1] if idle else mine).tolist(), drawn), not idle))
        return parts

    def _look(self, rows: list[Tensor], step: int) -> None:
        """Add up what the last steps, up to ``step``, gave.

        Raises:
            NlpipeError: a loss or a gradient is not finite.
        """
        sums = self.sums
        for i, (loss, units, norm) in enumerate(torch.stack(rows).tolist()):
            if not (math.isfinite(loss) and math.isfinite(norm)):
                self._diverged(step - len(rows) + 2 + i, loss, norm)
            sums.loss += loss
            sums.units += units
            sums.norm += norm
            sums.largest = max(sums.largest, norm)
            sums.clipped += self.trainer.clip is not None and norm > self.trainer.clip

    def _diverged(self, step: int, loss: float, norm: float) -> None:
        if self.best is not None:
            self.model.put(self.kept[self.best])
        self.objective.eval()
        what = f"the loss is {loss}" if not math.isfinite(loss) else f"the norm of the gradient is {norm}"
        rates = sorted({float(group["lr"]) for group in self.optimizer.param_groups})
        ways = [f"a lower trainer.lr than {self.trainer.lr:g}"]
        if self.trainer.clip is None or self.trainer.clip > 1.0:
            ways.append("trainer.clip: 1.0")
        if self.trainer.warmup == 0:
            ways.append("trainer.warmup: 0.1")
        if self.precision == "bf16":
            ways.append("trainer.precision: fp32")
        now = (
            f"the pipeline in memory has the parameters of epoch {self.best}, the best"
            if self.best
            else "no epoch had been completed"
        )
        raise NlpipeError(
            f"training broke down in epoch {self.epoch + 1}, step {step}: {what}, at learning rate "
            f"{', '.join(f'{rate:g}' for rate in rates)}; try {', or '.join(ways)}; {now}"
        )

    # --- between epochs

    def _end_epoch(self, progress: Progress) -> None:
        """Score, record, keep what may be wanted in the end, write a checkpoint."""
        steps, sums = max(self.step, 1), self.sums
        score = self._score()
        self.epoch, self.step, self.sums = self.epoch + 1, 0, _Sums()
        record = Epoch(
            epoch=self.epoch,
            steps=steps,
            loss=sums.loss / max(sums.units, 1.0),
            score=score,
            lr=float(self.optimizer.param_groups[0]["lr"]),
            seconds=sums.seconds,
            units=round(sums.units),
            gradient_norm=sums.norm / steps,
            largest_norm=sums.largest,
            clipped=sums.clipped,
        )
        self.records.append(record)
        if self._better(score):
            self.best, self.stale = self.epoch, 0
        else:
            self.stale += 1
        window = (
            set(range(self.epoch - self.trainer.average + 1, self.epoch + 1)) if self.trainer.average > 1 else set()
        )
        wanted = window | ({self.best} if self.best is not None else set())
        if self.epoch in wanted:
            self.kept[self.epoch] = self.model.copy()
            if self.checkpoint is not None and self.model.main:
                self.checkpoint.keep(self.epoch, self.kept[self.epoch])
        self.kept = {epoch: tensors for epoch, tensors in self.kept.items() if epoch in wanted}
        if self.checkpoint is not None:
            self._save()
            if self.model.main:
                self.checkpoint.drop_all_but(set(self.kept))
        progress.say(str(record))

    def _score(self) -> float | None:
        """What ``evaluate`` says, the same in all processes; None where there is nothing to say."""
        if self.evaluate is None:
            return None
        self.objective.eval()
        with torch.no_grad():
            said = float(self.evaluate()) if self.model.main else 0.0
        said = self.model.from_main(said)
        return None if math.isnan(said) else said

    def _better(self, score: float | None) -> bool:
        """Whether it beats the best epoch before."""
        if score is None:
            return False
        best = self.records[self.best - 1].score if self.best is not None else None
        return best is None or self.sign * score > self.sign * best

    def _finish(self) -> tuple[tuple[int, ...], float | None]:
        """Give the model its best parameters; which epochs they come from, and their score."""
        window = [e for e in sorted(self.kept) if e > len(self.records) - self.trainer.average]
        kept: tuple[int, ...] = (len(self.records),)
        score = self.records[-1].score
        if len(window) > 1:
            self.model.put({name: _mean([self.kept[e][name] for e in window]) for name in self.model.tensors})
            kept, score = tuple(window), self._score()
        if self.best is not None and (len(window) < 2 or not self._better(score)):
            self.model.put(self.kept[self.best])
            kept, score = (self.best,), self.records[self.best - 1].score
        self.objective.eval()
        return kept, score

    # --- interruption

    def _fingerprint(self) -> dict[str, Any]:
        """What must be the same for a run to be this run."""
        free = {"minutes", "checkpoint_minutes", "device"}
        shapes = str([(name, tuple(tensor.shape)) for name, tensor in self.model.tensors.items()])
        return {
            "options": {name: value for name, value in self.trainer.options.items() if name not in free},
            "seed": self.seed,
            "examples": hashlib.sha256(self.lengths.astype(np.int64).tobytes()).hexdigest(),
            "parameters": hashlib.sha256(shapes.encode()).hexdigest(),
            "precision": self.precision,
            "processes": self.model.processes,
        }

    def _save(self) -> None:
        """Write where this run is; every process takes part."""
        assert self.checkpoint is not None
        tensors = self.model.state(self.optimizer)
        if self.model.main:
            data = {
                "run": self._fingerprint(),
                "epoch": self.epoch,
                "step": self.step,
                "sums": dataclasses.asdict(self.sums),
                "records": [dataclasses.asdict(record) for record in self.records],
                "best": self.best,
                "stale": self.stale,
                "kept": sorted(self.kept),
                "spent": self.elapsed,
            }
            self.checkpoint.write(tensors, data)
        self.model.accelerator.wait_for_everyone()
        self.saved = time.perf_counter()

    def _resume(self) -> None:
        """Go to where the checkpoint is, if there is one.

        Raises:
            ModelError: it is of another run.
        """
        found = self.checkpoint.read() if self.checkpoint is not None else None
        if self.checkpoint is None or found is None:
            return
        tensors, data = found
        for key, mine in self._fingerprint().items():
            if data["run"].get(key) != mine:
                raise ModelError(
                    f"{self.checkpoint.folder}: the checkpoint is of another run, with {key} {data['run'].get(key)}, "
                    f"not {mine}; delete the folder or choose another"
                )
        self.kept = {epoch: self.checkpoint.kept(epoch) for epoch in data["kept"]}
        self.epoch, self.step, self.stale = data["epoch"], data["step"], data["stale"]
        self.sums = _Sums(**data["sums"])
        self.records = [Epoch(**record) for record in data["records"]]
        self.best, self.spent = data["best"], data["spent"]
        self.model.load_state(tensors, self.optimizer)


def _mean(tensors: list[Tensor]) -> Tensor:
    """Of numbers; the last of what is counted."""
    return torch.stack(tensors).mean(0) if tensors[0].is_floating_point() else tensors[-1]
