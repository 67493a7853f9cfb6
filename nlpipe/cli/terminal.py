"""The console that commands print to: what users write is shown as it is, and numbers are never cut."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

NARROWEST = 80
"""Columns that a table gets at least; a narrower terminal wraps its lines, where rich would cut the numbers."""
PLAIN: dict[str, Any] = {"highlight": False, "markup": False, "soft_wrap": True}
"""Arguments of ``Console.print`` for text of users' own: nothing in it is read as a style, and lines are not cut."""


def make_console(stderr: bool = False, quiet: bool = False) -> Console:
    """A console on standard output, or standard error: no markup, so that brackets in names are brackets."""
    from rich.console import Console

    console = Console(stderr=stderr, quiet=quiet, markup=False, highlight=False)
    console.width = max(console.width, NARROWEST)
    return console
