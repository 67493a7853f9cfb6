"""Several processes that train together, started by ``accelerate launch`` or ``torchrun``: ranks and barriers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from nlpipe.training.device import Device, choose_device


def rank() -> int:
    """The rank of this process, from 0; only the process of rank 0 writes files. Imports nothing."""
    return int(os.environ.get("RANK", "0")) if is_distributed() else 0


def is_distributed() -> bool:
    """Whether a launcher (``accelerate launch``, ``torchrun``) started several processes."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def wait_for_all(device: Device = "auto") -> None:
    """Wait until all processes have called this. The first call determines the device on which they train."""
    if is_distributed():
        from accelerate import PartialState

        started = bool(PartialState._shared_state)
        state = PartialState() if started else PartialState(cpu=choose_device(device) == "cpu")
        state.wait_for_everyone()


@contextmanager
def main_first() -> Iterator[None]:
    """The process of rank 0 runs the block before the other processes begin it."""
    if rank():
        wait_for_all()
    try:
        yield
    finally:
        if not rank():
            wait_for_all()
