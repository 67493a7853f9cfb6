"""What a task is: the wires its data has, how its examples read and are written, and how answers are scored."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

import numpy as np

from nlpipe.errors import NlpipeError, suggest
from nlpipe.metrics.metric import Metric
from nlpipe.metrics.user_metrics import METRICS, UserMetric
from nlpipe.predictions import AnyPredictions
from nlpipe.stage import Tokenizer
from nlpipe.wire import Wire


@dataclass(frozen=True, slots=True)
class Row:
    """One record of a data file: its fields by role (``text``, ``label``), and where it stands.

    Args:
        fields: role to what the file has there: a string, or any JSON value where the format has types.
        path: the file, as messages name it.
        line: the record's first line, counted from 1.
        columns: role to the column's name or index in the file.
        lines: of each item, where fields are lists that go over several lines.
        record: all that the file has there, by column name (by index where columns have no names); empty unless the
            reader was told to keep it.
    """

    fields: Mapping[str, Any]
    path: str
    line: int
    columns: Mapping[str, str | int] = field(default_factory=dict)
    lines: Sequence[int] = ()
    record: Mapping[str, Any] = field(default_factory=dict)

    def place(self, role: str) -> str:
        """Where a field stands, for messages: ``reviews.csv:812: column 'label'``."""
        column = self.columns.get(role, role)
        return f"{self.path}:{self.line}: column {column!r}"


@dataclass(frozen=True)
class Origins:
    """Where each of N examples stands in the files that it was read from.

    Args:
        files: names of the files.
        file: (N,) index into ``files``.
        line: (N,) the first line of the example, counted from 1.
    """

    files: tuple[str, ...]
    file: np.ndarray
    line: np.ndarray

    def place(self, i: int) -> str:
        """Of example ``i``: ``reviews.csv:812``."""
        return f"{self.files[self.file[i]]}:{self.line[i]}"

    def take(self, indices: Sequence[int]) -> Origins:
        """Those of the examples at ``indices``, in that order."""
        chosen = np.asarray(indices, dtype=np.int64)
        return Origins(self.files, self.file[chosen], self.line[chosen])

    @classmethod
    def joined(cls, parts: Sequence[Origins]) -> Origins:
        """Those of the examples of all ``parts``, in order."""
        files = tuple(dict.fromkeys(name for part in parts for name in part.files))
        number = {name: i for i, name in enumerate(files)}
        renumbered = [np.array([number[name] for name in part.files], np.int32)[part.file] for part in parts]
        return cls(files, np.concatenate(renumbered), np.concatenate([part.line for part in parts]))


@dataclass(frozen=True)
class Split:
    """Examples: what a pipeline is given and what it should answer.

    Args:
        places: where each label, or type of entity, first stands in the files, where known.
        origins: where each example stands in the files, where known.
        columns: further columns of the data, by name, with the value of each example; ``slices`` of a card names them.
        groups: of each example what it belongs to (a document, a person), where the card has ``group:``.
        continuous: whether examples follow each other as one text, across whose borders a language model may read.
    """

    inputs: Wire
    targets: Wire
    places: Mapping[str, str] = field(default_factory=dict, compare=False)
    origins: Origins | None = field(default=None, compare=False, repr=False)
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict, compare=False, repr=False)
    groups: Sequence[str] | None = None
    continuous: bool = False

    def __len__(self) -> int:
        return len(self.inputs)

    def take(self, indices: Sequence[int]) -> Split:
        """The examples at ``indices``, in that order."""
        origins = self.origins.take(indices) if self.origins is not None else None
        columns = {name: [values[i] for i in indices] for name, values in self.columns.items()}
        groups = None if self.groups is None else [self.groups[i] for i in indices]
        inputs = self.inputs.take(indices)
        targets = inputs if self.targets is self.inputs else self.targets.take(indices)
        return Split(inputs, targets, origins=origins, columns=columns, groups=groups, continuous=self.continuous)

    @classmethod
    def joined(cls, parts: Sequence[Split]) -> Split:
        """The examples of all ``parts``, in order; what is not known of the examples of one is not known of any."""
        origins = [part.origins for part in parts if part.origins is not None]
        groups = [part.groups for part in parts if part.groups is not None]
        names = [name for name in parts[0].columns if all(name in part.columns for part in parts)]
        return cls(
            type(parts[0].inputs).concat([part.inputs for part in parts]),
            type(parts[0].targets).concat([part.targets for part in parts]),
            origins=Origins.joined(origins) if len(origins) == len(parts) else None,
            columns={name: [value for part in parts for value in part.columns[name]] for name in names},
            groups=[group for each in groups for group in each] if len(groups) == len(parts) else None,
        )


@dataclass(frozen=True)
class Ledger:
    """What was lost or looks wrong on the way: counts by name, with up to five examples of each."""

    counts: dict[str, float] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, what: str, example: str) -> None:
        """Count one more of ``what``; keep the example, cut to 200 characters, if it is among the first five."""
        self.counts[what] = self.counts.get(what, 0) + 1
        shown = self.examples.setdefault(what, [])
        if len(shown) < 5:
            shown.append(example if len(example) <= 200 else example[:197] + "...")


Column: TypeAlias = "str | int | Sequence[str]"
"""What a card names for a role: a column's name or index, or several names, for a task that takes several."""

Answer = Callable[[list[str]], AnyPredictions]
"""Gives a pipeline's answers to texts."""

Note = Callable[[str, str], None]
"""Called with what is lost in reading, by name, and the example; it is counted in the ledger."""


def ignore(what: str, example: str) -> None:
    """Take no note."""


class Task(ABC):
    """Classification, one label a text or several, tagging, translation, language modelling.

    One that reads a data set belongs to it, and may keep what its metrics need of the training split.
    """

    name: ClassVar[str]
    source: ClassVar[type[Wire]]
    """The wire of inputs: Text, or Tokens where data comes split."""
    target: ClassVar[type[Wire]]
    """The wire of targets, which the head must give."""
    columns: ClassVar[Mapping[str, str | int]]
    """Roles of a row's fields, with the column each is read from unless a card or user says otherwise."""
    primary: ClassVar[str]
    """The score that comparisons usually decide on."""
    chosen: str = ""
    """The score that comparisons decide on instead, because the card says so or ``settle`` chose it."""
    reason: str = ""
    """Why ``settle`` chose that score, for messages."""
    inputs: ClassVar[tuple[str, ...]]
    """The roles that can hold what is asked; the others hold answers."""
    label_role: ClassVar[str | None] = None
    """The role that holds a label from a closed set, if the task has one."""
    formats: ClassVar[tuple[str, ...]] = ("csv", "tsv", "jsonl", "parquet")
    """Formats of files that hold its examples."""
    usual_format: ClassVar[str | None] = None
    """The format of a file whose ending tells none of these."""
    example: ClassVar[Mapping[str, Any]] = {}
    """Fields of an answer's record that may be empty lists, with an item each, for those who need their types."""
    capability: ClassVar[type | None] = None
    """What its head must be able to do, of ``nlpipe.capabilities``, besides giving ``target``."""

    @classmethod
    def asks(cls) -> tuple[type[Wire], type[Wire], type | None]:
        """What it asks of a pipeline: the wire of answers, that of inputs, and what the head must be able to do."""
        return cls.target, cls.source, cls.capability

    @abstractmethod
    def targets(self, values: Sequence[Any]) -> Wire:
        """Targets given in Python (labels, lists of tags, texts) as a wire of the type ``target``."""

    def roles(self, form: str | None, given: Mapping[str, Column]) -> dict[str, str | int]:
        """What is read of each record: role to column, ``given`` by the card, for the rest the usual ones.

        Args:
            form: the format; None where the source has columns of its own (the hub).
            given: those that the card names; several for a role only where the task takes them.
        """
        return {**self.columns, **{role: column for role, column in given.items() if isinstance(column, str | int)}}

    def usual_primary(self, labels: Sequence[str]) -> str:
        """The score that decides unless another is chosen, where ``labels`` are what ``Dataset.labels`` has."""
        return self.primary

    def settle(self, train: Split) -> None:  # noqa: B027 - most tasks have nothing to choose
        """Choose the score that decides by what the training split is like; a choice of the card stays."""

    def deciding(self, labels: Sequence[str], ordinal: bool = False) -> tuple[Metric, str]:
        """The score that comparisons and early stopping decide on, and the metric that gives it.

        Raises:
            NlpipeError: the score that the card chooses is none of the task's.
        """
        name = self.chosen or self.usual_primary(labels)
        metrics = self.every_metric(labels, ordinal)
        for metric in metrics:
            if name in metric.definitions:
                return metric, name
        names = [name for metric in metrics for name in metric.definitions]
        raise NlpipeError(f"primary: {self.name} has no score '{name}'{suggest(name, names)}")

    def labels(self, train: Split) -> tuple[str, ...]:
        """The closed set that targets come from, where the card does not give it; empty where there is none."""
        return ()

    @abstractmethod
    def split(self, rows: Iterable[Row], labels: Mapping[str, str] | None = None, note: Note = ignore) -> Split:
        """Rows as examples; the training split is read before the others.

        Args:
            rows: gone through once, so that a file can be read as it streams.
            labels: what the data writes to the label meant, nothing else being allowed; None: labels as they come.
            note: called with each thing that is left out.

        Raises:
            DataError: a row cannot be an example; the message names file and line.
        """

    @abstractmethod
    def key(self, inputs: Wire, i: int) -> str:
        """What two inputs have in common if they count as the same, for de-duplication and leakage."""

    @abstractmethod
    def metrics(self, labels: Sequence[str], ordinal: bool = False) -> list[Metric]:
        """Its metrics, each of another name.

        Args:
            labels: those of ``Dataset.labels``, in that order.
            ordinal: whether that order means something.
        """

    def user_metrics(self) -> list[UserMetric]:
        """The metrics that are registered for it, or for a task that it derives from."""
        return METRICS.of_tasks({vars(owner).get("name", "") for owner in type(self).__mro__})

    def every_metric(self, labels: Sequence[str], ordinal: bool = False) -> list[Metric]:
        """Its own metrics, then those registered for it.

        Raises:
            NlpipeError: one that is registered has the name of one that the task has.
        """
        metrics = self.metrics(labels, ordinal)
        taken = {name for metric in metrics for name in (metric.name, *metric.definitions)}
        for metric in self.user_metrics():
            if metric.name in taken:
                raise NlpipeError(f"{self.name} has a metric '{metric.name}' of its own: give yours another name")
            metrics.append(metric.metric())
        return metrics

    def training(self, split: Split) -> Split:
        """The training split as pipelines are trained on it."""
        return split

    def with_raw(
        self, inputs: Wire, predictions: AnyPredictions, tokenizer: Tokenizer, predict: Answer
    ) -> AnyPredictions:
        """``predictions`` with what its scores need of the answers to texts that the pipeline splits itself.

        Args:
            tokenizer: how the pipeline splits texts.
            predict: the pipeline, which answers them.
        """
        return predictions

    def remarks(self, scores: Mapping[str, float]) -> list[str]:
        """Warnings about the scores of a run."""
        return []

    def state(self) -> dict[str, Any]:
        """What its scores need of the card and of the training split, as plain data: a run stores it, to be scored
        again from its folder alone."""
        return {"primary": self.chosen, "reason": self.reason} if self.chosen else {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take back what ``state`` gave."""
        self.chosen, self.reason = state.get("primary", ""), state.get("reason", "")

    @abstractmethod
    def record(self, gold: Wire | None, predictions: AnyPredictions, i: int) -> dict[str, Any]:
        """Example ``i`` as one line of ``predictions.jsonl``: gold (if known), predicted, score, probabilities.

        With gold it holds all that the metrics need, to the last digit; ``restore`` takes it back.
        """

    @abstractmethod
    def line(self, record: Mapping[str, Any]) -> str:
        """``record`` as one line for a reader: the answer; of labels also a tab and the score."""

    @abstractmethod
    def restore(self, records: Sequence[Mapping[str, Any]]) -> tuple[Wire, AnyPredictions]:
        """Gold and predictions back from the lines of ``predictions.jsonl``."""
