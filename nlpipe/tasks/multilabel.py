"""Multi-label classification: a text gets any number of labels out of a closed set, none included."""

from __future__ import annotations

import ast
import contextlib
import json
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from nlpipe.errors import DataError, NlpipeWarning
from nlpipe.json_reader import parse_json
from nlpipe.labels import clean_label
from nlpipe.metrics.label_set_metrics import label_set_metrics
from nlpipe.metrics.metric import Metric
from nlpipe.predictions import AnyPredictions, Predictions
from nlpipe.tag_schemes import LETTERS
from nlpipe.tasks.classification import allowed, folded, shown_value, text_of
from nlpipe.tasks.label_records import certainty, restored_certainty
from nlpipe.tasks.task import Column, Note, Row, Split, Task, ignore
from nlpipe.wire import LabelSets, Text, Wire

COLUMN = "label "
"""How the roles of columns begin that hold one label each, 0 or 1: ``label toxic``."""
YES, NO = ("1", "1.0", "true"), ("0", "0.0", "false")
"""What a column of one label holds."""
SURROGATE = re.compile("[\ud800-\udfff]")


class Multilabel(Task):
    """Any number of labels a text.

    Args:
        separator: what stands between the labels of a text where they are written in one field.
    """

    name: ClassVar[str] = "multilabel"
    source: ClassVar[type[Wire]] = Text
    target: ClassVar[type[Wire]] = LabelSets
    columns: ClassVar[Mapping[str, str | int]] = {"text": "text", "labels": "labels"}
    primary: ClassVar[str] = "f1_micro"
    inputs: ClassVar[tuple[str, ...]] = ("text",)
    label_role: ClassVar[str | None] = "labels"
    formats: ClassVar[tuple[str, ...]] = (*Task.formats, "conll")

    def __init__(self, separator: str = "") -> None:
        self.separator = separator

    def roles(self, form: str | None, given: Mapping[str, Column]) -> dict[str, str | int]:
        """``text`` and ``labels``; where a list of columns is given, one role a label, ``label toxic``.

        In conll a text is its words with spaces between, and its labels are the types of its entities.
        """
        roles: dict[str, str | int] = {}
        usual: Mapping[str, Column] = {"text": 0, "labels": -1} if form == "conll" else self.columns
        for role, column in {**usual, **given}.items():
            if isinstance(column, str | int):
                roles[role] = column
            else:
                roles |= {f"{COLUMN}{name}": name for name in column}
        return roles

    def targets(self, values: Sequence[Any]) -> LabelSets:
        return LabelSets(values)

    def split(self, rows: Iterable[Row], labels: Mapping[str, str] | None = None, note: Note = ignore) -> Split:
        """Rows as examples. A label that a text has twice counts once.

        Raises:
            DataError: a field is not what it should be.
        """
        texts, sets = [], []
        places: dict[str, str] = {}
        for row in rows:
            if row.lines:  # a sentence of conll
                texts.append(" ".join(row.fields["text"]))
                own = _types(row, labels)
            else:
                texts.append(text_of(row))
                own = self._labels(row, labels, note)
            sets.append(own)
            for label in own:
                places.setdefault(label, f"{row.path}:{row.line}")
        return Split(Text(texts), LabelSets(sets), places)

    def _labels(self, row: Row, labels: Mapping[str, str] | None, note: Note) -> list[str]:
        if "labels" not in row.fields:
            own = [role.removeprefix(COLUMN) for role in row.fields if role.startswith(COLUMN) and _marked(row, role)]
            return [allowed(clean_label(label), labels, row.place(COLUMN + label)) for label in own]
        place = row.place("labels")
        written = [clean_label(item) for item in label_items(row.fields["labels"], self.separator, place)]
        named = [label for label in written if label]
        if len(named) < len(written) and self.separator == "":
            raise DataError(f"{place}: {shown_value(row.fields['labels'])} has an empty label")
        unique = list(dict.fromkeys(allowed(label, labels, place) for label in named))
        if len(unique) < len(named):
            note("labels_repeated", f"{row.path}:{row.line}: {', '.join(named)}")
        return unique

    def settle(self, train: Split) -> None:
        """Warn where it looks as if texts had one label each, or as if another separator were used."""
        assert isinstance(train.targets, LabelSets)
        sets = train.targets.values
        if len(sets) < 2 or not any(sets) or any(len(own) > 1 for own in sets):
            return
        message = "no training example has more than one label"
        if self.separator:
            message += f": '{self.separator}' never stands between two, so it may be another separator"
        if all(sets):
            message += "; for exactly one label a text there is task: classification"
        warnings.warn(message, NlpipeWarning, stacklevel=3)

    def key(self, inputs: Wire, i: int) -> str:
        """The text in NFC, case folded, runs of whitespace as one space."""
        assert isinstance(inputs, Text)
        return folded(inputs.strings[i])

    def metrics(self, labels: Sequence[str], ordinal: bool = False) -> list[Metric]:
        return label_set_metrics(labels)

    def state(self) -> dict[str, Any]:
        return {**super().state(), **({"separator": self.separator} if self.separator else {})}

    def load_state(self, state: Mapping[str, Any]) -> None:
        super().load_state(state)
        self.separator = state.get("separator", "")

    def record(self, gold: Wire | None, predictions: AnyPredictions, i: int) -> dict[str, Any]:
        """``gold`` and ``predicted``, lists of labels; ``score`` and ``probabilities`` (label to probability).

        Probabilities are whole where gold is known, so that the scores can be computed again to the last digit, and
        have six digits in answers to a user.
        """
        record: dict[str, Any] = {}
        if gold is not None:
            assert isinstance(gold, LabelSets)
            record["gold"] = gold.values[i]
        return {**record, "predicted": predictions.values.values[i], **certainty(predictions, i, gold is not None)}

    def line(self, record: Mapping[str, Any]) -> str:
        """The labels with ``|`` between them, or nothing; a tab, and the probability that all of them are right."""
        labels = "|".join(record["predicted"])
        return f"{labels}\t{record['score']:.4f}" if "score" in record else labels

    def restore(self, records: Sequence[Mapping[str, Any]]) -> tuple[Wire, AnyPredictions]:
        """Gold and predictions back; scores and probabilities where every record has them.

        Raises:
            DataError: a record has no list of gold or of predicted labels.
        """
        for line, record in enumerate(records, 1):
            for name in ("gold", "predicted"):
                value = record.get(name)
                if not isinstance(value, list) or not all(isinstance(label, str) for label in value):
                    raise DataError(f"predictions, record {line}: '{name}' is not a list of labels")
        gold, predicted = (LabelSets([record[name] for record in records]) for name in ("gold", "predicted"))
        return gold, Predictions(predicted, *restored_certainty(records))


def _types(row: Row, labels: Mapping[str, str] | None) -> list[str]:
    """The types of a sentence's entities: its tags without the marks of a scheme (``B-``); other tags as they are."""
    tags = {clean_label(tag) for tag in row.fields["labels"]} - {"O", ""}
    kinds = {tag[2:] if tag[1:2] == "-" and tag[0] in LETTERS and tag[2:] else tag for tag in tags}
    return [allowed(kind, labels, row.place("labels")) for kind in sorted(kinds)]


def _list_in(text: str, place: str) -> Any:
    """The list that a field spells, as JSON or else as Python writes it; ``text`` itself where it spells none.

    Raises:
        DataError: it is JSON that holds no texts, such as NaN or half of a surrogate pair.
    """
    try:
        return parse_json(text, place)
    except DataError as error:
        if not isinstance(error.__cause__, json.JSONDecodeError):
            raise
    with contextlib.suppress(ValueError, SyntaxError, MemoryError, RecursionError):
        return ast.literal_eval(text)
    return text


def label_items(value: Any, separator: str, place: str) -> list[str]:
    """The labels of a field, as they are written; none where it is empty.

    Raises:
        DataError: it is not a list of labels.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return []
    if isinstance(value, str):
        if separator:
            return value.split(separator)
        if value.lstrip().startswith("["):  # a list in one field, as JSON and Python write it
            value = _list_in(value.strip(), place)
    if isinstance(value, str):
        raise DataError(
            f"{place}: {shown_value(value)} is one text, and labels are a list; the card, or data:, says what stands "
            'between them (separator: "|"), or which columns have one label each (columns: {labels: [first, second]})'
        )
    if not isinstance(value, list):
        raise DataError(f"{place}: {shown_value(value)} is not a list of labels")
    if len(value) > 2 and {str(item) for item in value} == {"0", "1"}:  # the reader may give numbers as texts
        raise DataError(
            f"{place}: {shown_value(value)} looks like one 0 or 1 for each label; write the names of those that are 1"
        )
    labels = []
    for i, item in enumerate(value, 1):
        if isinstance(item, int | float) and not isinstance(item, bool) and item == item:
            item = str(item)
        if not isinstance(item, str):
            raise DataError(f"{place}: item {i}: {shown_value(item)} is not a label")
        if SURROGATE.search(item):  # as '\\ud83d' spells it in a list of Python's
            raise DataError(f"{place}: item {i}: {shown_value(item)} holds half of a surrogate pair, which is no text")
        labels.append(item)
    return labels


def _marked(row: Row, role: str) -> bool:
    """Whether a column of one label says that the text has it.

    Raises:
        DataError: it says neither yes nor no.
    """
    value = row.fields[role]
    written = "" if value is None else str(value).strip().lower()
    if written not in YES and written not in NO:
        raise DataError(
            f"{row.place(role)}: {shown_value(value)}: expected 0 or 1, false or true: whether the text has the label"
        )
    return written in YES
