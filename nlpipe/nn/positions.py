"""Where a token stands: sinusoidal, learned and rotary positions.

Attention sees a set; the order of the words reaches it only through these.

Sinusoidal: Vaswani et al. 2017, "Attention Is All You Need", section 3.5. Learned: Gehring et al. 2017,
"Convolutional Sequence to Sequence Learning". Rotary: Su et al. 2021, "RoFormer", section 3.2.

Tables of positions grow with the longest text. A network that is written to a file (``torch.compiler.is_exporting``)
cannot grow one: it computes them for the length at hand.
"""

from __future__ import annotations

import warnings
from typing import Literal

import torch
from torch import Tensor, nn

from nlpipe.errors import DataError, NlpipeWarning, WiringError

Positions = Literal["sinusoidal", "learned", "rotary", "none"]


def angles(length: int, dim: int, device: torch.device | None = None) -> Tensor:
    """Angles pos / 10000 ** (2 i / dim), pos < length, i < dim / 2 rounded up: (length, (dim + 1) // 2), float32."""
    frequencies = 10000.0 ** (-torch.arange(0, dim, 2, device=device, dtype=torch.float64) / dim)  # (dim / 2,)
    positions = torch.arange(length, device=device, dtype=torch.float64)
    return torch.outer(positions, frequencies).float()  # (length, dim / 2)


def sinusoids(length: int, dim: int, device: torch.device | None = None) -> Tensor:
    """PE(pos, 2 i) = sin(pos / 10000 ** (2 i / dim)), PE(pos, 2 i + 1) = cos(the same): (length, dim)."""
    angle = angles(length, dim, device)
    return torch.stack([angle.sin(), angle.cos()], -1).flatten(1)[:, :dim]  # (length, dim)


class Sinusoidal(nn.Module):
    """Adds fixed waves; texts may be of any length."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.table: Tensor
        self.register_buffer("table", sinusoids(128, dim), persistent=False)

    def forward(self, x: Tensor, offset: int = 0) -> Tensor:
        """``x`` (B, T, D), whose first token stands at position ``offset``, with its positions added."""
        end = offset + x.shape[1]
        if torch.compiler.is_exporting():
            return x + sinusoids(end, self.dim)[offset:]
        if end > len(self.table):
            with torch.inference_mode(False):  # else a table grown while predicting could not be trained with
                self.table = sinusoids(2 * end, self.dim, self.table.device)
        return x + self.table[offset:end].to(x.dtype)


class Learned(nn.Module):
    """Adds one trained vector for each of ``max_length`` positions."""

    def __init__(self, dim: int, max_length: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.empty(max_length, dim))
        nn.init.normal_(self.table, std=0.02)
        self.told = False

    def forward(self, x: Tensor, offset: int = 0) -> Tensor:
        """``x`` (B, T, D), whose first token stands at position ``offset``, with its positions added.

        Once trained, tokens beyond the last position share its vector, with a warning.

        Raises:
            DataError: in training it reaches beyond the last position there is a vector for.
        """
        end, most = offset + x.shape[1], len(self.table)
        if not torch.compiler.is_exporting():
            if end <= most:
                return x + self.table[offset:end]
            if self.training:
                raise DataError(
                    f"{_beyond(end, most)}; raise max_length, or take positions that have no end: sinusoidal or rotary"
                )
            self.told = self.told or warn_beyond(end, most)
        return x + self.table[torch.arange(offset, end, device=x.device).clamp(max=most - 1)]


def warn_beyond(length: int, most: int) -> bool:
    """Warn of a text of ``length`` tokens where there are only ``most`` learned positions; True."""
    said = f"{_beyond(length, most)}; the tokens behind them share the last position"
    warnings.warn(said, NlpipeWarning, stacklevel=3)
    return True


def _beyond(length: int, most: int) -> str:
    return f"a text of {length} tokens is longer than the {most} learned positions"


class NoPositions(nn.Module):
    """Adds nothing: for rotary positions, which act inside attention, and for models that see a set of tokens."""

    def forward(self, x: Tensor, offset: int = 0) -> Tensor:
        """``x`` itself."""
        return x


def added_positions(kind: Positions, dim: int, max_length: int) -> nn.Module:
    """The module that adds positions of this ``kind`` to vectors (B, T, dim)."""
    if kind == "sinusoidal":
        return Sinusoidal(dim)
    return Learned(dim, max_length) if kind == "learned" else NoPositions()


class Rotary(nn.Module):
    """Turns queries and keys by an angle that grows with the position, so that their product sees only the distance.

    Feature i is paired with feature i + dim / 2; the pair is a plane turned by pos / 10000 ** (2 i / dim).

    Args:
        dim: features of one head; even.

    Raises:
        WiringError: ``dim`` is odd.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        if dim % 2:
            raise WiringError(f"rotary positions turn pairs of features, and a head has {dim}; choose an even number")
        self.dim = dim
        self.turns: Tensor
        self.register_buffer("turns", self._turns(128, None), persistent=False)

    def _turns(self, length: int, device: torch.device | None) -> Tensor:
        angle = angles(length, self.dim, device)
        return torch.stack([angle.cos(), angle.sin()])  # (2, length, dim / 2)

    def forward(self, x: Tensor, offset: int = 0) -> Tensor:
        """``x`` (B, heads, T, dim), whose first token stands at position ``offset``, turned; same shape and type."""
        end = offset + x.shape[-2]
        if torch.compiler.is_exporting():
            turns = self._turns(end, None)
        else:
            if end > self.turns.shape[1]:
                with torch.inference_mode(False):  # else turns made while predicting could not be trained with
                    self.turns = self._turns(2 * end, self.turns.device)
            turns = self.turns
        cosine, sine = turns[:, offset:end].to(x.dtype)  # (T, dim / 2) each
        first, second = x.chunk(2, -1)  # (B, heads, T, dim / 2) each
        return torch.cat([first * cosine - second * sine, second * cosine + first * sine], -1)  # (B, heads, T, dim)
