"""Arguments and options that several commands share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from nlpipe.errors import NlpipeError, suggest

Out = Annotated[Path, typer.Option("--out", help="The folder that run folders are written into.")]
Imports = Annotated[
    list[str] | None,
    typer.Option("--import", metavar="MODULE", help="A Python module that registers stages of your own; repeatable."),
]
Input = Annotated[
    str | None,
    typer.Option("--input", help="text, csv, tsv, jsonl, conll, po, parquet; by default by the file's name."),
]
Field = Annotated[
    str | None, typer.Option(help="The column with the text, by name or number; by default that of training.")
]
Encoding = Annotated[str | None, typer.Option(help="By default that of the training data.")]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, or a saved model's.")]

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.")]


def split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Files and overrides (``key.path=value``) of a command; a file that exists may have ``=`` in its name."""
    files = [text for text in arguments if "=" not in text or Path(text).exists()]
    return files, [text for text in arguments if text not in files]


def import_modules(names: Sequence[str] | None) -> list[str]:
    """Import the modules of ``--import``; their names.

    Raises:
        NlpipeError: one cannot be imported.
    """
    from nlpipe.user_code import import_module

    for name in names or ():
        try:
            import_module(name, Path())
        except NlpipeError as error:
            raise NlpipeError(f"--import {name}: {error}") from error
    return list(names or ())


def one_of(option: str, value: str, values: Sequence[str]) -> str:
    """``value`` of an option that takes one of ``values``.

    Raises:
        NlpipeError: it is none of them.
    """
    if value not in values:
        raise NlpipeError(f"invalid value '{value}' for {option}{suggest(value, values)}")
    return value


def check_encoding(name: str | None) -> None:
    """Check that Python has the encoding ``name``.

    Raises:
        NlpipeError: it has not.
    """
    from nlpipe.datasets.cards import known_encoding

    try:
        known_encoding(name or "utf-8")
    except ValueError as error:
        raise NlpipeError(f"--encoding: {error}") from None
