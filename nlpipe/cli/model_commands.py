"""Commands that use a saved model: predict and export."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from nlpipe.errors import NlpipeError


def predict(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, or a saved model's.")],
    texts: Annotated[list[str] | None, typer.Argument(metavar="[TEXT]...", help="Texts to answer.")] = None,
    file: Annotated[Path | None, typer.Option("--file", help="Texts, one a line, or JSON Lines; - for stdin.")] = None,
    form: Annotated[str, typer.Option("--format", help="text, jsonl, or html (entities marked).")] = "text",
    given: Annotated[str | None, typer.Option("--input", help="text or jsonl; by the file's ending.")] = None,
    field: Annotated[str, typer.Option(help="Which field of a JSON Lines input is the text.")] = "text",
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="OPTION=VALUE", help="Search otherwise, such as beam=10.")
    ] = None,
    n_best: Annotated[int | None, typer.Option(help="So many translations of each text, as jsonl.", min=1)] = None,
    attention: Annotated[Path | None, typer.Option(help="Also draw what each word looked at, an HTML file.")] = None,
) -> None:
    """Answer texts given as arguments, in a file, or on standard input: one line for each, in order."""
    from nlpipe.cli.answers import answer, change, draw_attention, lines_of, several
    from nlpipe.pipeline import Pipeline

    if form not in ("text", "jsonl", "html"):
        raise NlpipeError(f"--format {form}: it is text, jsonl or html")
    if given not in (None, "text", "jsonl"):
        raise NlpipeError(f"--input {given}: it is text or jsonl")
    if texts and file is not None:
        raise NlpipeError("give texts or --file, not both")
    pipeline = Pipeline.load(run_folder)
    if changes:
        change(pipeline, changes)
    if form == "html" and pipeline.task.name != "tagging":
        raise NlpipeError(f"--format html marks entities, and this pipeline is for {pipeline.task.name}")
    source = iter(texts) if texts else lines_of(file, given, field)
    if attention is not None:
        source = draw_attention(pipeline, source, attention)
    for part in answer(pipeline, source, form) if n_best is None else several(pipeline, source, n_best):
        sys.stdout.write(part)
        sys.stdout.flush()


def export(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, or a saved model's.")],
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A new directory.")],
    to: Annotated[str, typer.Option("--to", help="What is to read it: transformers, ctranslate2.")] = "transformers",
) -> None:
    """Write the BERT of a run, or (ctranslate2) its transformer that translates, as another library loads it."""
    from nlpipe.pipeline import Pipeline

    if to not in ("transformers", "ctranslate2"):
        raise NlpipeError(f"--to {to}: it is transformers or ctranslate2")
    pipeline = Pipeline.load(run_folder)
    if to == "transformers":
        typer.echo(pipeline.export(directory))
        return
    from nlpipe.integrations.ctranslate2 import export_ctranslate2

    typer.echo(export_ctranslate2(pipeline, directory))
