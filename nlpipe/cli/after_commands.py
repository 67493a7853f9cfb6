"""Commands about runs that are done: runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nlpipe.cli.terminal import make_console

if TYPE_CHECKING:
    from nlpipe.runs.listing import ListedRun


def show_runs(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="The folder with the runs.")] = Path("runs"),
    latest: Annotated[bool, typer.Option("--latest", help="Print the folder of the last finished run alone.")] = False,
    pipeline: Annotated[
        str | None, typer.Option("--pipeline", metavar="NAME", help="Runs of this pipeline alone.")
    ] = None,
) -> None:
    """List the runs in a folder, the last one first: pipeline, data, score, seed, training examples, end, folder."""
    from nlpipe.runs.listing import latest_run, list_runs

    if latest:
        typer.echo(latest_run(folder, pipeline).folder)
        return
    listed = list_runs(folder, pipeline)
    console = make_console()
    if not console.is_terminal:
        console.width = 1000  # one line for each run
    whole = [run for run in listed if not run.problem]
    if whole:
        from rich.table import Table

        table = Table(box=None, header_style="italic", padding=(0, 2, 0, 0))
        for heading in ("pipeline", "data", "score", "", "seed", "train", "finished (UTC)", "folder"):
            right = heading in ("", "seed", "train")
            table.add_column(heading, overflow="fold", justify="right" if right else "left", no_wrap=right)
        for run in whole:
            table.add_row(*_cells(run), str(run.folder))
        console.print(table)
    for run in listed:
        if run.problem:
            console.print(f"{run.folder}: {run.problem}", soft_wrap=True)
    if not listed:
        make_console(stderr=True).print(f"{folder}: no runs here; 'nlpipe run FILE' makes one", soft_wrap=True)


def _cells(run: ListedRun) -> tuple[str, ...]:
    score = "" if run.score is None else f"{run.score:.4f}"
    size = "" if run.train_size is None else f"{run.train_size:,}"
    moment = "" if run.finished is None else f"{run.finished:%Y-%m-%d %H:%M}"
    primary = run.primary if run.split == "test" else f"{run.primary} on {run.split}"
    return run.name, run.data, primary, score, str(run.seed), size, moment
