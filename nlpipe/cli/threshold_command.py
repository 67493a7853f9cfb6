"""The command that chooses a threshold for ``nlpipe predict --threshold``."""

from __future__ import annotations

from typing import Annotated

import typer

from nlpipe.cli.arguments import Imports, RunFolder, import_modules


def threshold(
    run_folder: RunFolder,
    accuracy: Annotated[float, typer.Option(help="Share of right answers that is wanted of those that are given.")],
    confidence: Annotated[float, typer.Option(help="Probability with which the bound holds.")] = 0.95,
    imports: Imports = None,
) -> None:
    """Choose on dev the confidence below which a run had better say 'unsure', for a wanted accuracy."""
    from nlpipe.runs.abstention import find_threshold

    import_modules(imports)
    for line in find_threshold(run_folder, accuracy, confidence).lines():
        typer.echo(line)
