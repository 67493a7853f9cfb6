"""Several processes that train together, started by a launcher: who is first, and waiting for each other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from nlpipe.training.device import Device, choose_device


def rank() -> int:
    """The number of this process among those that train together, 0 for the one that writes; imports nothing."""
    return int(os.environ.get("RANK", "0")) if several() else 0


def several() -> bool:
    """Whether a launcher (``accelerate launch``, ``torchrun``) started several processes."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def wait_for_all(device: Device = "auto") -> None:
    """Go on when all processes that train together have come here; the first call settles the device they train on."""
    if several():
        from accelerate import PartialState

        known = bool(PartialState._shared_state)
        (PartialState() if known else PartialState(cpu=choose_device(device) == "cpu")).wait_for_everyone()


@contextmanager
def main_first() -> Iterator[None]:
    """The first process goes through the block before the others begin it."""
    if rank():
        wait_for_all()
    try:
        yield
    finally:
        if not rank():
            wait_for_all()
