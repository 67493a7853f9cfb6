"""Commands about pipeline files: check, schema and init."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nlpipe.cli.arguments import Imports, check_encoding, import_modules, one_of, split
from nlpipe.errors import NlpipeError


def check(
    arguments: Annotated[list[str], typer.Argument(metavar="FILE... [KEY=VALUE]...", help="Pipelines or comparisons.")],
    plan: Annotated[bool, typer.Option("--plan", help="Also print how each pipeline would be fitted.")] = False,
    imports: Imports = None,
) -> None:
    """Check files without reading any data: keys, values, stages, wiring; every fault with its place."""
    from nlpipe.api import build
    from nlpipe.errors import Fault, SpecError
    from nlpipe.spec import is_comparison, read_comparison, read_pipelines

    files, overrides = split(arguments)
    modules = import_modules(imports)
    if not files:
        raise NlpipeError("no file: name a pipeline or a comparison to check")
    faults: list[Fault] = []
    for file in files:
        try:
            read = read_comparison if is_comparison(file) else read_pipelines
            checked = read(file, overrides, modules)
        except SpecError as error:
            faults.extend(error.faults)
            continue
        for spec in checked.pipelines:
            typer.echo(f"{file}: {spec.name}: {spec.parts}")
            if spec.tune is not None:
                typer.echo(f"  tune: {spec.tune}")
            for member in build(spec).members if plan else []:
                if spec.members:
                    typer.echo(f"  {member.name}:")
                for line in member.plan().lines():
                    typer.echo(f"  {line}")
        for name, reason in checked.left_out:
            typer.echo(f"{file}: {name} is left out: {reason}")
    if faults:
        raise SpecError(faults)


def schema() -> None:
    """Print the JSON Schema of pipeline and comparison files, for editors that complete and check YAML."""
    import json

    from nlpipe.spec import json_schema

    typer.echo(json.dumps(json_schema(), indent=1, ensure_ascii=False))


TASKS = ("classification", "multilabel", "tagging", "translation", "language_modelling")
"""What ``init`` makes pipelines for."""


def init(
    data: Annotated[
        list[Path],
        typer.Argument(
            metavar="DATA...", help="Your examples: csv, tsv, jsonl, json, parquet, conll, po, or two parallel files."
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write, and a comparison beside it; else printed.")
    ] = None,
    text: Annotated[str | None, typer.Option(help="The column of the text, or source: its name or number.")] = None,
    label: Annotated[str | None, typer.Option(help="The column of the label, or target: its name or number.")] = None,
    task: Annotated[str | None, typer.Option(help=f"{', '.join(TASKS[:-1])} or {TASKS[-1]}.")] = None,
    encoding: Annotated[str | None, typer.Option(help="Of the files, such as cp1252; UTF-8 by default.")] = None,
) -> None:
    """Make a pipeline file to start from out of your own data, and a comparison of it with two other quick ones."""
    from nlpipe.datasets.starter import starter
    from nlpipe.datasets.starter_file import Wanted

    check_encoding(encoding)
    if task is not None:
        one_of("--task", task, TASKS)
    files = starter(*data, wanted=Wanted(text, label, task, encoding))
    if output is None:
        typer.echo(files.text(None), nl=False)
        return
    comparison = output.with_name(f"{output.stem}_compare.yaml")
    for path in (output, comparison):
        if path.exists():
            raise NlpipeError(f"{path} exists already; remove it or choose another name with --output")
    output.write_text(files.text(output.parent), encoding="utf-8")
    comparison.write_text(files.comparison(output), encoding="utf-8")
    typer.echo(output)
    typer.echo(comparison)
