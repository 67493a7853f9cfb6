"""Tasks: their wires, metrics and how their examples read. One file a task, one line a name."""

from __future__ import annotations

from typing import Any

from nlpipe.errors import NlpipeError
from nlpipe.names import Table
from nlpipe.tasks.task import Task


class Tasks(Table[type[Task]]):
    """Names to classes of tasks."""

    def accept(self, name: str, thing: Any) -> type[Task]:
        """``thing``, if it is a class of a task that has this name.

        Raises:
            NlpipeError: it is not.
        """
        if not (isinstance(thing, type) and issubclass(thing, Task)):
            raise NlpipeError(f"task '{name}' is {thing!r}, which does not derive from Task")
        if thing.__dict__.get("name") != name:
            raise NlpipeError(f"task '{name}': the class {thing.__name__} must say name = '{name}'")
        return thing


TASKS = Tasks(
    "task",
    "nlpipe.tasks",
    {
        "classification": "classification:Classification",
        "multilabel": "multilabel:Multilabel",
        "tagging": "tagging:Tagging",
        "translation": "translation:Translation",
        "language_modelling": "language_modelling:LanguageModelling",
        "masked_language_modelling": "language_modelling:MaskedLanguageModelling",
    },
)
"""Name, as cards and pipeline files spell it, to the class."""


def task_named(name: str, **options: Any) -> Task:
    """The task called ``name``, made with ``options``.

    Raises:
        NlpipeError: there is none; the message has the nearest name.
    """
    return TASKS.load(name)(**options)
