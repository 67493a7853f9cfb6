"""The command that searches the options of a pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nlpipe.cli.arguments import Imports, Out, import_modules
from nlpipe.cli.run_commands import FileArgument, Overrides
from nlpipe.cli.terminal import PLAIN, make_console


def tune(
    file: FileArgument,
    overrides: Overrides = None,
    out: Out = Path("runs"),
    trials: Annotated[int | None, typer.Option(help="Replaces the number of trials of the file.", min=1)] = None,
    imports: Imports = None,
) -> None:
    """Search the options under 'tune:' by their score on dev or in folds; prints the file with the best pipeline."""
    from nlpipe import api
    from nlpipe.tuning.summary import as_table, what_mattered

    console = make_console(stderr=True)
    result = api.tune(
        file, overrides or [], out, trials, lambda text: console.print(text, **PLAIN), import_modules(imports)
    )
    if not console.is_terminal:
        console.width = 240
    table = as_table(result)
    console.print(table.terminal(console))
    for text in (what_mattered(result), f"trials: {result.folder / 'trials.jsonl'}"):
        if text:
            console.print(text, **PLAIN)
    console.print(
        f"'nlpipe run {result.folder / 'tuned.yaml'}' scores the pipeline with the best values on test:", **PLAIN
    )
    typer.echo(result.folder / "tuned.yaml")
