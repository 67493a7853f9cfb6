"""The gradient of one training step, computed with ``accelerate``: device, precision, accumulation, processes.

Only the module that ``accelerate`` prepared is called, never the objective inside it: otherwise gradients would not be
averaged over processes, and autocast would silently be off.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch

from nlpipe.training.batching import Part
from nlpipe.training.checkpoint import random_states, set_random_states
from nlpipe.training.device import accelerator
from nlpipe.training.schedule import scale_and_clip, total_norm

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nlpipe.training.loss import Objective


class Prepared:
    """An objective that ``accelerate`` prepared, with its trainable tensors.

    Args:
        objective: moved to the device; gradients are stored in its own parameters.
        device: as ``choose_device`` returns it.
        precision: as ``choose_precision`` returns it.
    """

    def __init__(self, objective: Objective, device: str, precision: str) -> None:
        self.objective = objective
        self._original_forward = objective.__dict__.get("forward")
        self.accelerator = accelerator(device, precision)
        self.device: torch.device = self.accelerator.device
        self.processes: int = self.accelerator.num_processes
        self.rank: int = self.accelerator.process_index
        self.is_main: bool = self.accelerator.is_main_process
        self.module = self.accelerator.prepare_model(objective)
        self.trained: dict[str, nn.Parameter] = {n: p for n, p in objective.named_parameters() if p.requires_grad}
        """The parameters that require a gradient, by name; shared parameters occur once."""
        persistent = objective.state_dict().keys()
        buffers = {name: b for name, b in objective.named_buffers() if name in persistent}
        self.tensors: dict[str, Tensor] = {**self.trained, **buffers}
        """All tensors that training may change: trained parameters and persistent buffers."""

    def close(self) -> None:
        """Undo the changes that ``accelerate`` made to the objective, and free its memory."""
        for parameter in self.trained.values():
            parameter.grad = None
        self.accelerator.unwrap_model(self.module, keep_fp32_wrapper=False)
        self.objective.__dict__.pop("forward", None)
        if self._original_forward is not None:
            self.objective.__dict__["forward"] = self._original_forward
        self.accelerator.free_memory()
        del self.module

    def compute_gradients(self, parts: Sequence[Part], clip: float | None) -> Tensor:
        """Compute the gradient of the mean loss of one step, clipped to the norm ``clip``.

        Args:
            parts: what this process computes, one part per accumulated batch.
            clip: maximum norm; None for no limit.

        Returns:
            The loss and the number of units, both summed over all parts and processes, and the norm of the gradient
            before clipping; shape (3,).
        """
        single = self.processes == 1 and len(parts) == 1
        totals = torch.zeros(2, device=self.device)
        for i, (batch, counts) in enumerate(parts):
            if self.device.type != "cpu":
                from accelerate.utils import send_to_device

                batch = send_to_device(batch, self.device, non_blocking=True)
            accumulating = self.processes > 1 and i + 1 < len(parts)  # average over processes once per step
            with self.accelerator.no_sync(self.module) if accumulating else contextlib.nullcontext():
                loss, units = self.module(batch)
                loss, units = loss.float(), torch.as_tensor(units, device=self.device).float()
                if not counts:
                    loss, units = 0.0 * loss, 0.0 * units
                totals += torch.stack([loss.detach(), units])
                self.accelerator.backward(loss / units.clamp(min=1.0) if single else loss)
        if self.processes > 1:
            totals = self.accelerator.reduce(totals, "sum")
        # with several parts, gradients are of the summed loss; DDP averages them over processes
        scale: Tensor | float = 1.0 if single else self.processes / totals[1].clamp(min=1.0)
        gradients = [p.grad for p in self.trained.values() if p.grad is not None]
        norm = total_norm(gradients) * scale if gradients else torch.zeros((), device=self.device)
        scale_and_clip(gradients, norm, scale, clip)
        return torch.cat([totals, norm.view(1)])  # (3,)

    def broadcast(self, value: float) -> float:
        """The ``value`` of the process of rank 0, in all processes."""
        if self.processes == 1:
            return value
        tensor = torch.tensor(value if self.is_main else 0.0, dtype=torch.float64, device=self.device)
        return float(self.accelerator.reduce(tensor, "sum"))

    def snapshot(self) -> dict[str, Tensor]:
        """A copy on the CPU of all tensors that training may change."""
        return {name: tensor.detach().to("cpu", copy=True) for name, tensor in self.tensors.items()}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Set all tensors to the values of a ``snapshot``."""
        with torch.no_grad():
            for name, tensor in self.tensors.items():
                tensor.copy_(tensors[name])

    def state(self, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
        """Everything that a checkpoint holds: tensors, the optimizer's state, random states of all processes.

        Names are ``model/<tensor>``, ``optimizer/<key>/<parameter>`` and ``random/<generator>``; random states have
        the shape (processes, ...).
        """
        tensors: dict[str, Tensor] = {f"model/{name}": tensor for name, tensor in self.tensors.items()}
        for name, parameter in self.trained.items():
            for key, value in optimizer.state.get(parameter, {}).items():
                tensors[f"optimizer/{key}/{name}"] = value
        for name, state in random_states(self.device).items():
            states = state.unsqueeze(0)  # (processes, ...)
            if self.processes > 1:
                states = self.accelerator.gather(states.to(self.device))
            tensors[f"random/{name}"] = states
        return tensors

    def load_state(self, tensors: Mapping[str, Tensor], optimizer: torch.optim.Optimizer) -> None:
        """Restore what ``state`` returned."""
        self.restore({name: tensors[f"model/{name}"] for name in self.tensors})
        states = {}
        for path, tensor in tensors.items():
            kind, _, name = path.partition("/")
            if kind == "optimizer":
                key, _, parameter = name.partition("/")
                optimizer.state[self.trained[parameter]][key] = tensor.to(self.device, copy=True)
            elif kind == "random":
                states[name] = tensor[self.rank].cpu()
        set_random_states(states, self.device)
