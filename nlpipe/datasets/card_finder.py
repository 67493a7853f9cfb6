"""Cards are found by name in ``data/``, by path, or written inline in a pipeline file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlpipe.datasets.card_reader import absolute, read_card
from nlpipe.datasets.cards import SPLITS, Card, HubSource
from nlpipe.datasets.readers import format_of
from nlpipe.errors import CardError, DataError, SpecError, suggest
from nlpipe.yaml_reader import read_yaml
from nlpipe.yaml_values import Place, Value, from_plain

GENERIC = (*SPLITS, "training", "data")
"""File names that do not tell one data set from another."""


@dataclass(frozen=True)
class LocatedCard:
    """A card and where it is.

    Args:
        place: the card's file, or ``data``, for messages.
        data: the value of ``data:`` that finds the same card from any folder: its name, its absolute path, or its keys
            with absolute paths.
    """

    card: Card
    place: str
    data: str | dict[str, Any]

    @property
    def name(self) -> str:
        """The name of the data set in reports."""
        if self.card.name:
            return self.card.name
        source = self.card.origin()
        if isinstance(source, HubSource):
            return Path(source.path).name if Path(source.path).is_absolute() else source.path
        path = Path(source.train[0])
        name = path.name.partition(".")[0]
        return path.parent.name if name.lower() in GENERIC else name


def data_folder() -> Path:
    """The folder of cards: ``data/`` beside the package in a checkout, else the copy inside the installed package.

    Raises:
        DataError: neither is there.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package.parent / "data", package / "_shipped" / "data"):
        if (folder / "README.md").is_file() and any(folder.glob("*.yaml")):
            return folder
    raise DataError("the folder of cards, data/, is missing; install nlpipe again")


def card_names() -> list[str]:
    """Every card that can be named, sorted."""
    return sorted(path.stem for path in data_folder().glob("*.yaml"))


def find_card(data: str | Mapping[str, Any] | Value, base: Path | None = None) -> LocatedCard:
    """The card that ``data`` names (by its name or its path) or describes; no data is read.

    Args:
        data: a Python value, or a value read from a file, in which relative paths start from that file's folder.
        base: where relative paths start in a Python value; the working directory by default.

    Raises:
        CardError: there is no such card, or it has faults: all of them, each with its place.
    """
    value = data if isinstance(data, Value) else _from_python(data)
    key = "data" if isinstance(data, Value) else ""
    folder = base or Path()
    if isinstance(value.content, str):
        return _named(value.content, value.place, key, value.place.folder(folder))
    if not isinstance(value.content, dict):
        message = f"invalid value {value.plain()!r}: expected the name of a card or a mapping of its keys"
        raise CardError([value.place.fault(key, message)])
    card, settled = read_card(value, key, folder)
    return LocatedCard(card, "data", settled.plain())


def existing(path: str) -> Path:
    """``path``, an absolute path, as the path of a file that exists.

    Raises:
        DataError: there is no such file; the message names a similar one.
    """
    file = Path(path)
    if file.is_file():
        return file
    if file.exists():
        raise DataError(f"{path}: this is {'a directory' if file.is_dir() else 'a pipe or a device'}, not a file")
    try:
        names = [entry.name for entry in file.parent.iterdir()] if file.parent.is_dir() else []
    except OSError:
        names = []
    near = suggest(file.name, names)
    if not near.startswith("; did"):
        endings = (Path(*file.parts[i:]) for i in range(1, len(file.parts)))
        here = next((ending for ending in endings if ending.is_file()), None)
        near = f"; {here} is in the working directory, but paths start from the file that names them" if here else ""
    raise DataError(f"{path}: there is no such file{near}")


def _from_python(data: Any) -> Value:
    try:
        return from_plain(data, Place("data"))
    except SpecError as error:
        raise CardError(error.faults) from None


def _named(data: str, place: Place, key: str, folder: Path) -> LocatedCard:
    """The card of that name or at that path."""
    names = card_names()
    if data in names:
        path = data_folder() / f"{data}.yaml"
    elif data.endswith((".yaml", ".yml")):
        path = Path(absolute(data, folder))
    elif format_of(data):
        task = "tagging" if format_of(data) == "conll" else "classification"
        message = f"'{data}' is a data file, not a card; write data: {{task: {task}, train: {data}}}"
        raise CardError([place.fault(key, f"{message}, or let 'nlpipe init {data}' write it")])
    else:
        raise CardError([place.fault(key, f"there is no card '{data}'{suggest(data, names)}")])
    try:
        value = read_yaml(path)
    except SpecError as error:
        raise CardError(error.faults) from None
    card, _ = read_card(value, "", path.parent)
    return LocatedCard(card, str(path), data if data in names else str(path))
