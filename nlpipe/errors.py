"""What a user can mend: every error of this kind is printed without a traceback, and the command exits with 2.

Anything else (AssertionError, TypeError) is a fault of nlpipe itself and keeps its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


class NlpipeError(Exception):
    """Something the user can mend; the message says where, what, and what instead."""


class NlpipeWarning(UserWarning):
    """Something a user should know that stops nothing (a solver that did not converge); kept in a run's ledger."""


class DataError(NlpipeError):
    """A data file, card or download that cannot be used; names the file and the line where there is one."""


class WiringError(NlpipeError):
    """Stages that do not fit together."""


class MissingExtra(NlpipeError):
    """A stage whose optional packages are not installed; names the ``pip install`` that brings them."""


class ModelError(NlpipeError):
    """A saved model that cannot be loaded or does not fit what is asked of it."""


@dataclass(frozen=True)
class Fault:
    """One thing wrong in a pipeline file, with its place (line and column count from 1; 0 where there is none)."""

    path: str
    line: int
    column: int
    key: str
    message: str

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}:{self.column}" if self.line else self.path
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


class SpecError(NlpipeError):
    """A pipeline or comparison file with faults: all of them, not the first alone."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))

    def __reduce__(self) -> tuple[type[SpecError], tuple[tuple[Fault, ...]]]:
        return type(self), (self.faults,)  # worker processes send it to their parent


class CardError(SpecError, DataError):
    """A data set's card with faults, in a file of its own or inline: all of them, each with its place."""


def suggest(typed: str, known: Iterable[str]) -> str:
    """A way out for a name that is not known: ``; did you mean 'hidden'?``, else the list of what is."""
    names = sorted(known)
    near = difflib.get_close_matches(typed, names, n=1, cutoff=0.6)
    if near:
        return f"; did you mean '{near[0]}'?"
    return f"; known: {', '.join(names)}" if names else ""
