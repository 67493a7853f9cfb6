"""Stages with parameters: a stage that is a plain ``nn.Module`` as well."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np
import torch
from torch import nn

from nlpipe.errors import ModelError, WiringError
from nlpipe.stage import In, Out, Stage, State


class Neural(nn.Module, Stage[In, Out]):
    """An ``nn.Module`` that is a stage: ``allocate`` makes the parameters, ``forward`` is the model.

    A subclass calls ``super().__init__()`` first. Where it takes ``width``, it calls ``self.build(width)`` last when
    that is given, so that it can be used alone: ``LSTM(hidden=128, width=300)``.
    """

    fitted: ClassVar[tuple[str, ...]] = ()
    """Names of the attributes that ``fit`` sets, as JSON writes them; saved, and put back before ``allocate``."""

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.width: int | None = None
        self.out_width = 0

    def __repr__(self) -> str:
        """As for every stage, short; ``nn.Module.__repr__(stage)`` shows the tree of its modules."""
        return Stage.__repr__(self)

    @property
    def device(self) -> torch.device:
        """Where its parameters are; the CPU where it has none."""
        return next((tensor.device for tensor in (*self.parameters(), *self.buffers())), torch.device("cpu"))

    @property
    def trainable(self) -> bool:
        return True

    @property
    def module(self) -> nn.Module:
        return self

    def build(self, width: int) -> int:
        """Allocate for inputs of D = ``width`` and say the D of the outputs; built already: only say it.

        Raises:
            WiringError: it was built for another width.
        """
        if self.width is None:
            self.out_width = self.allocate(width)
            self.width = width
            self.train(self.training)  # parts made after eval() would train alone
        elif width != self.width:
            raise WiringError(f"{type(self).__name__} was built for inputs of width {self.width}, not {width}")
        return self.out_width

    @abstractmethod
    def allocate(self, width: int) -> int:
        """Make the parameters for inputs of D = ``width``; return the D of the outputs."""

    def _nested_prefixes(self) -> tuple[str, ...]:
        stages = set(self.nested().values())
        return tuple(f"{name}." for name, module in self.named_modules() if module in stages)

    def state(self) -> State:
        """Parameters and buffers, but for those of nested stages (saved on their own), and what ``fit`` left."""
        nested = self._nested_prefixes()
        arrays = {
            name: tensor.detach().float().cpu().numpy() if tensor.is_floating_point() else tensor.cpu().numpy()
            for name, tensor in self.state_dict().items()
            if not name.startswith(nested)
        }
        return State(arrays, {"width": self.width, **{name: getattr(self, name) for name in self.fitted}})

    def load_state(self, state: State, version: int) -> None:
        super().load_state(state, version)
        for name in self.fitted:
            setattr(self, name, state.data[name])
        if state.data["width"] is not None:
            self.build(state.data["width"])
        tensors = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in state.arrays.items()}
        missing, unknown = self.load_state_dict(tensors, strict=False)
        lost = [name for name in missing if not name.startswith(self._nested_prefixes())]
        if lost or unknown:
            differ = [*lost, *unknown]
            few = ", ".join(differ[:3]) + (" …" if len(differ) > 3 else "")
            raise ModelError(
                f"the saved {type(self).__name__} does not fit this one: {len(differ)} arrays differ: {few}"
            )
