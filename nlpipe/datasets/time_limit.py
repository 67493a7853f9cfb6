"""A bound on the time of steps that a user's regular expression can make endless."""

from __future__ import annotations

import signal
import threading
import time
from types import TracebackType
from typing import Any

SECONDS = 2.0
"""Processor time of one text under one user's regular expressions; usual ones take microseconds."""


class TimeLimit:
    """Stops a block one of whose steps uses more than ``seconds`` of this thread's processor time.

    ``step`` says in the block that the next one begins. Python's ``re`` looks for signals while it searches; where
    there are none (on Windows, outside of the main thread), nothing is stopped.

    Raises:
        TimeoutError: in the block, when the time is used up.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        self.seconds = seconds
        self.active = hasattr(signal, "SIGALRM") and threading.current_thread() is threading.main_thread()
        self.steps = self.seen = 0
        self.since = time.thread_time()

    def __enter__(self) -> TimeLimit:
        if self.active:
            self.before = signal.signal(signal.SIGALRM, self._ring)
            self.others = signal.setitimer(signal.ITIMER_REAL, self.seconds / 4, self.seconds / 4)
        return self

    def step(self) -> None:
        """Begin the next step."""
        self.steps += 1

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.active:
            signal.setitimer(signal.ITIMER_REAL, *self.others)
            signal.signal(signal.SIGALRM, self.before)

    def _ring(self, *_: Any) -> None:
        now = time.thread_time()
        if self.steps != self.seen:
            self.seen, self.since = self.steps, now
        elif now - self.since >= self.seconds:
            raise TimeoutError
