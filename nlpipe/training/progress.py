"""How far training is: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

EVERY = 0.2
"""Seconds between two changes of the bar."""


class Progress:
    """A ``rich`` bar over all tokens of all epochs, with loss, score, tokens a second and time left.

    Args:
        tokens: of the whole training.
        done: of them before this start, where a run resumes.
        show: whether to draw; None asks whether stderr is a terminal.
        report: takes the lines at the end of epochs; None where nobody listens (the other processes).
    """

    def __init__(self, tokens: int, done: int, show: bool | None, report: Callable[[str], None] | None) -> None:
        self.tokens = tokens
        self.done = done
        self.report = report
        self.show = report is not None and (sys.stderr.isatty() if show is None else show)
        self._bar: Any = None
        self._task: Any = None
        self._drawn = 0.0
        self._started = (time.perf_counter(), done)

    def __enter__(self) -> Progress:
        if self.show:
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            said = TextColumn("{task.fields[said]}")
            columns = (TextColumn("{task.description}"), BarColumn(), said, TimeRemainingColumn(), TextColumn("left"))
            self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("training", total=self.tokens, completed=self.done, said="")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def say(self, line: str) -> None:
        """A line that stays."""
        if self._bar is not None:
            self._bar.console.print(line, markup=False, highlight=False)
        elif self.report is not None:
            self.report(line)

    def step(self, tokens: int, epoch: int, loss: float, score: float | None) -> None:
        """``tokens`` more are done, in ``epoch`` (from 1)."""
        self.done += tokens
        now = time.perf_counter()
        if self._bar is None or now - self._drawn < EVERY:
            return
        self._drawn = now
        began, before = self._started
        speed = (self.done - before) / max(now - began, 1e-9)
        said = f"loss {loss:.4f}" + ("" if score is None else f"  score {score:.4f}") + f"  {speed:,.0f} tokens/s"
        self._bar.update(self._task, completed=self.done, description=f"epoch {epoch}", said=said)


def in_words(seconds: float) -> str:
    """``40 s``, ``12 min``, ``3.5 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
