"""The device and the numerical precision of training: the ``accelerate`` object of a run."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any, Literal

from nlpipe.errors import NlpipeError, NlpipeWarning
from nlpipe.registry import missing_extra

if TYPE_CHECKING:
    from torch import nn

Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "fp32", "bf16"]


def available_devices() -> dict[str, str]:
    """The devices of this machine: name, as ``trainer.device`` takes it, to description."""
    import torch

    devices = {"cpu": f"{os.cpu_count()} logical cores"}
    if torch.cuda.is_available():
        devices["cuda"] = ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
    if torch.backends.mps.is_available():
        devices["mps"] = "Apple GPU"
    return devices


def choose_device(requested: Device) -> str:
    """``cpu``, ``cuda`` or ``mps``; ``auto`` takes the fastest device of this machine.

    Raises:
        NlpipeError: this machine has no device of the requested kind; the message lists those that it has.
    """
    devices = available_devices()
    if requested == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if name in devices)
    if requested not in devices:
        listed = ", ".join(f"{name} ({description})" for name, description in devices.items())
        raise NlpipeError(
            f"trainer.device: this machine has no '{requested}', only {listed}; 'auto' takes the fastest device"
        )
    return requested


def choose_precision(requested: Precision, device: str, objective: nn.Module) -> Literal["fp32", "bf16"]:
    """``fp32`` or ``bf16``; ``auto`` decides by a rule, not by a measurement, so that a repeated run decides alike.

    Where ``bf16`` is requested and the device cannot compute a layer of ``objective`` in it, the answer is ``fp32``,
    with a warning.
    """
    from nlpipe.nn.precision import bf16_pays, layers_without_bf16

    if requested == "auto":
        return "bf16" if bf16_pays(objective, device) else "fp32"
    if requested == "bf16" and (kinds := layers_without_bf16(objective, device)):
        warnings.warn(
            f"trainer.precision: bf16: this processor cannot compute layers of the kind {', '.join(kinds)} in "
            "bfloat16; training is in fp32",
            NlpipeWarning,
            stacklevel=2,
        )
        return "fp32"
    return requested


def accelerator(device: str, precision: str) -> Any:
    """An ``accelerate.Accelerator`` for this run, whatever an earlier run in this process requested.

    Raises:
        MissingExtra: accelerate is not installed.
        NlpipeError: several processes already train together on another device.
    """
    try:
        from accelerate import Accelerator, DistributedDataParallelKwargs
        from accelerate.state import AcceleratorState, PartialState
    except ModuleNotFoundError as error:
        raise missing_extra("the trainer", error) from error
    mixed_precision, on_cpu = "bf16" if precision == "bf16" else "no", device == "cpu"
    # accelerate keeps its state as long as the process lives and refuses another precision or device
    if PartialState._shared_state:
        earlier = PartialState()
        device_changed = earlier.device.type != device
        if device_changed and earlier.num_processes > 1:
            raise NlpipeError(
                f"trainer.device: these processes already train on {earlier.device.type}; "
                f"start new processes to train on {device}"
            )
        if device_changed or (AcceleratorState._shared_state and AcceleratorState().mixed_precision != mixed_precision):
            AcceleratorState._reset_state(reset_partial_state=device_changed)
        on_cpu = earlier._cpu if not device_changed else on_cpu
    distributed = DistributedDataParallelKwargs(find_unused_parameters=True)  # a batch may leave some parts unused
    return Accelerator(cpu=on_cpu, mixed_precision=mixed_precision, kwargs_handlers=[distributed])
