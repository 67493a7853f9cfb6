"""Where to compute and how precisely: the ``accelerate`` object of a run."""

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


def there_is() -> dict[str, str]:
    """The devices of this machine, by the name an option gives them, each in words."""
    import torch

    found = {"cpu": f"{os.cpu_count()} logical cores"}
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        found["cuda"] = ", ".join(names)
    if torch.backends.mps.is_available():
        found["mps"] = "Apple GPU"
    return found


def choose_device(asked: Device) -> str:
    """``cpu``, ``cuda`` or ``mps``; ``auto`` takes the fastest there is.

    Raises:
        NlpipeError: this machine has none of that kind; the message says what it has.
    """
    found = there_is()
    if asked == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if name in found)
    if asked not in found:
        listed = ", ".join(f"{name} ({words})" for name, words in found.items())
        raise NlpipeError(f"trainer.device: '{asked}' is not here; this machine has {listed}; 'auto' takes the best")
    return asked


def choose_precision(asked: Precision, device: str, objective: nn.Module) -> Literal["fp32", "bf16"]:
    """``fp32`` or ``bf16``; a rule, not a measurement, so that the same run is the same on the same machine.

    Where ``bf16`` is asked for and the device has none for a kind of layer of ``objective``, it is ``fp32``, with a
    warning.
    """
    from nlpipe.nn.precision import bf16_pays, layers_without_bf16

    if asked == "auto":
        return "bf16" if bf16_pays(objective, device) else "fp32"
    if asked == "bf16" and (kinds := layers_without_bf16(objective, device)):
        warnings.warn(
            f"trainer.precision: bf16: this processor has no bfloat16 for layers of the kind {', '.join(kinds)}; "
            "training is in fp32",
            NlpipeWarning,
            stacklevel=2,
        )
        return "fp32"
    return asked


def accelerator(device: str, precision: str) -> Any:
    """An ``accelerate.Accelerator`` for this run, whatever an earlier run in this process asked for.

    Raises:
        MissingExtra: accelerate is not installed.
    """
    try:
        from accelerate import Accelerator, DistributedDataParallelKwargs
        from accelerate.state import AcceleratorState, PartialState
    except ModuleNotFoundError as error:
        raise missing_extra("the trainer", error) from error
    mixed, cpu = "bf16" if precision == "bf16" else "no", device == "cpu"
    # accelerate keeps its state for the life of the process and refuses another precision or device
    if PartialState._shared_state:
        earlier = PartialState()
        changed = earlier.device.type != device
        if changed and earlier.num_processes > 1:
            raise NlpipeError(f"these processes train on {earlier.device.type}; start others to train on {device}")
        if changed or (AcceleratorState._shared_state and AcceleratorState().mixed_precision != mixed):
            AcceleratorState._reset_state(reset_partial_state=changed)
        cpu = earlier._cpu if not changed else cpu
    several = DistributedDataParallelKwargs(find_unused_parameters=True)  # a batch need not touch every part
    return Accelerator(cpu=cpu, mixed_precision=mixed, kwargs_handlers=[several])
