"""How far a training has come: its epoch, its step, and the figures recorded so far. Checkpoints hold it as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nlpipe.training.history import Epoch


@dataclass
class Totals:
    """Sums over the steps of an epoch.

    Args:
        loss: summed negative log-likelihood in nats.
        units: number of labels, tags or tokens.
        norm: sum of the gradients' norms before clipping.
        largest: largest of these norms.
        clipped: number of steps whose gradient was clipped.
        seconds: spent in steps.
    """

    loss: float = 0.0
    units: float = 0.0
    norm: float = 0.0
    largest: float = 0.0
    clipped: int = 0
    seconds: float = 0.0

    @property
    def mean_loss(self) -> float:
        """Mean negative log-likelihood per unit in nats."""
        return self.loss / max(self.units, 1.0)

    def add(self, loss: float, units: float, norm: float, clip: float | None) -> None:
        """Add the results of a step, whose gradient had the norm ``norm`` before it was clipped to ``clip``."""
        self.loss += loss
        self.units += units
        self.norm += norm
        self.largest = max(self.largest, norm)
        self.clipped += clip is not None and norm > clip

    def record(self, epoch: int, steps: int, score: float | None, lr: float) -> Epoch:
        """The record of the epoch; see ``Epoch`` for the arguments."""
        return Epoch(
            epoch=epoch,
            steps=steps,
            loss=self.mean_loss,
            score=score,
            lr=lr,
            seconds=self.seconds,
            units=round(self.units),
            gradient_norm=self.norm / steps,
            largest_norm=self.largest,
            clipped=self.clipped,
        )


@dataclass
class Position:
    """How far a training has come.

    Args:
        epoch: number of completed epochs.
        step: number of completed steps of the current epoch.
        totals: of the current epoch.
        records: of the completed epochs.
    """

    epoch: int = 0
    step: int = 0
    totals: Totals = field(default_factory=Totals)
    records: list[Epoch] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        """As a checkpoint's JSON holds it."""
        return {
            "epoch": self.epoch,
            "step": self.step,
            "sums": dataclasses.asdict(self.totals),
            "records": [dataclasses.asdict(record) for record in self.records],
        }

    @classmethod
    def from_plain(cls, data: Mapping[str, Any]) -> Position:
        """Read what ``plain`` returned."""
        records = [Epoch(**record) for record in data["records"]]
        return cls(data["epoch"], data["step"], Totals(**data["sums"]), records)
