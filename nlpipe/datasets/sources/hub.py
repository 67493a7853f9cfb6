"""Hugging Face data sets: from the hub at a revision, or from a local directory. Remote code is never run."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nlpipe.datasets.card_finder import LocatedCard
from nlpipe.datasets.cards import HubSource
from nlpipe.errors import DataError, suggest
from nlpipe.registry import missing_extra
from nlpipe.tasks.task import Row

BATCH = 10_000


def hub_rows(located: LocatedCard, source: HubSource, split: str, columns: dict[str, str | int]) -> Iterator[Row]:
    """The rows of a split; class labels are given by name, and lines count examples from 1.

    Raises:
        DataError: the data set cannot be loaded, or has no such split or column.
        MissingExtra: ``datasets`` is not installed.
    """
    name = getattr(source, split)
    table = _load(located, source, name)
    place = f"{source.path}[{name}]"
    for role, column in columns.items():
        if column not in table.column_names and not _inside(table, column):
            names = table.column_names
            near = suggest(str(column), names)
            others = f"{near} There are: " if near.startswith("; did") else "; there are: "
            raise DataError(f"{place}: there is no column {column!r} for '{role}'{others}{', '.join(names)}")
    names = {role: _names(table.features.get(column)) for role, column in columns.items()}
    return _rows(table, place, columns, names)


def _rows(table: Any, place: str, columns: dict[str, str | int], names: dict[str, list[str] | None]) -> Iterator[Row]:
    for start in range(0, len(table), BATCH):
        batch = table[start : start + BATCH]
        values = {role: _values(batch, column) for role, column in columns.items()}
        for i in range(len(next(iter(values.values())))):
            fields = {}
            for role, listed in values.items():
                value, class_names = listed[i], names[role]
                if class_names is not None:
                    several = isinstance(value, list)
                    value = [_named(item, class_names) for item in value] if several else _named(value, class_names)
                fields[role] = value
            yield Row(fields, place, start + i + 1, columns)


def _names(feature: Any) -> list[str] | None:
    """The class names of a feature that holds class labels, or lists of them; None for other features."""
    names: list[str] | None = getattr(getattr(feature, "feature", feature), "names", None)
    return names


def _named(value: int | None, names: list[str]) -> str | None:
    return names[value] if value is not None and value >= 0 else None  # -1: the label is not published


def _inside(table: Any, column: str | int) -> bool:
    """Whether ``column`` is a field of a column that has fields, such as ``translation.en``."""
    outer, _, inner = str(column).partition(".")
    if not inner or outer not in table.column_names:
        return False
    feature = table.features[outer]
    return inner in (feature if isinstance(feature, dict) else getattr(feature, "languages", None) or ())


def _values(batch: Any, column: str | int) -> list[Any]:
    """A column of a batch, or a field of a column."""
    if column in batch:
        return list(batch[column])
    outer, _, inner = str(column).partition(".")
    return [value[inner] for value in batch[outer]]


def _load(located: LocatedCard, source: HubSource, split: str) -> Any:
    """The split as a ``datasets.Dataset``."""
    try:
        import datasets
    except ModuleNotFoundError as error:
        raise missing_extra(f"data set '{located.name}' (source: hub)", error) from error
    local = Path(source.path) if Path(source.path).is_absolute() else None
    try:
        if local is not None and ((local / "dataset_dict.json").exists() or (local / "state.json").exists()):
            loaded = datasets.load_from_disk(str(local))
        else:
            logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # otherwise it logs every retry
            loaded = datasets.load_dataset(
                str(local) if local is not None else source.path, name=source.config, revision=source.revision
            )
    except Exception as error:  # the loader lets through whatever its own libraries raise
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        remedy = "" if local is not None else "; it needs a network that reaches the hub, or a copy in its cache"
        if isinstance(error, ConnectionError):
            reason = f"no network, or the hub cannot be reached: {reason}"
        raise DataError(f"{located.place}: cannot load '{source.path}': {reason}{remedy}") from error
    if isinstance(loaded, datasets.Dataset):
        loaded = {"train": loaded}
    if split not in loaded:
        raise DataError(f"{located.place}: '{source.path}' has no split '{split}'{suggest(split, loaded)}")
    return loaded[split]
