"""Data sets of the Hugging Face hub, or saved folders of the ``datasets`` library; never with code of theirs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nlpipe.errors import DataError, suggest
from nlpipe.registry import missing_extra
from nlpipe.tasks.task import Row


def hub_rows(source: Mapping[str, str], split: str, columns: Mapping[str, str | int], base: Path) -> Iterator[Row]:
    """The rows of one split.

    Args:
        source: ``hub`` (a name, or a folder), ``revision`` and ``config``.

    Raises:
        DataError: it cannot be reached, or has no such split or column.
        MissingExtra: ``datasets`` is not installed.
    """
    name = source["hub"]
    try:
        import datasets
    except ModuleNotFoundError as error:
        raise missing_extra(f"data set '{name}'", error) from None
    datasets.disable_progress_bars()
    folder = next((path for path in (base / name, Path(name)) if path.is_dir()), None)
    try:
        if folder is not None and ((folder / "dataset_dict.json").exists() or (folder / "state.json").exists()):
            loaded = datasets.load_from_disk(str(folder))
            table = loaded[split] if isinstance(loaded, datasets.DatasetDict) else loaded
        elif folder is not None:
            table = datasets.load_dataset(str(folder), split=split)
        else:
            table = datasets.load_dataset(name, source.get("config"), revision=source.get("revision"), split=split)
    except Exception as error:  # the library raises dozens of kinds, all of them about this source
        reason = str(error).strip().partition("\n")[0]
        raise DataError(
            f"hub data set '{name}', split '{split}': {type(error).__name__}: {reason}. Without a network, save it as "
            "a folder elsewhere (datasets.load_dataset(…).save_to_disk) and give that folder as 'hub:'"
        ) from None
    yield from _rows(table, name, split, columns)


def _rows(table: Any, name: str, split: str, columns: Mapping[str, str | int]) -> Iterator[Row]:
    chosen = {}
    for role, column in columns.items():
        if column not in table.column_names:
            raise DataError(
                f"{name}/{split}: there is no column '{column}' for the {role}"
                f"{suggest(str(column), table.column_names)} (columns here: {', '.join(table.column_names)})"
            )
        feature = table.features[column]
        chosen[role] = (column, feature.int2str if hasattr(feature, "int2str") else str)
    for number, record in enumerate(table, 1):
        yield Row({role: spell(record[column]) for role, (column, spell) in chosen.items()}, f"{name}/{split}", number)
