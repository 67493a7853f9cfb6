"""Commands that try a fitted pipeline on texts made to test it: behave and bias."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nlpipe.cli.arguments import Imports, Run, import_modules
from nlpipe.cli.terminal import make_console
from nlpipe.errors import NlpipeError

if TYPE_CHECKING:
    from nlpipe.compare.table import Line


def behave(
    run_folder: Run,
    suite_file: Annotated[Path, typer.Argument(metavar="SUITE", help="A file of behavioural tests.")],
    as_json: Annotated[bool, typer.Option("--json", help="Every failure, as JSON.")] = False,
    examples: Annotated[int, typer.Option(help="Failures of each test that are shown.", min=0)] = 2,
    imports: Imports = None,
) -> None:
    """Carry out a suite of behavioural tests (MFT, INV, DIR) and show how often each fails, with examples."""
    from nlpipe.behaviour.check import check
    from nlpipe.behaviour.suite import read_suite
    from nlpipe.compare.table import Line, Table
    from nlpipe.json_reader import json_text
    from nlpipe.pipeline import Pipeline

    import_modules(imports)
    suite = read_suite(suite_file)
    outcomes = check(suite, Pipeline.load(run_folder), lambda: _test_texts(run_folder))
    if as_json:
        typer.echo(json_text({"suite": suite.name, "tests": [outcome.record() for outcome in outcomes]}))
        return
    headings = ("test", "kind", "failed", "cases", "rate")
    lines = [
        Line((outcome.name, outcome.kind, f"{len(outcome.failures):,}", f"{outcome.cases:,}", rate), failed=bool(wrong))
        for outcome in outcomes
        for wrong, rate in [(outcome.failures, _percent(outcome.failure_rate))]
    ]
    console = make_console()
    table = Table(suite.name, headings, tuple(lines), essential=frozenset(headings))
    console.print(table.terminal(console))
    for outcome in outcomes:
        for i, failure in enumerate(outcome.failures[:examples]):
            if not i:
                console.print(f"\n{outcome.name}", soft_wrap=True)
            for text, answer in zip(failure.texts, failure.answers, strict=True):
                console.print(f"  {_line(text)}  →  {_line(answer)}", soft_wrap=True)
            console.print(f"    expected: {failure.expected}", soft_wrap=True)


def bias(
    run_folder: Run,
    probe_file: Annotated[
        Path | None, typer.Argument(metavar="[PROBE]", help="A file with your own templates and groups.")
    ] = None,
    label: Annotated[str, typer.Option(help="The label (of tagging: the type of entity) to look at.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="All of it, with the score of each word, as JSON.")] = False,
    imports: Imports = None,
) -> None:
    """Show how much answers shift with the group of people that a sentence is about: names, gender, religion, age."""
    from nlpipe.behaviour.bias import shifts
    from nlpipe.behaviour.probe import SHIPPED, read_probe
    from nlpipe.compare.table import Line, Table
    from nlpipe.json_reader import json_text
    from nlpipe.pipeline import Pipeline

    import_modules(imports)
    probe = read_probe(probe_file or SHIPPED)
    measured = shifts(probe, Pipeline.load(run_folder), label)
    if as_json:
        typer.echo(json_text({"probe": probe.name, "shifts": [shift.record() for shift in measured]}))
        return
    scores = list(dict.fromkeys(shift.what for shift in measured))
    headings: tuple[str, ...] = ("group", "against", "score", "mean", "shift", "interval")
    title = f"{probe.name}: {', '.join(scores)}"
    lines = [
        Line(
            (
                shift.group, shift.against, shift.what, f"{shift.mean:.3f}", f"{shift.shift:+.3f}",
                f"{shift.low:+.3f} to {shift.high:+.3f}",
            ),
            best=shift.is_shown,
        )
        for shift in measured
    ]  # fmt: skip
    shown = sum(shift.is_shown for shift in measured)
    caption = (
        f"bold: shown to differ from 0 ({shown} of {len(measured)}); all intervals hold together with 95 %\n"
        f"{len(probe.templates)} sentences for each word; a shift of +0.010 is one point of probability"
    )
    console = make_console()
    if len(scores) == 1:
        headings, lines = _without(headings, lines, headings.index("score"))
    table = Table(title, headings, tuple(lines), caption, essential=frozenset(headings))
    console.print(table.terminal(console))


def _without(headings: tuple[str, ...], lines: list[Line], column: int) -> tuple[tuple[str, ...], list[Line]]:
    """A table's headings and lines without a column."""

    def left(cells: tuple[str, ...]) -> tuple[str, ...]:
        return cells[:column] + cells[column + 1 :]

    return left(headings), [replace(line, cells=left(line.cells)) for line in lines]


def _percent(rate: float | None) -> str:
    return "–" if rate is None else f"{rate:.1%}"


def _line(text: str) -> str:
    line = " ".join(text[:400].split())
    return line if len(line) <= 100 else f"{line[:99]}…"


def _test_texts(folder: Path) -> Sequence[str]:
    """The test texts of the run's data, in an order that does not depend on that of the file.

    Raises:
        NlpipeError: the folder is a saved model without a run, or its data cannot be read.
    """
    from nlpipe.audit.contents import texts_of
    from nlpipe.runs.answer import data_of

    if not (folder / "environment.json").is_file():
        raise NlpipeError(f"{folder}: a saved model names no data; give texts in place of data:")
    texts = texts_of(data_of(folder).test.inputs)
    return sorted(texts, key=lambda text: hashlib.blake2b(text.encode("utf-8", "surrogatepass")).digest())
