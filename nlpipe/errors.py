"""The errors that a user can correct: the command prints them without a traceback and exits with status 2.

Any other exception (AssertionError, TypeError) is a bug in nlpipe itself and is shown with its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from nlpipe.synonyms import meant


class NlpipeError(Exception):
    """An error that the user can correct; the message says where it is, what is wrong, and what to write instead."""


class NlpipeWarning(UserWarning):
    """A problem that does not stop the run (a solver that did not converge); it is recorded in the run's ledger."""


class DataError(NlpipeError):
    """A data file, data card or download cannot be used; the message names the file, and the line if there is one."""


class WiringError(NlpipeError):
    """Stages cannot be connected: one does not accept what the stage before it returns."""


class MissingExtra(NlpipeError):
    """An optional package that a stage needs is not installed; the message names the ``pip install`` command."""


class ModelError(NlpipeError):
    """A saved or pretrained model cannot be loaded, or it cannot do what is asked of it."""


@dataclass(frozen=True)
class Fault:
    """One error in a pipeline file, with its position (line and column start at 1; 0 means that there is none)."""

    path: str
    line: int
    column: int
    key: str
    message: str

    def __str__(self) -> str:
        position = f"{self.path}:{self.line}:{self.column}" if self.line else self.path
        return f"{position}: {self.key}: {self.message}" if self.key else f"{position}: {self.message}"


class SpecError(NlpipeError):
    """A pipeline or comparison file has errors; all of them are reported, not only the first."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))

    def __reduce__(self) -> tuple[type[SpecError], tuple[tuple[Fault, ...]]]:
        return type(self), (self.faults,)  # so that worker processes can send it to their parent


class CardError(SpecError, DataError):
    """A data set's card with faults, in a file of its own or inline: all of them, each with its place."""


def suggest(typed: str, names: Iterable[str]) -> str:
    """The end of a message about an unknown name: ``; did you mean 'hidden'?``, or else a list of all ``names``.

    What other tools call the same thing is understood: ``min_df`` is ``min_count``.
    """
    ordered = sorted(names)
    synonym = meant(typed, ordered)
    if synonym is not None:
        return f"; did you mean '{synonym}'?"
    similar = difflib.get_close_matches(typed, ordered, n=1, cutoff=0.6)
    if similar:
        return f"; did you mean '{similar[0]}'?"
    return f"; known: {', '.join(ordered)}" if ordered else ""
