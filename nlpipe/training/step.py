"""An objective made ready by ``accelerate``: its device, its optimizer, one step's gradients, its state.

Only the prepared objective is called, never the module inside: otherwise gradients would not be averaged over
processes and autocast would silently be off.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch

from nlpipe.training.checkpoint import random_states, set_random_states
from nlpipe.training.device import accelerator
from nlpipe.training.schedule import bring_to_size, norm_of

if TYPE_CHECKING:
    from torch import Tensor, nn

Part = tuple[Any, bool]
"""What one process computes of a batch, and whether it counts."""


class Prepared:
    """The objective of a run with all that its steps need.

    Args:
        objective: moved to the device; gradients go to its own parameters.
        device: as ``choose_device`` gives it.
        precision: as ``choose_precision`` gives it.
    """

    def __init__(self, objective: nn.Module, device: str, precision: str) -> None:
        self.objective = objective
        self._own_forward = objective.__dict__.get("forward")
        self.accelerator = accelerator(device, precision)
        self.device: torch.device = self.accelerator.device
        self.processes: int = self.accelerator.num_processes
        self.rank: int = self.accelerator.process_index
        self.main: bool = self.accelerator.is_main_process
        self.module = self.accelerator.prepare_model(objective)
        self.learned: dict[str, nn.Parameter] = {n: p for n, p in objective.named_parameters() if p.requires_grad}
        """Parameters that gradients change, by name; each once where it is shared."""
        lasting = objective.state_dict().keys()
        buffers = {name: b for name, b in objective.named_buffers() if name in lasting}
        self.tensors: dict[str, Tensor] = {**self.learned, **buffers}
        """All that training may change."""

    def close(self) -> None:
        """Undo what accelerate did to the objective, and let it go."""
        for parameter in self.learned.values():
            parameter.grad = None
        self.accelerator.unwrap_model(self.module, keep_fp32_wrapper=False)
        self.objective.__dict__.pop("forward", None)
        if self._own_forward is not None:
            self.objective.__dict__["forward"] = self._own_forward
        self.accelerator.free_memory()
        del self.module

    def gradients(self, parts: Sequence[Part], clip: float | None) -> Tensor:
        """Leave in the parameters the gradient of the mean loss of a step, its norm at most ``clip``.

        Returns the loss and the units, summed over all parts and processes, and the norm before clipping: shape (3,).
        """
        alone = self.processes == 1 and len(parts) == 1
        totals = torch.zeros(2, device=self.device)
        for i, (batch, counts) in enumerate(parts):
            if self.device.type != "cpu":
                from accelerate.utils import send_to_device

                batch = send_to_device(batch, self.device, non_blocking=True)
            waits = self.processes > 1 and i + 1 < len(parts)  # average over processes once a step
            with self.accelerator.no_sync(self.module) if waits else contextlib.nullcontext():
                loss, units = self.module(batch)
                loss, units = loss.float(), torch.as_tensor(units, device=self.device).float()
                if not counts:
                    loss, units = 0.0 * loss, 0.0 * units
                totals += torch.stack([loss.detach(), units])
                self.accelerator.backward(loss / units.clamp(min=1.0) if alone else loss)
        if self.processes > 1:
            totals = self.accelerator.reduce(totals, "sum")
        # several parts: gradients are of sums, and DDP's are means over processes
        scale: Tensor | float = 1.0 if alone else self.processes / totals[1].clamp(min=1.0)
        found = [p.grad for p in self.learned.values() if p.grad is not None]
        norm = norm_of(found) * scale if found else torch.zeros((), device=self.device)
        bring_to_size(found, norm, scale, clip)
        return torch.cat([totals, norm.view(1)])  # (3,)

    def from_main(self, value: float) -> float:
        """The first process's ``value``, in all of them."""
        if self.processes == 1:
            return value
        told = torch.tensor(value if self.main else 0.0, dtype=torch.float64, device=self.device)
        return float(self.accelerator.reduce(told, "sum"))

    def copy(self) -> dict[str, Tensor]:
        """All that training may change, as it is now, in the memory of the CPU."""
        return {name: tensor.detach().to("cpu", copy=True) for name, tensor in self.tensors.items()}

    def put(self, tensors: Mapping[str, Tensor]) -> None:
        """Take back a ``copy``."""
        with torch.no_grad():
            for name, tensor in self.tensors.items():
                tensor.copy_(tensors[name])

    def state(self, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
        """Parameters, the optimizer's tensors by the name of their parameter, random states of all processes."""
        tensors: dict[str, Tensor] = {f"model/{name}": tensor for name, tensor in self.tensors.items()}
        for name, parameter in self.learned.items():
            for key, value in optimizer.state.get(parameter, {}).items():
                tensors[f"optimizer/{key}/{name}"] = value
        for name, own in random_states(self.device).items():
            several = own.unsqueeze(0)  # (processes, ...)
            if self.processes > 1:
                several = self.accelerator.gather(several.to(self.device))
            tensors[f"random/{name}"] = several
        return tensors

    def load_state(self, tensors: Mapping[str, Tensor], optimizer: torch.optim.Optimizer) -> None:
        """Take back a ``state``."""
        self.put({name: tensors[f"model/{name}"] for name in self.tensors})
        states = {}
        for key, tensor in tensors.items():
            kind, _, rest = key.partition("/")
            if kind == "optimizer":
                what, _, name = rest.partition("/")
                optimizer.state[self.learned[name]][what] = tensor.to(self.device, copy=True)
            elif kind == "random":
                states[rest] = tensor[self.rank].cpu()
        set_random_states(states, self.device)
