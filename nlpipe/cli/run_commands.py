"""Commands that run pipelines: run and compare."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nlpipe.cli.arguments import Imports, Out, import_modules, split
from nlpipe.cli.terminal import make_console
from nlpipe.training.progress import format_duration, has_room

if TYPE_CHECKING:
    from nlpipe.compare.results import Comparison
    from nlpipe.runs.result import Result

PLAIN: dict[str, Any] = {"highlight": False, "markup": False, "soft_wrap": True}
"""How text is printed that may hold anything."""
FAILED_ROW = 1
"""Exit status of a comparison in which a run failed."""
NO_VERDICT = 3
"""Exit status of a comparison without a verdict where one is required."""

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
        console.print(why_it_decides(primary, reason), **PLAIN)
    for warning in result.ledger.get("warnings", []):
        console.print(f"warning: {warning}", **PLAIN)


def compare(
    arguments: Annotated[
        list[str], typer.Argument(metavar="FILE... [KEY=VALUE]...", help="A comparison, or pipelines.")
    ],
    out: Out = Path("runs"),
    jobs: Annotated[int, typer.Option("--jobs", help="Runs at a time; they share the processor.", min=1)] = 1,
    quick: Annotated[bool, typer.Option("--quick", help="Three seeds instead of five: wider bounds.")] = False,
    require_verdict: Annotated[
        bool, typer.Option("--require-verdict", help=f"Exit status {NO_VERDICT} if no pipeline can be named.")
    ] = False,
    imports: Imports = None,
) -> None:
    """Run several pipelines on the same data, show scores and costs, and name the cheapest that is good enough."""
    from nlpipe.compare.comparison import compare as run_comparison
    from nlpipe.spec import read_comparison

    console = make_console(stderr=True)
    files, overrides = split(arguments)
    if quick and not any(override.startswith("seeds=") for override in overrides):
        overrides = [*overrides, "seeds=quick"]
    spec = read_comparison(files, overrides, import_modules(imports))
    for name, reason in spec.left_out:
        console.print(f"{name} is left out: {reason}", **PLAIN)
    total = 0
    start = time.perf_counter()
    with _bar(console) as bar:
        task = bar.add_task("compare", total=None, left="", status="starting")
        counted = 0

        def planned(runs: Any) -> None:
            nonlocal total
            total = len(runs)
            bar.update(task, total=total)

        def report(job: Any, text: str) -> None:
            bar.update(task, status=f"{job}: {text}")

        def ended(outcome: Any) -> None:
            nonlocal counted
            counted += 1
            if outcome.result is None:
                text = f"failed: {outcome.error}"
            else:
                text = f"{outcome.result.metrics['primary']} {outcome.result.score:.3f}"
                text += f", {outcome.result.costs['fit_seconds']:.1f} s to fit"
            bar.console.print(f"[{counted}/{total}] {outcome.job}: {text}", highlight=False, markup=False)
            bar.update(task, completed=counted, left=time_left(time.perf_counter() - start, counted, total))

        comparison = run_comparison(spec, out, jobs, report, ended, planned)
    output = make_console()
    if not output.is_terminal:
        output.width = 240
    shown = comparison.as_table()
    output.print(shown.terminal(output))
    if left_out := shown.left_out(output):
        columns = f"columns that this terminal has no room for: {', '.join(left_out)}"
        output.print(f"{columns}; they are in {comparison.folder / 'table.md'}", **PLAIN)
    for line in comparison.failures:
        output.print(f"failed: {line}", **PLAIN)
    _show_verdict(output, comparison)
    _show_next(output, comparison)
    if comparison.best is None:
        console.print("error: every run failed; the reasons are above", **PLAIN)
    if require_verdict and comparison.chosen is None:
        raise typer.Exit(NO_VERDICT)
    if comparison.failures:
        raise typer.Exit(FAILED_ROW)


def _show_verdict(output: Any, comparison: Comparison) -> None:
    if comparison.verdict is None:
        return
    answer, *reasons = comparison.verdict.sentences
    output.print()
    output.print(answer, style="bold", **PLAIN)
    for sentence in reasons:
        output.print(f"- {sentence}", **PLAIN)
    output.print()


def time_left(seconds: float, done: int, total: int) -> str:
    """How long the rest takes if each run takes as long as those that are ``done`` did; empty while none is."""
    if not done or done >= total:
        return ""
    return f"about {format_duration(seconds / done * (total - done))} left"


def _bar(console: Any) -> Any:
    """A bar over the runs of a comparison, with the time left and what is being done; nothing but on a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.table import Column

    status = TextColumn("{task.fields[status]}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis"))
    columns = (MofNCompleteColumn(), BarColumn(bar_width=20), TextColumn("{task.fields[left]}"), status)
    return Progress(*columns, console=console, transient=True, disable=not has_room())


def _show_next(output: Any, comparison: Comparison) -> None:
    command = sys.argv[0] if Path(sys.argv[0]).name == "nlpipe" else "nlpipe"
    output.print(f"table: {comparison.folder / 'table.md'}", **PLAIN)
    report = comparison.folder / "report.html"
    if report.exists():
        output.print(f"report, for a browser: {report}", **PLAIN)
    else:
        output.print(f'for a report: pip install "nlpipe[report]", then {command} report {comparison.folder}', **PLAIN)
    row = comparison.chosen or comparison.best
    if row is not None:
        model = row.results[0].folder  # of the first seed: the best one on the test split would be optimistic
        word = "chosen" if comparison.chosen is not None else "best"
        output.print(f"{word}: {row.name}, saved in {model}; try it:", **PLAIN)
        output.print(f'  {command} predict {model} "a text to try it on"', **PLAIN)
