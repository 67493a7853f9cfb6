"""A pipeline file to start from, made from a user's data, and a comparison of it with two other quick approaches."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from nlpipe.datasets.readers import format_of
from nlpipe.datasets.readers.lines import file_origin
from nlpipe.datasets.starter_file import Starter, Wanted, tagging_starter, translation_starter
from nlpipe.datasets.starter_table import table_starter
from nlpipe.datasets.starter_texts import texts_starter
from nlpipe.datasets.starter_words import annotated_columns, words_starter
from nlpipe.errors import DataError, NlpipeWarning

UNREAD = {
    **dict.fromkeys((".xlsx", ".xls", ".ods", ".numbers"), "save it as CSV in UTF-8, in the program that wrote it"),
    **dict.fromkeys((".zip", ".tar", ".tgz", ".bz2", ".xz", ".zst"), "unpack it, or pack the one file with gzip"),
    **dict.fromkeys(
        (".pkl", ".pickle", ".feather", ".arrow", ".dta", ".sav"),
        "write it as parquet or jsonl in the program that wrote it",
    ),
    **dict.fromkeys(
        (".iob", ".iob2", ".bio", ".bioes", ".conll03", ".tags"),
        "words with tags, one a line, are read from .conll: rename it",
    ),
    **dict.fromkeys(
        (".xml", ".tmx", ".xliff", ".html"), "convert it to one JSON object a line (.jsonl), or to two parallel files"
    ),
    ".txt": "name it by what is in it: .csv, .tsv, .jsonl or .conll; of two parallel files give both; with --task "
    "language_modelling plain text is read as it is",
}
"""Endings of files that are not read, and what to do instead."""


def init_spec(*paths: str | Path, folder: Path | None = None, wanted: Wanted | None = None) -> str:
    """The text of a pipeline file for a user's own data.

    Args:
        paths: one file, gzipped or not, or two parallel ones.
        folder: where the pipeline file will stand, if its paths are to start from there.
        wanted: what is known of the data.

    Raises:
        DataError: a file cannot be read, or no column looks like a text or a label.
    """
    return starter(*paths, wanted=wanted).text(folder)


def starter(*paths: str | Path, wanted: Wanted | None = None) -> Starter:
    """The pipeline to start from; see ``init_spec``."""
    found = _starter([str(path) for path in paths], wanted or Wanted())
    for doubt in found.doubts:
        warnings.warn(f"{found.files}: {doubt}", NlpipeWarning, stacklevel=2)
    return found


def _starter(shown: list[str], wanted: Wanted) -> Starter:
    """The starter for files, as their names, columns and values suggest; what the user wants comes first.

    Words with tags (conll) and spans of characters are tagging; po, two files, and tables with two columns of texts
    are translation; other tables are classification. Comments in the file say what was found and what else it could
    be, so that a wrong guess is noticed.
    """
    if len(shown) == 2:
        return translation_starter({"format": "parallel", "train": shown}, " and ".join(shown), wanted)
    if len(shown) != 1:
        raise DataError(f"expected one file of examples, or two parallel files, not {len(shown)}: {', '.join(shown)}")
    path = shown[0]
    kind = format_of(path)
    if wanted.task == "language_modelling":
        return texts_starter(path, kind, wanted)
    if kind is None:
        suffix = Path(path.lower().removesuffix(".gz")).suffix
        if suffix in UNREAD:
            raise DataError(f"{path}: {suffix} is not read; {UNREAD[suffix]}")
        raise DataError(
            f"{path}: unknown suffix; expected .csv, .tsv, .jsonl, .json, .parquet, .conll or .po, or two parallel "
            "files"
        )
    data: dict[str, Any] = {"format": kind, "train": path}
    if wanted.encoding is not None:
        data["encoding"] = wanted.encoding
    if kind == "conll":
        return words_starter(data, path, wanted)
    if kind == "po":
        return translation_starter(data, path, wanted)
    origin = file_origin(path)
    if kind in ("jsonl", "parquet") and wanted.task in (None, "tagging"):
        columns = annotated_columns(origin, kind, wanted)
        if columns:
            return tagging_starter({**data, **columns}, path, "")
    if wanted.task == "tagging":
        raise DataError(
            f"{path}: no words with tags and no spans of characters in it; expected conll, or jsonl with spans"
        )
    return table_starter(origin, data, path, wanted)
