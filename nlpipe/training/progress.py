"""The progress of training: a bar on a terminal, lines of text elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

NARROWEST = 80
"""Columns that the bar needs; on a narrower terminal it would be cut, and lines of text are better."""
REFRESH = 0.2
"""Seconds between two updates of the bar."""
TIMED_STEPS = 4
"""Number of steps after which the duration of the training is estimated."""


def has_room() -> bool:
    """Whether stderr is a terminal that is wide enough for a bar."""
    if not sys.stderr.isatty():
        return False
    from rich.console import Console

    return Console(stderr=True).width >= NARROWEST


class Progress:
    """A ``rich`` bar over the tokens of all epochs, with loss, score, tokens per second and remaining time.

    Args:
        tokens: number of tokens of the whole training.
        done: tokens that were processed before an interruption.
        show: whether to draw the bar; None draws it if stderr is a terminal of 80 columns or more.
        report: receives the lines of text if no bar is drawn; None to discard them (in processes of rank above 0).
        seconds: after which the training stops at the latest; None for no limit.
        metric: what the score on the dev split is called.
    """

    def __init__(
        self,
        tokens: int,
        done: int,
        show: bool | None,
        report: Callable[[str], None] | None,
        seconds: float | None = None,
        metric: str = "score",
    ) -> None:
        self.tokens = tokens
        self.metric = metric
        self.seconds = seconds
        self.done = done
        self.report = report
        self.show = report is not None and (has_room() if show is None else show)
        self._bar: Any = None
        self._task: Any = None
        self._last_update = 0.0
        self._start = (time.perf_counter(), done)

    def __enter__(self) -> Progress:
        if self.show:
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            status = TextColumn("{task.fields[status]}", markup=False)
            columns = (TextColumn("{task.description}"), BarColumn(), status, TimeRemainingColumn(), TextColumn("left"))
            self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("training", total=self.tokens, completed=self.done, status="")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def write(self, line: str) -> None:
        """Print ``line`` above the bar, where it stays, or pass it to ``report``."""
        if self._bar is not None:
            self._bar.console.print(line, markup=False, highlight=False)
        elif self.report is not None:
            self.report(line)

    def advance(self, tokens: int, epoch: int, loss: float, score: float | None) -> None:
        """Advance the bar after a step.

        Args:
            tokens: of the step.
            epoch: the current one, from 1.
            loss: mean over the current epoch so far, in nats per unit.
            score: of the last evaluation; None if there was none.
        """
        self.done += tokens
        now = time.perf_counter()
        if self._bar is None or now - self._last_update < REFRESH:
            return
        self._last_update = now
        start_time, done_before = self._start
        speed = (self.done - done_before) / max(now - start_time, 1e-9)
        status = (
            f"loss {loss:.4f}" + ("" if score is None else f"  {self.metric} {score:.4f}") + f"  {speed:,.0f} tokens/s"
        )
        total = self.tokens
        if self.seconds is not None:  # the bar ends where the time limit will end the training
            total = min(total, max(self.done, int(self.done + speed * (self.seconds - (now - start_time)))))
        self._bar.update(self._task, completed=self.done, total=total, description=f"epoch {epoch}", status=status)


class DurationEstimate:
    """Writes once how long the training will take, measured on a few steps of its first epoch.

    Args:
        progress: where it is written.
        tokens_per_epoch: of all examples.
        epochs: maximum number of epochs.
    """

    def __init__(self, progress: Progress, tokens_per_epoch: int, epochs: int) -> None:
        self.progress = progress
        self.tokens_per_epoch = tokens_per_epoch
        self.epochs = epochs
        self._tokens = 0
        self._start = time.perf_counter()

    def add(self, step: int, tokens: int) -> None:
        """Account for a completed ``step`` (from 0) of ``tokens``; the first step, which is slower, is not timed."""
        if step == 0:
            self._start = time.perf_counter()
        elif step < TIMED_STEPS:
            self._tokens += tokens
            if step + 1 == TIMED_STEPS:
                seconds = (time.perf_counter() - self._start) / max(self._tokens, 1) * self.tokens_per_epoch
                total, limit = seconds * self.epochs, self.progress.seconds
                limited = limit is not None and limit < total
                total = min(total, limit) if limit is not None else total
                self.progress.write(
                    f"about {format_duration(seconds)} per epoch and {format_duration(total)} in total at this speed"
                    + (", when trainer.minutes end it" if limited else "")
                )


def format_duration(seconds: float) -> str:
    """``40 s``, ``12 min`` or ``3.5 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
