"""The record of a training: a dataclass per epoch and one for the whole, written as JSON."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

Stopped = Literal["epochs", "patience", "minutes"]


@dataclass(frozen=True)
class Epoch:
    """One pass over the training examples, or the part of it that the time limit allowed.

    Args:
        epoch: its number, from 1.
        steps: number of parameter updates.
        loss: mean negative log-likelihood per unit in nats.
        score: on the dev split after the epoch; None if there is no dev split or the score is undefined.
        lr: learning rate of the last step, for parameters that are not pretrained.
        seconds: spent in steps, without the evaluation.
        units: number of labels, tags or tokens whose losses were summed.
        gradient_norm: mean over the steps, before clipping.
        largest_norm: maximum over the steps, before clipping.
        clipped: number of steps whose gradient was clipped.
    """

    epoch: int
    steps: int
    loss: float
    score: float | None
    lr: float
    seconds: float
    units: int
    gradient_norm: float
    largest_norm: float
    clipped: int

    @property
    def units_per_second(self) -> float:
        """Training speed in units per second."""
        return self.units / self.seconds if self.seconds > 0 else 0.0

    def line(self, metric: str = "score") -> str:
        """The epoch as one line of text; ``metric`` is what its score is called."""
        score = "" if self.score is None else f", {metric} {self.score:.4f} on dev"
        clipped = f", clipped {self.clipped} of {self.steps} steps" if self.clipped else ""
        return (
            f"epoch {self.epoch}: loss {self.loss:.4f}{score}, lr {self.lr:.2g}, {self.seconds:.1f} s, "
            f"{self.units_per_second:,.0f} units/s{clipped}"
        )


@dataclass(frozen=True)
class History:
    """The record of one training.

    Args:
        epochs: in order.
        stopped: why training ended: all ``epochs`` were done, there was no improvement for more than ``patience``
            epochs, or the time limit of ``minutes`` was reached.
        kept: numbers of the epochs whose parameters the model has now: the best one, or those that were averaged.
        score: of these parameters on the dev split; None as in ``Epoch``.
        metric: what the scores are, such as ``f1``.
        parameters: number of parameters of the model.
        trained: number of parameters that were trained.
        device: ``cpu``, ``cuda`` or ``mps``.
        precision: ``fp32`` or ``bf16``.
        threads: CPU threads of each process.
        processes: number of processes that trained together.
        seconds: wall time, with evaluations and checkpoints, summed over all interruptions.
    """

    epochs: tuple[Epoch, ...]
    stopped: Stopped
    kept: tuple[int, ...]
    score: float | None
    parameters: int
    trained: int
    device: str
    precision: str
    threads: int
    processes: int
    seconds: float
    metric: str = "score"

    def plain(self) -> dict[str, Any]:
        """Everything as JSON writes it, with the speed of each epoch."""
        epochs = [{**dataclasses.asdict(e), "units_per_second": e.units_per_second} for e in self.epochs]
        return {**dataclasses.asdict(self), "epochs": epochs, "kept": list(self.kept)}
