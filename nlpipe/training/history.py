"""What training leaves behind: plain records, as JSON writes them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

Stopped = Literal["epochs", "patience", "minutes"]


@dataclass(frozen=True)
class Epoch:
    """One pass over the examples, or as much of it as the time allowed.

    Args:
        epoch: from 1.
        steps: updates of the parameters.
        loss: negative log-likelihood per unit in nats.
        score: what ``evaluate`` said after it; None where there is no dev split or no defined score.
        lr: learning rate of the last step, of the parts that are not pretrained.
        seconds: in steps, without the evaluation.
        units: labels, tags or tokens that the loss was summed over.
        gradient_norm: mean over the steps, before clipping.
        largest_norm: of the steps, before clipping.
        clipped: steps whose gradient was clipped.
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
        """Units a second of training."""
        return self.units / self.seconds if self.seconds > 0 else 0.0

    def __str__(self) -> str:
        score = "" if self.score is None else f", score {self.score:.4f}"
        clipped = f", clipped {self.clipped} of {self.steps} steps" if self.clipped else ""
        return (
            f"epoch {self.epoch}: loss {self.loss:.4f}{score}, lr {self.lr:.2g}, {self.seconds:.1f} s, "
            f"{self.units_per_second:,.0f} units/s{clipped}"
        )


@dataclass(frozen=True)
class History:
    """The course of one training.

    Args:
        epochs: in order.
        stopped: why it ended: all epochs done, no better score for ``patience`` epochs, or the ``minutes`` were over.
        kept: the epochs whose parameters the model has now: the best one, or those that were averaged.
        score: what ``evaluate`` says of them; None as in ``Epoch``.
        parameters: numbers in the model.
        trained: those among them that gradients change.
        device: ``cpu``, ``cuda`` or ``mps``.
        precision: ``fp32`` or ``bf16``.
        threads: of each process, on the CPU.
        processes: that trained together.
        seconds: of wall time, with evaluations and checkpoints, over all interruptions.
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

    def plain(self) -> dict[str, Any]:
        """As JSON writes it."""
        rows = [{**dataclasses.asdict(e), "units_per_second": e.units_per_second} for e in self.epochs]
        return {**dataclasses.asdict(self), "epochs": rows, "kept": list(self.kept)}
