"""Many files, or a large one, through a model: to standard output, to a file, or to a folder of files."""

from __future__ import annotations

import glob
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

from nlpipe.bulk.answer_folder import AnswerFolder
from nlpipe.bulk.answer_process import Answerer, Setting, guarded
from nlpipe.bulk.answers import Columns, Table
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


def files_of(given: Sequence[str], output: Path | None = None) -> list[Path]:
    """The files that ``--file`` names: paths, folders and patterns such as ``in/*.csv``.

    Args:
        output: the folder of the answers; a pattern such as ``data/**/*.csv`` does not take these for inputs.

    Raises:
        NlpipeError: there is no such file, a folder or a pattern has none that can be read, or it is in ``output``.
    """
    answers = output.resolve() if output is not None and output.is_dir() else None
    found: list[Path] = []
    for text in given:
        path = Path(text)
        if path.exists() and answers is not None and path.resolve().is_relative_to(answers):
            raise NlpipeError(f"--output {output}: this folder has the input --file {text}; give another one")
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
            inputs = [each for each in matching if answers is None or not each.resolve().is_relative_to(answers)]
            if not inputs:
                where = f" outside of --output {output}" if matching else ""
                raise NlpipeError(f"--file {text}: no file matches this pattern{where}")
            found += inputs
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


@dataclass(frozen=True)
class Output:
    """How files of answers are written.

    Args:
        form: one of ``SUFFIXES``.
        example: what ``Task.example`` has, for the types of columns.
    """

    form: str
    example: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_table(self) -> bool:
        """Whether its files begin with the names of columns."""
        return self.form in ("csv", "tsv")

    def head(self, columns: Columns) -> str:
        """The row with the names of a table's columns."""
        return Table("\t" if self.form == "tsv" else ",", columns).head()

    @contextmanager
    def new_file(self, target: Path, like: Path | None = None) -> Iterator[_Written]:
        """A file of answers to write to; it is there when the block has ended well.

        Args:
            like: the first part of the same table.
        """
        with whole_file(target) as path:
            if self.form == "parquet":
                table = ParquetFile(path, like, self.example)
                try:
                    yield table
                    table.close()
                except BaseException:
                    table.abandon()
                    raise
            else:
                with path.open("w", encoding="utf-8", newline="") as file:
                    yield file


def to_stream(
    read: Read, file: Path | None, workers: Workers, form: str, write: Callable[[str], object], report: Report
) -> None:
    """Write the answers of a file, or of standard input, as they come."""
    source = Source("standard input" if file is None else str(file))
    for piece, text in in_order(workers, pieces(source, read(file), form in ("csv", "tsv")), _line_form(form)):
        if piece.items:
            write(text)
            report(len(piece.items))


def to_file(read: Read, file: Path | None, workers: Workers, output: Output, target: Path, report: Report) -> None:
    """Write the answers to a file, which is whole or not there.

    Raises:
        NlpipeError: an input is at fault, or the disk is full.
    """
    with output.new_file(target) as written:
        to_stream(read, file, workers, output.form, written.write, report)


def to_folder(
    read: Read,
    files: Mapping[str, Path],
    workers: Workers,
    output: Output,
    folder: AnswerFolder,
    rows: int,
    report: Report,
) -> None:
    """Write the answers of each file, ``rows`` to a part, to the files ``NAME-00001.csv`` and so on.

    Args:
        files: name of the answers to the file.

    Raises:
        NlpipeError: an input is at fault or another one than before, or the disk is full; the parts before stay.
    """
    for name, file in files.items():
        folder.begin(name, file)

    def called(name: str, part: int) -> str:
        return f"{name}-{part:05d}{SUFFIXES[output.form]}"

    def is_there(name: str, part: int) -> bool:
        return folder.has(called(name, part))

    left = {name: file for name, file in files.items() if not folder.is_complete(name)}
    # The first part has the columns that its own rows give, and those of the others are the same.
    columns = {name: folder.columns(name) if is_there(name, 1) else None for name in left}
    sources = {name: Source(str(file), columns[name]) for name, file in left.items()}
    names = {id(source): name for name, source in sources.items()}
    stream = chain.from_iterable(
        pieces(sources[name], read(file), output.is_table, rows, partial(is_there, name)) for name, file in left.items()
    )
    answered = in_order(workers, stream, _line_form(output.form))
    for first, text in answered:
        name = names[id(first.source)]
        piece = first
        if first.items:
            target, count = called(name, first.part), 0
            like = folder.path / called(name, 1) if first.part > 1 else None
            with output.new_file(folder.path / target, like) as written:
                if first.part > 1 and output.is_table and first.source.columns:
                    written.write(output.head(first.source.columns))
                for piece, answers in chain([(first, text)], _rest_of_part(first, answered)):
                    written.write(answers)
                    count += len(piece.items)
                    report(len(piece.items))
            folder.add(target, name, count, first.source.columns)
        if not piece.items:
            folder.complete(name)


def _rest_of_part(piece: Piece, answered: Iterator[tuple[Piece, str]]) -> Iterator[tuple[Piece, str]]:
    """The pieces of a part after ``piece``; nothing is read beyond, since a part is whole whatever comes next."""
    while not piece.ends:
        piece, text = next(answered)
        yield piece, text


def _line_form(form: str) -> str:
    """The form in which workers answer."""
    return "jsonl" if form == "parquet" else form
