"""Cards are found by name in ``data/``, by path, or written inline in a pipeline file.

Every fault of a card is told at once, with its line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from nlpipe.datasets.cards import (
    SPLITS,
    Card,
    Expected,
    FileSource,
    Filter,
    HubSource,
    Sizes,
    WheelPart,
    WheelSource,
    WheelsSource,
)
from nlpipe.datasets.readers import format_of
from nlpipe.errors import DataError, NlpipeError, suggest


@dataclass(frozen=True)
class Found:
    """A card, where messages say it stands, and the folder its paths start from."""

    card: Card
    place: str
    folder: Path

    @property
    def name(self) -> str:
        """What reports call the data set."""
        if self.card.name:
            return self.card.name
        source = self.card.origin()
        if isinstance(source, HubSource):
            return source.path
        path = Path(source.train[0])
        name = path.name.partition(".")[0]
        if name.lower() not in (*SPLITS, "training", "data"):
            return name
        return (self.folder / path).resolve().parent.name if isinstance(source, FileSource) else path.parent.name


def data_folder() -> Path:
    """The folder of cards: ``data/`` beside the package in a checkout, else the copy inside the installed package.

    Raises:
        DataError: neither is there.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package.parent / "data", package / "_shipped" / "data"):
        if (folder / "README.md").is_file() and any(folder.glob("*.yaml")):
            return folder
    raise DataError("the folder of cards, data/, is not there; install nlpipe again")


def card_names() -> list[str]:
    """Every card that can be named, sorted."""
    return sorted(path.stem for path in data_folder().glob("*.yaml"))


def find_card(data: str | Mapping[str, Any], base: Path | None = None) -> Found:
    """The card that ``data`` names (a card, or a path to one) or is (inline).

    Args:
        base: the folder relative paths are looked for in first; then the working directory.

    Raises:
        DataError: there is none, or it has faults: all of them.
    """
    base = base or Path()
    if isinstance(data, str):
        path = _card_path(data, base)
        value, lines = _parse(path)
        return Found(_checked(value, str(path), lines), str(path), path.parent)
    if not isinstance(data, Mapping):
        raise DataError(f"data: {data!r} is neither a card's name nor a mapping of its keys")
    return Found(_checked(dict(data), "data", {}), "data", base)


def task_of(data: str | Mapping[str, Any], base: Path | None = None) -> str:
    """The task of a data set, told without reading any data.

    Raises:
        DataError: as ``find_card``.
    """
    return find_card(data, base).card.task


def resolve(written: str, base: Path) -> Path:
    """A file that exists: ``written`` from ``base``, else from the working directory.

    Raises:
        DataError: it is in neither.
    """
    path = Path(written).expanduser()
    for candidate in (base / path, path):
        if candidate.exists():
            return candidate
    folder = (base / path).parent
    names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
    near = suggest(path.name, names)
    raise DataError(f"{base / path}: there is no such file{near if near.startswith('; did') else ''}")


def absolute(data: str | Mapping[str, Any], base: Path) -> str | dict[str, Any]:
    """The same data, its files named so that they are found from any folder.

    Raises:
        DataError: a file is not there.
    """
    if isinstance(data, str):
        return data if data in card_names() else str(_card_path(data, base).resolve())

    def found(key: str, value: Any) -> Any:
        if key in SPLITS and isinstance(value, str):
            return str(resolve(value, base).resolve())
        if key in SPLITS and isinstance(value, list | tuple):
            return [found(key, item) for item in value]
        if key == "source" and isinstance(value, Mapping) and value.get("kind") == "file":
            return {name: found(name, item) for name, item in value.items()}
        return value

    return {key: found(key, value) for key, value in data.items()}


def _card_path(data: str, base: Path) -> Path:
    names = card_names()
    if data in names:
        return data_folder() / f"{data}.yaml"
    if data.endswith((".yaml", ".yml")):
        return resolve(data, base)
    if format_of(data):
        raise DataError(
            f"data: '{data}' is a data file, not a card; write data: {{task: {_usual_task(data)}, train: {data}}}, "
            f"or let 'nlpipe init {data}' write it"
        )
    raise DataError(f"data: there is no card '{data}'{suggest(data, names)}")


def _usual_task(path: str) -> str:
    return "tagging" if format_of(path) == "conll" else "classification"


Lines = dict[tuple[str, ...], int]


def _parse(path: Path) -> tuple[dict[str, Any], Lines]:
    """The mapping in a YAML file, and the line of each key."""
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        value = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise DataError(f"{path}:{line}: not YAML: {error.problem or error.context}") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"{path}: cannot be read as a card: {error}") from error
    if not isinstance(value, dict):
        raise DataError(f"{path}: a card is a mapping of keys, this is {type(value).__name__}")
    lines: Lines = {}
    for key, line in _keys(node, ()):
        if key in lines:
            raise DataError(f"{path}:{line}: {'.'.join(key)}: written twice, first on line {lines[key]}")
        lines[key] = line
    return value, lines


def _keys(node: Any, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            path = (*above, str(key.value))
            yield path, key.start_mark.line + 1
            yield from _keys(value, path)


def _checked(value: dict[str, Any], place: str, lines: Lines) -> Card:
    try:
        return Card.model_validate(value)
    except NlpipeError:
        raise
    except ValidationError as error:
        messages = []
        for fault in error.errors():
            key = tuple(str(part) for part in fault["loc"] if part not in ("file", "wheel", "wheels", "hub", "[key]"))
            known = next((lines[key[:n]] for n in range(len(key), 0, -1) if key[:n] in lines), None)
            where = place if known is None else f"{place}:{known}"
            dotted = ".".join(key)
            messages.append(f"{where}: {dotted}: {_message(fault, key)}" if key else f"{where}: {_message(fault, key)}")
        raise DataError("\n".join(dict.fromkeys(messages))) from error


def _message(fault: Any, key: tuple[str, ...]) -> str:
    if fault["type"] == "extra_forbidden":
        return f"there is no such key{suggest(key[-1], _fields(fault['loc']))}"
    if fault["type"] == "missing":
        return "is missing"
    text = str(fault["msg"]).removeprefix("Value error, ")
    shown = repr(fault["input"]) if isinstance(fault["input"], str | int | float | bool) else ""
    if fault["type"] == "value_error":
        return text
    if not shown:
        return text[:1].lower() + text[1:]
    return f"{shown}: {text[:1].lower() + text[1:]}"


def _fields(location: tuple[Any, ...]) -> list[str]:
    """The keys allowed beside the one at ``location``."""
    parts: dict[Any, type[BaseModel]] = {
        "file": FileSource, "wheel": WheelSource, "wheels": WheelsSource, "hub": HubSource, "parts": WheelPart,
        "splits": Sizes, "expect": Expected, "filter": Filter,
    }  # fmt: skip
    names = [part for part in location if isinstance(part, str)]
    return list(parts[names[-2]].model_fields if len(names) > 1 else Card.model_fields)
