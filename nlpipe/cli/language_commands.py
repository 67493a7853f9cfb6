"""Commands of language models: generate, fill, score."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nlpipe.cli.arguments import Encoding, Field, Imports, Input, Run, check_encoding, import_modules, one_of
from nlpipe.errors import NlpipeError, NlpipeWarning

if TYPE_CHECKING:
    from nlpipe.pipeline.surprisal import Surprisal

MOST_DRAWN = 1000
"""Texts that a page shows: people look at sentences, not at files."""


def generate(
    run_folder: Run,
    prompt: Annotated[
        list[str] | None, typer.Option("--prompt", help="The beginning of a text; repeatable. None: a whole text.")
    ] = None,
    file: Annotated[Path | None, typer.Option("--file", help="Prompts, one a line; - for standard input.")] = None,
    count: Annotated[int, typer.Option("--count", "-n", help="Texts for each prompt.", min=1)] = 1,
    max_new_tokens: Annotated[int, typer.Option(help="Tokens behind the prompt, at most.")] = 100,
    temperature: Annotated[
        float, typer.Option(help="Below 1 probable tokens become more probable; 0: always the most probable one.")
    ] = 1.0,
    top_k: Annotated[int | None, typer.Option(help="Draw among this many most probable tokens.")] = None,
    top_p: Annotated[
        float, typer.Option(help="Draw among the most probable tokens that have this probability together.")
    ] = 1.0,
    beam: Annotated[int | None, typer.Option(help="Search with this many hypotheses in place of drawing.")] = None,
    stop: Annotated[list[str] | None, typer.Option(help="A text that ends what is written; repeatable.")] = None,
    seed: Annotated[int, typer.Option(help="Of the random numbers.")] = 13,
    no_repeat_ngram: Annotated[
        int, typer.Option(help="Never write the same run of this many tokens twice; 0: no rule.")
    ] = 0,
    output: Annotated[str, typer.Option("--format", help="text (streamed where it is one), or jsonl.")] = "text",
    encoding: Annotated[str | None, typer.Option(help="Of the file; by default that of the training data.")] = None,
    imports: Imports = None,
) -> None:
    """Continue prompts with a language model."""
    from nlpipe.bulk.inputs import Reading, read_inputs
    from nlpipe.pipeline import Pipeline
    from nlpipe.pipeline.generation import Generation

    one_of("--format", output, ("text", "jsonl"))
    check_encoding(encoding)
    if prompt and file is not None:
        raise NlpipeError("give --prompt or --file, not both")
    if count > 1 and (beam is not None or temperature == 0):
        raise NlpipeError(
            f"--count: {count} texts for each prompt are drawn, and would all be the same with --beam or --temperature "
            "0; leave one of these options out"
        )
    import_modules(imports)
    try:
        how: dict[str, Any] = {
            "max_new_tokens": max_new_tokens, "temperature": temperature, "top_k": top_k, "top_p": top_p, "beam": beam,
            "stop": tuple(text.replace("\\n", "\n") for text in stop or ()), "seed": seed,
            "no_repeat_ngram": no_repeat_ngram,
        }  # fmt: skip
        Generation(**how)
    except NlpipeError as error:
        name, colon, rest = str(error).partition(":")
        raise NlpipeError(f"--{name.replace('_', '-')}{colon}{rest}") from None
    pipeline = Pipeline.load(run_folder)
    prompts = prompt or [""]
    if file is not None:
        prompts = [
            item.text for item in read_inputs(file, Reading("text", encoding=encoding), pipeline.task, pipeline.reading)
        ]
    every = [each for each in prompts for _ in range(count)]
    if output == "text" and len(every) == 1 and beam is None:
        unwritten = [every[0]]  # until there is something to follow it, and no error

        def write(text: str) -> None:
            sys.stdout.write("".join(unwritten) + text)
            sys.stdout.flush()
            unwritten.clear()

        pipeline.generate(every, write, **how)
        write("\n")
        return
    for i, found in enumerate(pipeline.generate(every, **how)):
        if output == "jsonl":
            record = {
                "prompt": found.prompt, "text": found.text, "tokens": list(found.tokens),
                "log_probability": found.log_probability, "ended": found.ended,
            }  # fmt: skip
            sys.stdout.write(json.dumps(record, ensure_ascii=False) + "\n")
        else:
            sys.stdout.write(("\n" if i and "\n" in found.text else "") + found.text + "\n")


def fill(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A run, or a BERT: a directory, or a name on the model hub.")
    ],
    texts: Annotated[list[str], typer.Argument(metavar="TEXT...", help="Texts with [MASK] where words are missing.")],
    top: Annotated[int, typer.Option(help="Answers for each gap.", min=1)] = 5,
    revision: Annotated[str | None, typer.Option(help="Commit, tag or branch on the hub.")] = None,
    output: Annotated[str, typer.Option("--format", help="text, jsonl.")] = "text",
    imports: Imports = None,
) -> None:
    """Fill the gaps of texts with a masked language model."""
    from nlpipe.pipeline.filling import filler

    one_of("--format", output, ("text", "jsonl"))
    import_modules(imports)
    answer = filler(model, revision)
    for text in texts:
        gaps = answer(text, top)
        if output == "jsonl":
            record = {"text": text, "gaps": [[{"token": t, "probability": round(p, 6)} for t, p in g] for g in gaps]}
            sys.stdout.write(json.dumps(record, ensure_ascii=False) + "\n")
            continue
        sys.stdout.write(text + "\n")
        for number, gap in enumerate(gaps, 1):
            if len(gaps) > 1:
                sys.stdout.write(f"  gap {number}\n")
            sys.stdout.writelines(f"  {probability:6.1%}  {token}\n" for token, probability in gap)


def score(
    run_folder: Run,
    texts: Annotated[list[str] | None, typer.Argument(metavar="[TEXT]...", help="Texts to score.")] = None,
    file: Annotated[Path | None, typer.Option("--file", help="Texts, read as data is; - for standard input.")] = None,
    output: Annotated[
        str, typer.Option("--format", help="text (a line for each), tokens, jsonl, html (the unexpected is darker).")
    ] = "text",
    form: Input = None,
    field: Field = None,
    encoding: Encoding = None,
    imports: Imports = None,
) -> None:
    """The probability of texts by a language model: of each as a whole, or of every token (surprisal in bits)."""
    from nlpipe.bulk.inputs import FORMS, Reading, batches, given_texts, read_inputs
    from nlpipe.pipeline import Pipeline
    from nlpipe.report.surprisal_page import surprisal_page

    one_of("--format", output, ("text", "tokens", "jsonl", "html"))
    one_of("--input", form or "text", FORMS)
    check_encoding(encoding)
    if texts and file is not None:
        raise NlpipeError("give texts or --file, not both")
    import_modules(imports)
    pipeline = Pipeline.load(run_folder)
    reading = Reading(form, field, encoding)
    inputs = given_texts(texts, False) if texts else read_inputs(file, reading, pipeline.task, pipeline.reading)
    drawn: list[Surprisal] = []
    for batch in batches(inputs):
        for scored in pipeline.surprisals([item.text for item in batch]):
            if output == "html":
                drawn.append(scored)
            else:
                sys.stdout.writelines(_lines(scored, output))
        sys.stdout.flush()
    if output == "html":
        if len(drawn) > MOST_DRAWN:
            message = f"{len(drawn):,} texts: the page shows the first {MOST_DRAWN:,}"
            warnings.warn(message, NlpipeWarning, stacklevel=2)
        sys.stdout.write(surprisal_page(drawn[:MOST_DRAWN], pipeline.name))


def _lines(scored: Surprisal, output: str) -> Iterator[str]:
    """The lines of one text."""
    bits = scored.bits.tolist()
    if output == "jsonl":
        record = {
            "text": scored.text, "log_probability": scored.log_probability, "tokens": list(scored.tokens),
            "spans": [list(span) for span in scored.spans], "bits": [round(value, 4) for value in bits],
        }  # fmt: skip
        yield json.dumps(record, ensure_ascii=False) + "\n"
    elif output == "tokens":
        for token, value in zip([*scored.tokens, "</s>"], bits, strict=True):
            yield f"{value:8.3f}\t{token if token.strip() else repr(token)}\n"
        yield "\n"
    else:
        yield f"{scored.log_probability:.4f}\t{' '.join(scored.text.splitlines())}\n"
