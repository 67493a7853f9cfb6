"""Tasks: their wires, metrics and how their examples read. One file a task, one line a name."""

from __future__ import annotations

import importlib
from typing import Any

from nlpipe.errors import NlpipeError, suggest
from nlpipe.tasks.task import Task

TASKS = {
    "classification": "classification:Classification",
    "tagging": "tagging:Tagging",
    "translation": "translation:Translation",
}
"""Name, as cards and pipeline files spell it, to ``module:Class``."""


def task_named(name: str, **options: Any) -> Task:
    """The task called ``name``, made with ``options``.

    Raises:
        NlpipeError: there is none; the message has the nearest name.
    """
    if name not in TASKS:
        raise NlpipeError(f"there is no task '{name}'{suggest(name, TASKS)}")
    module, _, attribute = TASKS[name].partition(":")
    found = getattr(importlib.import_module(f"{__name__}.{module}"), attribute)(**options)
    assert isinstance(found, Task)
    return found
