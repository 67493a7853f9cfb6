"""Commands about runs that are done: runs, evaluate, errors and verify."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nlpipe.cli.arguments import Encoding, Imports, Input, RunFolder, check_encoding, import_modules, one_of
from nlpipe.cli.terminal import PLAIN, make_console
from nlpipe.errors import NlpipeError

if TYPE_CHECKING:
    from nlpipe.runs.evaluate import Evaluation
    from nlpipe.runs.listing import ListedRun
    from nlpipe.runs.mistake_records import Mistakes

NOT_THE_SAME = 1
"""Exit status of ``verify`` where the run comes out different."""


def show_runs(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder with the runs.")] = Path("runs"),
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
    whole = [run for run in listed if not run.problem]
    if whole:
        room = console.width if console.is_terminal else None
        for line in _lines([HEADINGS, *map(_cells, whole)], room):
            console.print(line, **PLAIN)
    for run in listed:
        if run.problem:
            console.print(f"{run.folder}: {run.problem}", soft_wrap=True)
    if not listed:
        make_console(stderr=True).print(f"{folder}: no runs here; 'nlpipe run FILE' makes one", soft_wrap=True)


HEADINGS = ("pipeline", "data", "score", "", "seed", "train", "finished (UTC)", "folder")


def _cells(run: ListedRun) -> tuple[str, ...]:
    from nlpipe.metrics.metric import shown_score

    score = "" if run.score is None else shown_score(run.score)
    size = "" if run.train_size is None else f"{run.train_size:,}"
    moment = "" if run.finished is None else f"{run.finished:%Y-%m-%d %H:%M}"
    primary = run.primary if run.split == "test" else f"{run.primary} on {run.split}"
    return run.name, run.data, primary, score, str(run.seed), size, moment, str(run.folder)


def _lines(rows: Sequence[tuple[str, ...]], room: int | None) -> Iterator[str]:
    """The rows in columns; where a line would be longer than ``room``, the folders stand on lines of their own."""
    from rich.cells import cell_len

    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    apart = room is not None and sum(widths) + 2 * len(widths) > room
    for row in rows:
        cells = []
        for place, (cell, width) in enumerate(zip(row, widths, strict=True)):
            space = " " * (width - cell_len(cell))
            cells.append(f"{space}{cell}" if place in (3, 4, 5) else f"{cell}{space}")
        *others, folder = cells
        yield "  ".join(others if apart else cells).rstrip()
        if apart:
            yield f"    {folder}".rstrip()


def evaluate(
    run_folder: RunFolder,
    data: Annotated[
        list[str],
        typer.Argument(metavar="DATA", help="A file (or two parallel ones), a card, or CARD:SPLIT."),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="A new folder for answers, statistics and scores; else none.")
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option("--column", metavar="ROLE=NAME", help="A column that is not that of training: text=review."),
    ] = None,
    form: Input = None,
    encoding: Encoding = None,
    delimiter: Annotated[str | None, typer.Option(help="Between the columns of csv and tsv.")] = None,
    imports: Imports = None,
) -> None:
    """Score a finished run on further labelled examples, read as its training data was; the run stays as it is."""
    from nlpipe.datasets.labelled import Changes
    from nlpipe.datasets.readers import FORMATS
    from nlpipe.runs.evaluate import evaluate as evaluate_run

    if form is not None:
        one_of("--input", form, FORMATS.names())
    check_encoding(encoding)
    import_modules(imports)
    given = {}
    for text in columns or ():
        role, equals, name = text.partition("=")
        if not equals or not name:
            raise NlpipeError(f"--column {text}: expected a role and a column, such as text=review")
        given[role.strip()] = name
    console = make_console(stderr=True)
    done = evaluate_run(
        run_folder, data, out, Changes(given, form, encoding, delimiter), lambda text: console.print(text, **PLAIN)
    )
    _show_evaluation(done)
    for warning in done.ledger["warnings"]:
        console.print(f"warning: {warning}", **PLAIN)
    if done.folder is not None:
        typer.echo(done.folder)


def _show_evaluation(done: Evaluation) -> None:
    from rich.table import Table

    from nlpipe.compare.results import SECONDARY
    from nlpipe.metrics.metric import shown_score

    console = make_console()
    primary, scores, before = done.metrics["primary"], done.metrics["scores"], done.before["scores"]
    table = Table(box=None, header_style="italic", padding=(0, 2, 0, 0))
    table.add_column(f"{done.examples:,} examples")
    for heading in ("score", "95 % interval", f"of the run, on {done.before['split']}"):
        table.add_column(heading, justify="right")
    for name in (primary, *(each for each in (*SECONDARY, *done.metrics.get("registered", {})) if each != primary)):
        if name in scores:
            interval = " – ".join(map(shown_score, done.intervals[name][:2])) if name in done.intervals else "–"
            table.add_row(
                name, shown_score(scores[name]), interval, shown_score(before[name]) if name in before else "–"
            )
    console.print(table)


def errors(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, or that of an evaluation.")],
    limit: Annotated[
        int, typer.Option("--limit", help="How many answers, classes and confusions to show.", min=1)
    ] = 10,
    as_json: Annotated[
        bool, typer.Option("--json", help="As JSON: all classes and confusions, the worst answers.")
    ] = False,
    imports: Imports = None,
) -> None:
    """Show where a run is wrong: each class or entity type, what is taken for what, the worst answers first."""
    from nlpipe.runs.mistakes import find_mistakes

    import_modules(imports)
    mistakes = find_mistakes(run_folder)
    if as_json:
        typer.echo(json.dumps(mistakes.plain(limit), ensure_ascii=False, indent=1))
        return
    _show_mistakes(mistakes, limit)


def _show_mistakes(mistakes: Mistakes, limit: int) -> None:
    from rich.table import Table

    console = make_console()
    console.print(
        f"{mistakes.name} on {mistakes.data} ({mistakes.split}): "
        f"{mistakes.examples - mistakes.wrong:,} of {mistakes.examples:,} answers are right", **PLAIN
    )  # fmt: skip
    if mistakes.groups:
        texts = mistakes.groups[0].predicted is None
        headings = ("reference", "texts", "right", "chrF") if texts else ("", "gold", "predicted", "right", "F1")
        table = Table(box=None, header_style="italic", padding=(0, 2, 0, 0))
        for i, heading in enumerate(headings):
            table.add_column(heading, justify="right" if i else "left", overflow="fold")
        for group in mistakes.groups[:limit]:
            counts = (
                (group.gold, group.right) if group.predicted is None else (group.gold, group.predicted, group.right)
            )
            score = f"{group.score:.1f}" if texts else f"{group.score:.3f}"
            table.add_row(_printable(group.name), *(f"{count:,}" for count in counts), score)
        console.print()
        console.print(table)
        _show_rest(console, len(mistakes.groups), limit)
    if mistakes.confusions or mistakes.kinds:
        console.print()
        for pair in mistakes.confusions[:limit]:
            predicted = pair.predicted if pair.same_words else f"{pair.predicted} (other words)"
            line = _printable(f"{pair.gold or 'nothing'} → {predicted or 'nothing'}")
            console.print(f"{pair.count:>7,}  {line}", **PLAIN)
        _show_rest(console, len(mistakes.confusions), limit)
        for kind in mistakes.kinds:
            console.print(f"{kind.count:>7,}  {kind.what}", **PLAIN)
    if mistakes.worst:
        console.print(f"\nthe worst first, by {mistakes.measure}", **PLAIN)
    for mistake in mistakes.worst[:limit]:
        value = "" if mistake.value is None else f"{mistake.value:.4g}"
        console.print(f"\n{value:>7}  line {mistake.line} {mistake.id}  {_printable(mistake.text)}", **PLAIN)
        console.print(f"{'gold':>9}: {_printable(mistake.gold) or '–'}", **PLAIN)
        console.print(f"{'answer':>9}: {_printable(mistake.predicted) or '–'}", **PLAIN)
    _show_rest(console, len(mistakes.worst), limit)
    if mistakes.note:
        make_console(stderr=True).print(f"warning: {mistakes.note}", **PLAIN)


def _show_rest(console: Any, count: int, limit: int) -> None:
    if count > limit:
        console.print(f"{'…':>7}  {count - limit:,} more (--limit)", **PLAIN)


def _printable(text: str) -> str:
    """A text on one line, without characters that would steer the terminal."""
    return "".join(character if character.isprintable() else "\ufffd" for character in " ".join(text.split()))


def verify(
    run_folder: RunFolder,
    tolerance: Annotated[
        float, typer.Option("--tolerance", help="Relative difference up to which numbers count as the same.", min=0)
    ] = 1e-5,
    imports: Imports = None,
) -> None:
    """Run a finished run again from its folder; exits with 0 if it comes out the same, 1 if not, 2 if it cannot."""
    from nlpipe.runs.verify import verify as verify_run

    console = make_console(stderr=True)
    done = verify_run(run_folder, tolerance, imports or (), lambda text: console.print(text, **PLAIN))
    output = make_console()
    for part in done.parts:
        output.print(f"{part.verdict:<16}  {part.name}{': ' * bool(part.what)}{part.what}", **PLAIN)
    for line in done.environment:
        output.print(f"{'environment':<16}  {line}", **PLAIN)
    if done.note:
        output.print(f"{'note':<16}  {done.note}", **PLAIN)
    output.print(done.sentence, **PLAIN)
    if done.verdict == "different":
        raise typer.Exit(NOT_THE_SAME)
