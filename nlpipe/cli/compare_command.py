"""The command that compares pipelines: its plan, its execution, its verdict."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nlpipe.cli.arguments import Imports, Out, import_modules, split
from nlpipe.cli.terminal import PLAIN, make_console
from nlpipe.compare.table import Table
from nlpipe.errors import NlpipeError
from nlpipe.runs.records import read_environment
from nlpipe.training.progress import format_duration, has_room

if TYPE_CHECKING:
    from nlpipe.compare.comparison import Plan
    from nlpipe.compare.results import Comparison
    from nlpipe.runs.result import Result

FAILED_ROW = 1
"""Exit status of a comparison in which a run failed."""
WRITERS: dict[str, Callable[[Table], str]] = {".md": Table.markdown, ".csv": Table.csv, ".tex": Table.latex}
"""Suffix of a table's file to what writes it."""
NO_VERDICT = 3
"""Exit status of a comparison without a verdict where one is required."""


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
    table: Annotated[
        Path | None, typer.Option("--table", help="Also write the table to this file: .md, .csv or .tex.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show the runs, what they share, and how long they may take.")
    ] = False,
    list_jobs: Annotated[bool, typer.Option("--list-jobs", help="Only list the runs, with their numbers.")] = False,
    job: Annotated[
        int | None,
        typer.Option("--job", help="Do the run of this number alone; without it, the same command collects."),
    ] = None,
    cluster: Annotated[
        str | None, typer.Option("--cluster", help="Scheduler of a Dask cluster that does the runs: tcp://host:port.")
    ] = None,
    imports: Imports = None,
) -> None:
    """Run several pipelines on the same data, show scores and costs, and name the cheapest that is good enough."""
    from nlpipe.compare.comparison import compare as run_comparison
    from nlpipe.compare.comparison import plan
    from nlpipe.spec import read_comparison

    if table is not None and table.suffix not in WRITERS:
        raise NlpipeError(f"--table {table}: expected a name that ends in {', '.join(WRITERS)}")
    console = make_console(stderr=True)
    files, overrides = split(arguments)
    if quick and not any(override.startswith("seeds=") for override in overrides):
        overrides = [*overrides, "seeds=quick"]
    spec = read_comparison(files, overrides, import_modules(imports))
    for name, reason in spec.left_out:
        console.print(f"{name} is left out: {reason}", **PLAIN)
    if dry_run:
        _show_plan(plan(spec, out, tuning=False), out)
        return
    if list_jobs:
        for number, each in enumerate(plan(spec, out, tuning=False).jobs):
            typer.echo(f"{number}\t{each}")
        return
    if job is not None:
        _do_one(plan(spec, out), job, out)
        return
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
                text = f"{_score_of(outcome.result, spec.choose)}, {outcome.result.costs['fit_seconds']:.1f} s to fit"
            bar.console.print(f"[{counted}/{total}] {outcome.job}: {text}", **PLAIN)
            bar.update(task, completed=counted, left=time_left(time.perf_counter() - start, counted, total))

        def tuned(text: str) -> None:
            bar.console.print(text, **PLAIN)

        comparison = run_comparison(spec, out, jobs, report, ended, planned, cluster, tuned)
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
    if table is not None:
        _write_table(comparison, table)
    _show_next(output, comparison)
    if comparison.best is None:
        console.print("error: every run failed; the reasons are above", **PLAIN)
    if require_verdict and comparison.chosen is None:
        raise typer.Exit(NO_VERDICT)
    if comparison.failures:
        raise typer.Exit(FAILED_ROW)


def _score_of(result: Result, choose: str) -> str:
    """The score of a run on the split that the verdict rests on; no other is told."""
    primary = result.metrics["primary"]
    if choose == "dev":
        return f"dev {primary} {result.metrics['dev'][primary]:.3f}"
    return f"{primary} {result.score:.3f}"


def _show_plan(made: Plan, out: Path) -> None:
    from nlpipe.compare.preview import preview

    errors, output = make_console(stderr=True), make_console()
    if not output.is_terminal:
        output.width = 240
    table = preview(made, out, lambda text: errors.print(text, **PLAIN))
    output.print(table.terminal(output))


def _do_one(made: Plan, number: int, out: Path) -> None:
    """Do one run, for a queue in which each is a job of its own."""
    from nlpipe.compare.execute import orders_of
    from nlpipe.compare.worker import carry_alone

    if not 0 <= number < len(made.jobs):
        raise NlpipeError(
            f"--job {number}: the runs are numbered from 0 to {len(made.jobs) - 1}; --list-jobs shows them"
        )
    message = carry_alone(orders_of(made.jobs, out)[number])
    if "error" in message:
        raise NlpipeError(f"{made.jobs[number]}: {message['error']}")
    typer.echo(message["folder"])


def _write_table(comparison: Comparison, path: Path) -> None:
    from nlpipe.files import whole_file

    shown = comparison.as_table()
    with whole_file(path) as partial:
        partial.write_text(WRITERS[path.suffix](shown), encoding="utf-8")


def _show_verdict(output: Any, comparison: Comparison) -> None:
    if comparison.verdict is None:
        return
    answer, *reasons = comparison.verdict.sentences
    output.print()
    output.print(answer, style="bold", **PLAIN)
    for sentence in reasons:
        output.print(f"- {sentence}", **PLAIN)
    if comparison.facts.searched:
        output.print(f"- {comparison.facts.searched}", **PLAIN)
    slices = comparison.slices.sentences()
    if slices:
        output.print("Slices (all intervals hold together with 95 %):", **PLAIN)
    for sentence in slices:
        output.print(f"- {sentence}", **PLAIN)
    if comparison.audit:
        output.print("The data:", **PLAIN)
    for finding in comparison.audit:
        output.print(f"- {finding['sentence']}", **PLAIN)
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


TRIED = {
    "language_modelling": ("generate", '--prompt "a beginning"'),
    "masked_language_modelling": ("fill", '"a text with a [MASK]"'),
}
"""The command, and what is given to it, with which a language model is tried, by task."""


def _show_next(output: Any, comparison: Comparison) -> None:
    command = sys.argv[0] if Path(sys.argv[0]).name == "nlpipe" else "nlpipe"
    output.print(f"table: {comparison.folder / 'table.md'}", **PLAIN)
    report, way = comparison.folder / "report.html", f"{command} report {comparison.folder}"
    if report.exists():
        output.print(f"report, for a browser: {report}", **PLAIN)
    elif find_spec("jinja2") is None:
        output.print(f'for a report: pip install "nlpipe[report]", then {way}', **PLAIN)
    else:
        output.print(f"no report: the warning above says why; once that is mended: {way}", **PLAIN)
    if comparison.failures:
        output.print("the same command does the failed runs again, and keeps the others", **PLAIN)
    row = comparison.chosen or comparison.best
    if row is not None:
        model = row.results[0].folder  # of the first seed: the best one on the test split would be optimistic
        environment = read_environment(model)
        word = "chosen" if comparison.chosen is not None else "best"
        if "answers" in environment:
            output.print(f"{word}: {row.name}, whose answers are in {environment['answers']}", **PLAIN)
            return
        output.print(f"{word}: {row.name}, saved in {model}; try it:", **PLAIN)
        verb, text = TRIED.get(environment["task"], ("predict", '"a text to try it on"'))
        output.print(f"  {command} {verb} {model} {text}", **PLAIN)
