"""Hugging Face data sets: from the hub at a revision, or from a local directory. Remote code is never run."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nlpipe.datasets.card_finder import Found
from nlpipe.datasets.cards import HubSource
from nlpipe.errors import DataError, suggest
from nlpipe.registry import missing_extra
from nlpipe.tasks.task import Row

BATCH = 10_000


def hub_rows(found: Found, source: HubSource, split: str, columns: dict[str, str | int]) -> Iterator[Row]:
    """Rows of a split; class labels come by name, and line counts examples from 1.

    Raises:
        DataError: it cannot be loaded, or lacks the split or a column.
        MissingExtra: ``datasets`` is not installed.
    """
    chosen = getattr(source, split)
    table = _load(found, source, chosen)
    place = f"{source.path}[{chosen}]"
    for role, column in columns.items():
        if column not in table.column_names and not _inside(table, column):
            names = table.column_names
            near = suggest(str(column), names)
            way = f"{near} There are: " if near.startswith("; did") else "; there are: "
            raise DataError(f"{place}: there is no column {column!r} for '{role}'{way}{', '.join(names)}")
    names = {role: _names(table.features.get(column)) for role, column in columns.items()}
    return _rows(table, place, columns, names)


def _rows(table: Any, place: str, columns: dict[str, str | int], names: dict[str, list[str] | None]) -> Iterator[Row]:
    for start in range(0, len(table), BATCH):
        batch = table[start : start + BATCH]
        values = {role: _values(batch, column) for role, column in columns.items()}
        for i in range(len(next(iter(values.values())))):
            fields = {}
            for role, listed in values.items():
                value, known = listed[i], names[role]
                if known is not None:
                    several = isinstance(value, list)
                    value = [_named(item, known) for item in value] if several else _named(value, known)
                fields[role] = value
            yield Row(fields, place, start + i + 1, columns)


def _names(feature: Any) -> list[str] | None:
    """The names of a class label's numbers, or of those of a list of class labels."""
    found: list[str] | None = getattr(getattr(feature, "feature", feature), "names", None)
    return found


def _named(value: int | None, names: list[str]) -> str | None:
    return names[value] if value is not None and value >= 0 else None  # -1: a label kept secret


def _inside(table: Any, column: str | int) -> bool:
    """Whether ``column`` is ``translation.en``: a field of a column that has fields."""
    outer, _, inner = str(column).partition(".")
    if not inner or outer not in table.column_names:
        return False
    feature = table.features[outer]
    return inner in (feature if isinstance(feature, dict) else getattr(feature, "languages", None) or ())


def _values(batch: Any, column: str | int) -> list[Any]:
    """A column of a batch, or the field of one."""
    if column in batch:
        return list(batch[column])
    outer, _, inner = str(column).partition(".")
    return [value[inner] for value in batch[outer]]


def _load(found: Found, source: HubSource, split: str) -> Any:
    """The split as a ``datasets.Dataset``."""
    try:
        import datasets
    except ModuleNotFoundError as error:
        raise missing_extra(f"data set '{found.name}' (source: hub)", error) from error
    local = Path(source.path) if Path(source.path).is_absolute() else None
    try:
        if local is not None and ((local / "dataset_dict.json").exists() or (local / "state.json").exists()):
            kept = datasets.load_from_disk(str(local))
        else:
            logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # else it counts its tries on the terminal
            kept = datasets.load_dataset(
                str(local) if local is not None else source.path, name=source.config, revision=source.revision
            )
    except Exception as error:  # the loader raises whatever its own libraries do
        said = str(error).strip().partition("\n")[0] or type(error).__name__
        way = "" if local is not None else "; it needs a network that reaches the hub, or a copy in its cache"
        raise DataError(f"{found.place}: cannot load '{source.path}': {said}{way}") from error
    if isinstance(kept, datasets.Dataset):
        kept = {"train": kept}
    if split not in kept:
        raise DataError(f"{found.place}: '{source.path}' has no split '{split}'{suggest(split, kept)}")
    return kept[split]
