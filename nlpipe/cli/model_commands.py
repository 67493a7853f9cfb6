"""Commands that use a saved model: predict and export."""

from __future__ import annotations

import pkgutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from nlpipe.cli.arguments import Encoding, Field, Imports, Input, Run, check_encoding, import_modules, one_of
from nlpipe.errors import NlpipeError


def predict(
    run_folder: Run,
    texts: Annotated[list[str] | None, typer.Argument(metavar="[TEXT]...", help="Texts to answer.")] = None,
    file: Annotated[
        list[str] | None,
        typer.Option(
            "--file", help="Texts to answer, read as data is; - for stdin, a folder, or a quoted pattern; repeatable."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            help="A file, whole or not there; or for many inputs a folder, where the same command continues.",
        ),
    ] = None,
    form: Annotated[
        str | None,
        typer.Option("--format", help="text, jsonl; csv, tsv or parquet (the input's rows with answers); conll, html."),
    ] = None,
    jobs: Annotated[int, typer.Option(help="Processes that answer.", min=1)] = 1,
    cluster: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="A Dask scheduler whose workers answer: tcp://host:8786.")
    ] = None,
    part_rows: Annotated[
        int | None, typer.Option(help="Texts in each file of an output folder; 102,400 by default.", min=1)
    ] = None,
    input_form: Input = None,
    field: Field = None,
    encoding: Encoding = None,
    delimiter: Annotated[str | None, typer.Option(help="Between the columns of csv, tsv and conll.")] = None,
    words: Annotated[bool, typer.Option("--words", help="Texts are words with spaces between; keep them.")] = False,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="OPTION=VALUE", help="An option of the search: beam=10."),
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Say 'unsure' of answers whose confidence, from 0 to 1, is lower.")
    ] = None,
    n_best: Annotated[int | None, typer.Option(help="This many translations of each text, as jsonl.", min=1)] = None,
    attention: Annotated[Path | None, typer.Option(help="Also draw the attention of each word, as HTML.")] = None,
    runtime: Annotated[
        str | None,
        typer.Option(help="What computes a translator: nlpipe, ctranslate2, or auto: whichever its run showed better."),
    ] = None,
    imports: Imports = None,
) -> None:
    """Answer texts given as arguments, in files, or on standard input: one line for each, in order."""
    from nlpipe.bulk import answers
    from nlpipe.bulk.inputs import FORMS, Reading, given_texts, read_inputs
    from nlpipe.cli.bulk_prediction import Wanted, check_wanted, predict_in_bulk
    from nlpipe.pipeline import Pipeline
    from nlpipe.pipeline.unsure import check_threshold

    wanted = Wanted(
        run=run_folder,
        files=tuple(file or ()),
        output=output,
        form=form,
        jobs=jobs,
        cluster=cluster,
        part_rows=part_rows,
        changes=tuple(changes or ()),
        n_best=n_best,
        threshold=threshold,
        runtime=runtime,
    )
    form = wanted.chosen_form
    one_of("--format", form, ("text", "jsonl", "csv", "tsv", "parquet", "conll", "html"))
    one_of("--input", input_form or "text", FORMS)
    check_encoding(encoding)
    if threshold is not None:
        check_threshold(threshold)
        if form in ("html", "conll") or n_best is not None:
            other = "--n-best" if n_best is not None else f"--format {form}"
            raise NlpipeError(f"--threshold is for --format text, jsonl, csv, tsv and parquet, not for {other}")
    if texts and file:
        raise NlpipeError("give texts or --file, not both (a pattern such as 'in/*.csv' needs quotes)")
    check_wanted(wanted, bool(texts), attention is not None)
    import_modules(imports)
    pipeline = Pipeline.load(run_folder, runtime)
    answers.change(pipeline, changes or [])
    if threshold is not None and pipeline.task.capability is not None:
        raise NlpipeError(f"--threshold: a pipeline for {pipeline.task.name} has no answers to be sure of")
    if form in ("html", "conll") and pipeline.task.name != "tagging":
        raise NlpipeError(f"--format {form} shows tags, and this pipeline is for {pipeline.task.name}")
    reading = Reading(input_form, field, encoding, delimiter, words)
    if wanted.in_bulk:
        predict_in_bulk(wanted, pipeline, reading)
        return
    path = Path(file[0]) if file else None
    inputs = given_texts(texts, words) if texts else read_inputs(path, reading, pipeline.task, pipeline.reading)
    if attention is not None:
        inputs = answers.draw_attention(pipeline, inputs, attention)
    for part in answers.answer(pipeline, inputs, form, n_best, threshold):
        sys.stdout.write(part)
        sys.stdout.flush()


EXPORTS = {
    "transformers": "nlpipe.pipeline:Pipeline.export",
    "ctranslate2": "nlpipe.integrations.ctranslate2_export:export_ctranslate2",
    "arpa": "nlpipe.integrations.arpa_export:export_arpa",
    "onnx": "nlpipe.integrations.onnx_export:export_onnx",
}
"""What a run can be written for, to the function that does it: of a pipeline and a new path, giving the path.

Those of ``RUNS`` take the run's folder, since what they write is a run too, and give how it compares.
"""
RUNS = ("onnx", "ctranslate2")
"""The exports that are runs, which prove themselves."""


def export(
    run_folder: Run,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A new directory; for arpa a new file.")],
    to: Annotated[str, typer.Option("--to", help=f"Its reader: {', '.join(EXPORTS)}.")] = "transformers",
    int8: Annotated[bool, typer.Option("--int8", help="For onnx and ctranslate2: weights as 8-bit integers.")] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="For onnx and ctranslate2: keep it even if it scores worse or is not faster."),
    ] = False,
) -> None:
    """Write the model of a run for other programs, or for a faster runtime under nlpipe's own commands.

    transformers: its BERT; arpa: its n-gram model, for KenLM (.gz too); onnx and ctranslate2: the run itself, its BERT
    or transformer encoder computed by ONNX Runtime, its transformer that translates by CTranslate2.
    """
    from nlpipe.pipeline import Pipeline

    one_of("--to", to, list(EXPORTS))
    if to in RUNS:
        proof = pkgutil.resolve_name(EXPORTS[to])(
            run_folder, path, int8, force, lambda text: typer.echo(text, err=True)
        )
        for line in proof.lines() if proof is not None else ():
            typer.echo(line)
        typer.echo(path)
        return
    for option, given in (("--int8", int8), ("--force", force)):
        if given:
            raise NlpipeError(f"{option} is for --to {' and '.join(RUNS)}, not for --to {to}")
    typer.echo(pkgutil.resolve_name(EXPORTS[to])(Pipeline.load(run_folder), path))
