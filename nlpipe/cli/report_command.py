"""The command report: a comparison as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nlpipe.cli.arguments import Imports, import_modules


def report(
    folder: Annotated[
        Path,
        typer.Argument(metavar="[DIR]", help="A comparison's folder, or one with runs: the last comparison in it."),
    ] = Path("runs"),
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="By default report.html in the comparison's folder.")
    ] = None,
    imports: Imports = None,
) -> None:
    """Write a comparison as one HTML file that a browser shows without a network; prints the file."""
    from nlpipe.compare.find import find_comparison
    from nlpipe.compare.gather import reopen

    import_modules(imports)
    comparison = find_comparison(folder)
    typer.echo(reopen(comparison).report(out or comparison / "report.html"))
