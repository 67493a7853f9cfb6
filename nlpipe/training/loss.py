"""What the training loop minimises: a module from a batch to its loss, which knows its pretrained parameters."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from torch import Tensor, nn


class Objective(nn.Module):
    """A module that computes the loss of a batch. The loop calls nothing else of it while it trains."""

    @abstractmethod
    def forward(self, batch: Any) -> tuple[Tensor, Tensor]:
        """The loss of a batch.

        Args:
            batch: as ``Examples.batch`` gives it.

        Returns:
            The negative log-likelihood in nats, summed over units (labels, tags or tokens), and the number of units;
            both of shape ().
        """

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Groups of parameters with a learning rate of their own.

        Those under the key ``"pretrained"`` are trained with ``pretrained_lr``, all others with ``lr``.
        """
        return {}
