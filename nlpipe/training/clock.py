"""The duration of a training: when its time limit is reached and when a checkpoint is due."""

from __future__ import annotations

import time


class Clock:
    """Measures the duration of a training over all interruptions.

    Args:
        minutes: time limit of the training; None for no limit.
        checkpoint_minutes: interval between checkpoints; None for none.
    """

    def __init__(self, minutes: float | None, checkpoint_minutes: float | None) -> None:
        self.minutes = minutes
        self.checkpoint_minutes = checkpoint_minutes
        self.seconds_before = 0.0
        """Duration before the training was last interrupted."""
        self._start = self._last_checkpoint = time.perf_counter()

    @property
    def is_used(self) -> bool:
        """Whether anything depends on the time."""
        return self.minutes is not None or self.checkpoint_minutes is not None

    @property
    def seconds(self) -> float:
        """Duration of the training so far, summed over interruptions."""
        return self.seconds_before + time.perf_counter() - self._start

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the time limit; None for no limit."""
        return None if self.minutes is None else max(0.0, 60 * self.minutes - self.seconds)

    @property
    def is_over(self) -> bool:
        """Whether the time limit is reached."""
        return self.minutes is not None and self.seconds >= 60 * self.minutes

    @property
    def checkpoint_due(self) -> bool:
        """Whether the last checkpoint is older than the interval."""
        if self.checkpoint_minutes is None:
            return False
        return time.perf_counter() - self._last_checkpoint >= 60 * self.checkpoint_minutes

    def checkpoint_written(self) -> None:
        """Start the next interval."""
        self._last_checkpoint = time.perf_counter()
