"""Many files, or a large one, through a model: to standard output, to a file, or to a folder of files."""

from __future__ import annotations

import glob
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

from nlpipe.bulk.answer_folder import AnswerFolder
from nlpipe.bulk.answer_process import Answerer, Setting, guarded
from nlpipe.bulk.answers import Table
from nlpipe.bulk.inputs import Input
from nlpipe.bulk.ordered import Answer, Piece, Source, Workers, in_order, pieces
from nlpipe.bulk.parquet_output import ParquetFile
from nlpipe.datasets.readers import format_of
from nlpipe.errors import NlpipeError
from nlpipe.files import whole_file
from nlpipe.pipeline import Pipeline

PART_ROWS = 400 * 256
"""Inputs in a file of answers, unless something else is said: whole batches."""
SUFFIXES = {"text": ".txt", "jsonl": ".jsonl", "csv": ".csv", "tsv": ".tsv", "conll": ".conll", "parquet": ".parquet"}
"""Form of answers to the suffix of their files."""
Read = Callable[[Path | None], Iterator[Input]]
Report = Callable[[int], None]
"""Called with the number of texts that have been answered since the last call."""


def files_of(given: Sequence[str]) -> list[Path]:
    """The files that ``--file`` names: paths, folders and patterns such as ``in/*.csv``.

    Raises:
        NlpipeError: there is no such file, a folder has none that can be read, or two are called the same.
    """
    found: list[Path] = []
    for text in given:
        path = Path(text)
        if path.is_dir():
            inside = sorted(each for each in path.iterdir() if each.is_file() and not each.name.startswith("."))
            readable = [each for each in inside if _is_readable(each.name)]
            if not readable:
                raise NlpipeError(f"--file {text}: this folder has no csv, tsv, jsonl, txt, conll, po or parquet file")
            found += readable
        elif path.exists() or not glob.has_magic(text):
            if not path.exists():
                raise NlpipeError(f"--file {text}: there is no such file")
            found.append(path)
        else:
            matching = sorted(each for each in map(Path, glob.glob(text, recursive=True)) if each.is_file())  # noqa: PTH207
            if not matching:
                raise NlpipeError(f"--file {text}: no file matches this pattern")
            found += matching
    return list(dict.fromkeys(found))


def _is_readable(name: str) -> bool:
    """Whether a file's name says that it has texts."""
    return format_of(name) is not None or name.lower().removesuffix(".gz").endswith(".txt")


def stems_of(files: Sequence[Path]) -> dict[str, Path]:
    """What the answers of each file are called, to the file.

    Raises:
        NlpipeError: two would be called the same.
    """
    stems: dict[str, Path] = {}
    for file in files:
        name = file.name.removesuffix(".gz")
        stem = Path(name).stem if _is_readable(name) else name
        if stem in stems:
            raise NlpipeError(f"{stems[stem]} and {file}: the answers of both would be called {stem}; rename one")
        stems[stem] = file
    return stems


class Here:
    """The process of the command, as the only worker."""

    width = 0

    def __init__(self, setting: Setting, pipeline: Pipeline) -> None:
        self.answerer = Answerer(setting, pipeline)

    def submit(self, order: str) -> Answer:
        """Answer an order, when its result is asked for."""
        return _Later(self.answerer, order)

    def close(self) -> None:
        """There is nothing to end."""


@dataclass(frozen=True)
class _Later:
    answerer: Answerer
    order: str

    def result(self) -> str:
        return json.dumps(guarded(lambda: self.answerer.answer(json.loads(self.order))))


class _Written(Protocol):
    def write(self, text: str) -> Any: ...


def to_stream(
    read: Read,
    files: Sequence[Path | None],
    workers: Workers,
    form: str,
    write: Callable[[str], object],
    report: Report,
) -> None:
    """Write the answers of one file or more as they come."""
    for piece, text in in_order(workers, _all(read, files, form), _line_form(form)):
        if piece.items:
            write(text)
            report(len(piece.items))


def to_file(
    read: Read, files: Sequence[Path | None], workers: Workers, form: str, target: Path, report: Report
) -> None:
    """Write the answers to a file, which is whole or not there.

    Raises:
        NlpipeError: an input is at fault, or the disk is full.
    """
    with _new_file(target, form) as output:
        to_stream(read, files, workers, form, output.write, report)


def to_folder(
    read: Read, files: Mapping[str, Path], workers: Workers, form: str, folder: AnswerFolder, rows: int, report: Report
) -> None:
    """Write the answers of each file, ``rows`` to a part, to the files ``NAME-00001.csv`` and so on.

    Args:
        files: name of the answers to the file.

    Raises:
        NlpipeError: an input is at fault or another one than before, or the disk is full; the parts before stay.
    """
    for name, file in files.items():
        folder.begin(name, file)
    left = {name: file for name, file in files.items() if not folder.is_complete(name)}
    sources = {name: Source(str(file), folder.columns(name)) for name, file in left.items()}
    names = {id(source): name for name, source in sources.items()}

    def called(name: str, part: int) -> str:
        return f"{name}-{part:05d}{SUFFIXES[form]}"

    def is_there(name: str, part: int) -> bool:
        return folder.has(called(name, part))

    stream = chain.from_iterable(
        pieces(sources[name], read(file), form in ("csv", "tsv"), rows, partial(is_there, name))
        for name, file in left.items()
    )
    answered = in_order(workers, stream, _line_form(form))
    step = next(answered, None)
    while step is not None:
        piece = step[0]
        name = names[id(piece.source)]
        if not piece.items:
            folder.complete(name)
            step = next(answered, None)
            continue
        target, part, count = called(name, piece.part), piece.part, 0
        like = folder.path / called(name, 1) if part > 1 else None
        with _new_file(folder.path / target, form, like) as output:
            if part > 1 and piece.source.columns and form in ("csv", "tsv"):
                output.write(Table("\t" if form == "tsv" else ",", piece.source.columns).head())
            while step is not None and step[0].source is piece.source and step[0].part == part and step[0].items:
                output.write(step[1])
                count += len(step[0].items)
                report(len(step[0].items))
                if count == rows:  # what comes next may be a fault, and this part is whole
                    break
                step = next(answered, None)
        folder.add(target, name, count, piece.source.columns)
        if count == rows:
            step = next(answered, None)


def _all(read: Read, files: Sequence[Path | None], form: str) -> Iterator[Piece]:
    return chain.from_iterable(
        pieces(Source("standard input" if file is None else str(file)), read(file), form in ("csv", "tsv"))
        for file in files
    )


def _line_form(form: str) -> str:
    """The form in which workers answer."""
    return "jsonl" if form == "parquet" else form


@contextmanager
def _new_file(target: Path, form: str, like: Path | None = None) -> Iterator[_Written]:
    """A file of answers to write to; it is there when the block has ended well."""
    with whole_file(target) as path:
        if form == "parquet":
            table = ParquetFile(path, like)
            try:
                yield table
                table.close()
            except BaseException:
                table.abandon()
                raise
        else:
            with path.open("w", encoding="utf-8", newline="") as file:
                yield file
