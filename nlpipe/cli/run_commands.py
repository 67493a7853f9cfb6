"""Commands that run pipelines: run and compare."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nlpipe.cli.arguments import Imports, Out, import_modules, split

if TYPE_CHECKING:
    from nlpipe.compare.results import Comparison
    from nlpipe.runs.result import Result

FAILED_ROW = 1
"""Exit status of a comparison in which a run failed."""

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
        int | None, typer.Option("--train-size", help="Fit on so many training examples, chosen by the seed.", min=1)
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Run it even if it has been run before.")] = False,
    imports: Imports = None,
) -> None:
    """Fit a pipeline, score it on the test split, and leave a folder with all results; prints that folder."""
    from rich.console import Console

    from nlpipe import api
    from nlpipe.training.processes import rank

    console = Console(stderr=True, quiet=rank() > 0)

    def report(text: str) -> None:
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    overrides = [*(overrides or []), *([] if train_size is None else [f"train_size={train_size}"])]
    result = api.run(file, overrides, out, seed, again, report, import_modules(imports))
    if rank() == 0:
        _show_result(console, result)
        typer.echo(result.folder)


def _show_result(console: Any, result: Result) -> None:
    from rich.table import Table

    from nlpipe.compare.results import SECONDARY

    scores, costs, primary = result.scores, result.costs, result.metrics["primary"]
    table = Table(show_header=False, box=None, padding=(0, 2))
    splits = f"on {result.metrics['split']}"
    if "dev" in result.metrics:
        splits += f"; {result.metrics['dev'][primary]:.4f} on dev"
    table.add_row(primary, f"{scores[primary]:.4f}", splits, style="bold")
    for name in (*SECONDARY, *result.metrics.get("registered", {})):
        if name in scores and name != primary:
            table.add_row(name, f"{scores[name]:.4f}", "")
    table.add_row("fit", f"{costs['fit_seconds']:.1f} s", "learning, without reading the data")
    if "latency_p50_seconds" in costs:
        milliseconds = costs["latency_p50_seconds"] * 1000
        table.add_row("latency", f"{milliseconds:.1f} ms", "one text, median, in a fresh process")
        table.add_row("speed", f"{costs['texts_per_second']:,.0f}/s", f"in batches, {costs['threads']} threads")
        table.add_row("memory", f"{costs['peak_memory_bytes'] / 1e6:,.0f} MB", "peak of that process")
    table.add_row("model", f"{costs['model_bytes'] / 1e6:,.1f} MB", "on disk")
    console.print(table)
    if reason := result.metrics.get("primary_reason"):
        console.print(
            f"{primary} decides, as {reason}; 'primary:' of the data chooses another score",
            highlight=False, markup=False, soft_wrap=True,
        )  # fmt: skip
    for warning in result.ledger.get("warnings", []):
        console.print(f"warning: {warning}", highlight=False, markup=False, soft_wrap=True)


def compare(
    arguments: Annotated[
        list[str], typer.Argument(metavar="FILE... [KEY=VALUE]...", help="A comparison, or pipelines.")
    ],
    out: Out = Path("runs"),
    jobs: Annotated[int, typer.Option("--jobs", help="Runs at a time; they share the processor.", min=1)] = 1,
    imports: Imports = None,
) -> None:
    """Run several pipelines on the same data with the same seeds, and show their scores and costs side by side."""
    from rich.console import Console

    from nlpipe.compare.comparison import compare as run_comparison
    from nlpipe.spec import read_comparison

    console = Console(stderr=True)
    files, overrides = split(arguments)
    spec = read_comparison(files, overrides, import_modules(imports))
    for name, reason in spec.left_out:
        console.print(f"{name} is left out: {reason}", highlight=False, markup=False, soft_wrap=True)
    total = len(spec.pipelines) * len(spec.seeds) * len(spec.train_sizes)
    with console.status(f"0 of {total}: starting") as status:
        counted = 0

        def report(job: Any, text: str) -> None:
            if console.is_terminal:
                status.update(f"{counted} of {total} done; {job}: {text}")

        def ended(outcome: Any) -> None:
            nonlocal counted
            counted += 1
            if outcome.result is None:
                text = f"failed: {outcome.error}"
            else:
                text = f"{outcome.result.metrics['primary']} {outcome.result.score:.3f}"
                text += f", {outcome.result.costs['fit_seconds']:.1f} s to fit"
            console.print(f"[{counted}/{total}] {outcome.job}: {text}", highlight=False, markup=False)

        comparison = run_comparison(spec, out, jobs, report, ended)
    output = Console()
    if not output.is_terminal:
        output.width = 240
    output.print(comparison.as_table().terminal(output))
    if comparison.not_shown_worse:
        output.print(comparison.not_shown_worse, highlight=False, markup=False, soft_wrap=True)
    for line in comparison.failures:
        output.print(f"failed: {line}", highlight=False, markup=False, soft_wrap=True)
    _show_next(output, comparison)
    if comparison.best is None:
        console.print("error: every run failed; the reasons are above", highlight=False, markup=False, soft_wrap=True)
    if comparison.failures:
        raise typer.Exit(FAILED_ROW)


def _show_next(output: Any, comparison: Comparison) -> None:
    command = sys.argv[0] if Path(sys.argv[0]).name == "nlpipe" else "nlpipe"
    output.print(f"table: {comparison.folder / 'table.md'}", highlight=False, markup=False, soft_wrap=True)
    if comparison.best is not None:
        best = comparison.best.results[0]  # of the first seed: the best one on the test split would be optimistic
        text = "a text to try it on"
        output.print(f"best:  {comparison.best.name}, saved in {best.folder}; try it:", highlight=False, soft_wrap=True)
        output.print(f'  {command} predict {best.folder} "{text}"', highlight=False, markup=False, soft_wrap=True)
