"""Commands about pipeline files: check, schema and init."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nlpipe.cli.arguments import Imports, import_modules, split
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
            typer.echo(f"{file}: {spec.name}: {' → '.join(stage.name for stage in spec.stages)}")
            for line in build(spec).plan().lines() if plan else []:
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


def init(
    data: Annotated[
        list[Path],
        typer.Argument(metavar="DATA...", help="Your examples: csv, tsv, jsonl, conll, po, or two parallel files."),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write; printed by default.")
    ] = None,
) -> None:
    """Make a pipeline file to start from out of your own data."""
    from nlpipe.datasets.starter import init_spec

    text = init_spec(*data, folder=None if output is None else output.parent)
    if output is None:
        typer.echo(text, nl=False)
        return
    if output.exists():
        raise NlpipeError(f"{output} exists already; remove it or choose another name with --output")
    output.write_text(text, encoding="utf-8")
    typer.echo(output)
