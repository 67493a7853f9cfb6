"""Stages with parameters: a stage that is a plain ``nn.Module`` as well."""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, Self, TypeVar, cast

import numpy as np
import torch
from torch import Tensor, nn

from nlpipe.errors import ModelError, WiringError
from nlpipe.nn.precision import bf16_pays
from nlpipe.stage import In, Out, Stage, State

T = TypeVar("T")


class Derived(dict[str, object]):
    """What a module keeps beside its weights: no part of it for torch, and no part of its copies."""

    def __deepcopy__(self, memo: dict[int, object]) -> Derived:
        return Derived()

    def __reduce__(self) -> tuple[type[Derived], tuple[()]]:
        return Derived, ()


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
        self._derived = Derived()

    def __repr__(self) -> str:
        """As for every stage, short; ``nn.Module.__repr__(stage)`` shows the tree of its modules."""
        return Stage.__repr__(self)

    @property
    def device(self) -> torch.device:
        """Where its parameters are; the CPU where it has none."""
        return self._placement()[0]

    @property
    def dtype(self) -> torch.dtype:
        """Number type of its parameters; float32 where it has none."""
        return self._placement()[1]

    def _placement(self) -> tuple[torch.device, torch.dtype]:
        def find() -> tuple[torch.device, torch.dtype]:
            first = next(itertools.chain(self.parameters(), self.buffers()), None)
            return (torch.device("cpu"), torch.float32) if first is None else (first.device, first.dtype)

        return self._once("placement", find)

    @property
    def bf16_is_faster(self) -> bool:
        """Whether its device computes it faster in bfloat16."""
        return self._once("bf16_is_faster", lambda: bf16_pays(self, self.device.type))

    def from_weights(self, name: str, make: Callable[[], T], others: Sequence[Tensor] = ()) -> T:
        """What ``make`` makes of the weights, such as a copy in bfloat16; made again when a weight has changed.

        Args:
            name: of what is made.
            make: makes it.
            others: weights of other stages that it is made from as well.
        """
        weights = self._once("weights", lambda: [p for p in self.parameters() if not p.is_inference()])
        versions = [tensor._version for tensor in (*weights, *others)]
        derived = self._derived.get(name)
        if not isinstance(derived, tuple) or derived[0] != versions:
            derived = self._derived[name] = (versions, make())
        return cast(T, derived[1])

    def _once(self, name: str, find: Callable[[], T]) -> T:
        """What ``find`` finds by a walk over all parts, found once until ``weights_moved``."""
        if name not in self._derived:
            self._derived[name] = find()
        return cast(T, self._derived[name])

    def weights_moved(self) -> None:
        """Forget what was derived from the weights; called wherever torch moves, converts or freezes them."""
        self._derived.clear()

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        self.weights_moved()
        return self

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """What torch goes through in ``to``, ``cuda``, ``float`` and the like."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.weights_moved()
        return self

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
        self.weights_moved()
        tensors = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in state.arrays.items()}
        missing, unknown = self.load_state_dict(tensors, strict=False)
        lost = [name for name in missing if not name.startswith(self._nested_prefixes())]
        if lost or unknown:
            differ = [*lost, *unknown]
            few = ", ".join(differ[:3]) + (" …" if len(differ) > 3 else "")
            raise ModelError(
                f"the saved {type(self).__name__} does not fit this one: {len(differ)} arrays differ: {few}"
            )
