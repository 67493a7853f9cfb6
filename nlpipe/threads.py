"""How many threads numerical libraries have in this process."""

from __future__ import annotations

import os
import sys


def thread_count() -> int:
    """Threads that the numerical libraries use: OMP_NUM_THREADS where it is set, else the processors we may use."""
    setting = os.environ.get("OMP_NUM_THREADS", "")
    if setting.isdigit() and int(setting):
        return int(setting)
    return processors()


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def use_threads(count: int) -> None:
    """Have torch, where it is loaded, calculate with ``count`` threads in this process."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(count)


def threads_in_use() -> int:
    """Threads that torch has, where it is loaded; else those that libraries take by themselves."""
    torch = sys.modules.get("torch")
    return thread_count() if torch is None else int(torch.get_num_threads())
