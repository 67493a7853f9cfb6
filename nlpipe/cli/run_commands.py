"""The command that runs one pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nlpipe.cli.arguments import Imports, Out, import_modules
from nlpipe.cli.terminal import PLAIN, make_console

if TYPE_CHECKING:
    from nlpipe.runs.result import Result

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="A pipeline file (YAML).")]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY=VALUE]...", help="Changes to the file, such as head.C=2 or data=imdb."),
]


def run(
    file: FileArgument,
    overrides: Overrides = None,
    out: Out = Path("runs"),
    seed: Annotated[int | None, typer.Option(help="Replaces the seed of the file.", min=0)] = None,
    train_size: Annotated[
        int | None,
        typer.Option("--train-size", help="Number of training examples, chosen by the seed.", min=1),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Run it even if it has been run before.")] = False,
    imports: Imports = None,
) -> None:
    """Fit a pipeline, score it on the test split, and leave a folder with all results; prints that folder."""
    from nlpipe import api
    from nlpipe.training.processes import rank

    console = make_console(stderr=True, quiet=rank() > 0)

    def report(text: str) -> None:
        console.print(text, **PLAIN)

    overrides = [*(overrides or []), *([] if train_size is None else [f"train_size={train_size}"])]
    result = api.run(file, overrides, out, seed, again, report, import_modules(imports))
    if rank() == 0:
        _show_result(console, result)
        typer.echo(result.folder)


def _show_result(console: Any, result: Result) -> None:
    from rich.table import Table

    from nlpipe.compare.results import SECONDARY, why_it_decides
    from nlpipe.metrics.metric import shown_score

    scores, costs, primary = result.scores, result.costs, result.metrics["primary"]
    table = Table(show_header=False, box=None, padding=(0, 2))
    splits = f"on {result.metrics['split']}"
    if "dev" in result.metrics:
        splits += f"; {shown_score(result.metrics['dev'][primary])} on dev"
    table.add_row(primary, shown_score(scores[primary]), splits, style="bold")
    for name in (*SECONDARY, *result.metrics.get("registered", {})):
        if name in scores and name != primary:
            table.add_row(name, shown_score(scores[name]), "")
    table.add_row("fit", f"{costs['fit_seconds']:.1f} s", "learning, without reading the data")
    if "fit_cpu_seconds" in costs:
        table.add_row("fit, processor", f"{costs['fit_cpu_seconds']:.1f} s", "of all threads together")
    if "latency_p50_seconds" in costs:
        milliseconds = costs["latency_p50_seconds"] * 1000
        table.add_row("latency", f"{milliseconds:.1f} ms", "one text, median, in a fresh process")
        table.add_row("speed", f"{costs['texts_per_second']:,.0f}/s", f"in batches, {costs['threads']} threads")
        if "cpu_seconds_per_text" in costs:
            table.add_row("processor", f"{costs['cpu_seconds_per_text'] * 1000:.3g} s", "for 1,000 texts in batches")
        if "joules_per_text" in costs:
            joules = costs["joules_per_text"] * 1000
            table.add_row(
                "energy",
                f"{joules:.3g} J",
                "for 1,000 texts in batches, of all processors, other programs' work included",
            )
        table.add_row("memory", f"{costs['peak_memory_bytes'] / 1e6:,.0f} MB", "peak of that process")
    table.add_row("model", f"{costs['model_bytes'] / 1e6:,.1f} MB", "on disk")
    console.print(table)
    if reason := result.metrics.get("primary_reason"):
        console.print(why_it_decides(primary, reason), **PLAIN)
    for warning in result.ledger.get("warnings", []):
        console.print(f"warning: {warning}", **PLAIN)
