"""Commands that look at word vectors: neighbours, similarity."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from nlpipe.cli.arguments import Imports, Run, import_modules, one_of

if TYPE_CHECKING:
    from nlpipe.pipeline.word_pairs import Similarity

Part = Annotated[
    str | None, typer.Option("--part", help="Whose vectors: representation, representation.parts.1, head.")
]
Output = Annotated[str, typer.Option("--format", help="text, jsonl.")]


def neighbours(
    run_folder: Run,
    words: Annotated[list[str], typer.Argument(metavar="WORD...", help="Each is looked up; with --minus, their sum.")],
    minus: Annotated[
        list[str] | None,
        typer.Option(metavar="WORD", help="Taken from the sum of the others (king woman --minus man); repeatable."),
    ] = None,
    top: Annotated[int, typer.Option(help="Neighbours of each.", min=1)] = 10,
    part: Part = None,
    output: Output = "text",
    imports: Imports = None,
) -> None:
    """The words nearest to a word by the cosine of their vectors, and analogies: king + woman - man."""
    from nlpipe.bulk.inputs import given_texts
    from nlpipe.pipeline import Pipeline

    one_of("--format", output, ("text", "jsonl"))
    import_modules(imports)
    list(given_texts([*words, *(minus or ())], False))  # refuses what is not UTF-8
    space = Pipeline.load(run_folder).word_space(part)
    queries = [words] if minus else [[word] for word in words]
    answers = [space.neighbours(query, minus or (), top) for query in queries]
    if output == "text":
        others = f"; --part shows {', '.join(space.others)}" if space.others else ""
        sys.stdout.write(f"{space}{others}\n")
    for found in answers:
        if output == "jsonl":
            record = {
                "query": found.query, "part": space.part,
                "nearest": [{"word": word, "cosine": round(cosine, 6)} for word, cosine in found.nearest],
                "composed": {word: list(pieces) for word, pieces in found.composed.items()},
            }  # fmt: skip
            sys.stdout.write(json.dumps(record, ensure_ascii=False) + "\n")
            continue
        sys.stdout.write(found.query + "\n")
        sys.stdout.writelines(f"  {cosine:6.3f}  {word}\n" for word, cosine in found.nearest)


def similarity(
    run_folder: Run,
    pairs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PAIRS]...", help="wordsim353, simlex999 (default: both), or files: word, word, number."
        ),
    ] = None,
    part: Part = None,
    output: Output = "text",
    imports: Imports = None,
) -> None:
    """How the cosines of word vectors rank pairs of words, beside people's judgements: Spearman's correlation."""
    from nlpipe.pipeline import Pipeline
    from nlpipe.pipeline.word_pairs import SETS, word_similarity

    one_of("--format", output, ("text", "jsonl"))
    import_modules(imports)
    space = Pipeline.load(run_folder).word_space(part)
    answers = [word_similarity(space, source) for source in pairs or SETS]
    if output == "text":
        sys.stdout.write(f"{space}\n")
    for found in answers:
        if output == "jsonl":
            sys.stdout.write(json.dumps({**dataclasses.asdict(found), "part": space.part}, ensure_ascii=False) + "\n")
            continue
        sys.stdout.write(
            f"{found.name}: Spearman {found.correlation:.3f} (95 % interval {found.low:.3f} to {found.high:.3f}); "
            f"{_coverage(found)}\n"
        )


def _coverage(found: Similarity) -> str:
    known = found.covered - found.composed
    if not found.composed:
        return f"{known:,} of {found.pairs:,} pairs are in the vocabulary"
    return (
        f"{found.covered:,} of {found.pairs:,} pairs have vectors: {known:,} are in the vocabulary, {found.composed:,} "
        "have a word whose vector is made from pieces or letters"
    )
