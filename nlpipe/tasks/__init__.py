"""Tasks: their wires, how their examples read and are written, and how answers are scored."""

from __future__ import annotations

import functools
import importlib
from typing import TYPE_CHECKING

from nlpipe.errors import NlpipeError, suggest

if TYPE_CHECKING:
    from nlpipe.tasks.task import Task

TASKS = {"classification": "classification:Classification"}
"""Name, as data sets give it, to module and class."""


@functools.cache
def task_named(name: str) -> Task:
    """The task that cards and pipelines call ``name``.

    Raises:
        NlpipeError: there is none.
    """
    if name not in TASKS:
        raise NlpipeError(f"there is no task '{name}'{suggest(name, TASKS)}")
    module, _, owner = TASKS[name].partition(":")
    task: Task = getattr(importlib.import_module(f"nlpipe.tasks.{module}"), owner)()
    return task
