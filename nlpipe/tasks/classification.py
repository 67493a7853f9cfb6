"""Classification: a text gets one label out of a closed set (sentiment, topic, intent, stars)."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from nlpipe.errors import DataError, suggest
from nlpipe.labels import clean_label
from nlpipe.metrics.label_metrics import classification_metrics
from nlpipe.metrics.metric import Metric
from nlpipe.predictions import AnyPredictions, Predictions
from nlpipe.tasks.label_records import certainty, restored_certainty
from nlpipe.tasks.task import Note, Row, Split, Task, ignore
from nlpipe.wire import Labels, Text, Wire

UNBALANCED = 4
"""How many times larger than the smallest class the largest one may be before accuracy does not decide."""

SHOWN_LABELS = 12
"""A message lists the allowed labels up to this many."""


class Classification(Task):
    """One label a text."""

    name: ClassVar[str] = "classification"
    source: ClassVar[type[Wire]] = Text
    target: ClassVar[type[Wire]] = Labels
    columns: ClassVar[Mapping[str, str | int]] = {"text": "text", "label": "label"}
    primary: ClassVar[str] = "accuracy"
    inputs: ClassVar[tuple[str, ...]] = ("text",)
    label_role: ClassVar[str | None] = "label"

    def settle(self, train: Split) -> None:
        """``f1_macro`` where the largest class is more than four times the smallest; accuracy would hardly show it."""
        assert isinstance(train.targets, Labels)
        counts = Counter(train.targets.values)
        if not counts or (self.chosen and not self.reason):
            return
        (largest, most), (smallest, least) = counts.most_common()[0], counts.most_common()[-1]
        unbalanced = most > UNBALANCED * least
        self.chosen = "f1_macro" if unbalanced else ""
        self.reason = f"{most:,} training examples are '{largest}' and {least:,} '{smallest}'" if unbalanced else ""

    def targets(self, values: Sequence[Any]) -> Labels:
        return Labels(values)

    def split(self, rows: Iterable[Row], labels: Mapping[str, str] | None = None, note: Note = ignore) -> Split:
        texts, values = [], []
        places: dict[str, str] = {}
        for row in rows:
            text = row.fields["text"]
            texts.append(text if isinstance(text, str) else text_of(row))
            label = _label(row, labels)
            values.append(label)
            if label not in places:
                places[label] = f"{row.path}:{row.line}"
        return Split(Text(texts), Labels(values), places)

    def key(self, inputs: Wire, i: int) -> str:
        """The text in NFC, case folded, runs of whitespace as one space."""
        assert isinstance(inputs, Text)
        return folded(inputs.strings[i])

    def metrics(self, labels: Sequence[str], ordinal: bool = False) -> list[Metric]:
        return classification_metrics(labels, ordinal)

    def record(self, gold: Wire | None, predictions: AnyPredictions, i: int) -> dict[str, Any]:
        """``gold``, ``predicted``, ``score`` and ``probabilities`` (label to probability).

        Probabilities are whole where gold is known, so that the scores can be computed again to the last digit, and
        have six digits in answers to a user.
        """
        record: dict[str, Any] = {}
        if gold is not None:
            assert isinstance(gold, Labels)
            record["gold"] = gold.values[i]
        return {**record, "predicted": predictions.values.values[i], **certainty(predictions, i, gold is not None)}

    def line(self, record: Mapping[str, Any]) -> str:
        return f"{record['predicted']}\t{record['score']:.4f}" if "score" in record else str(record["predicted"])

    def restore(self, records: Sequence[Mapping[str, Any]]) -> tuple[Wire, AnyPredictions]:
        """Gold and predictions back; scores and probabilities where every record has them.

        Raises:
            DataError: a record has no gold or no predicted label.
        """
        for line, record in enumerate(records, 1):
            for name in ("gold", "predicted"):
                if not isinstance(record.get(name), str):
                    raise DataError(f"predictions, record {line}: there is no '{name}' label")
        gold, predicted = (Labels([record[name] for record in records]) for name in ("gold", "predicted"))
        return gold, Predictions(predicted, *restored_certainty(records))


def folded(text: str) -> str:
    """``text`` in NFC, case folded, runs of whitespace as one space: equal for texts that count as the same."""
    return " ".join((text if text.isascii() else unicodedata.normalize("NFC", text)).casefold().split())


def text_of(row: Row) -> str:
    """The text of a record: a number as it is written.

    Raises:
        DataError: it is neither a text nor a number.
    """
    value = row.fields["text"]
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise DataError(f"{row.place('text')}: {shown_value(value)} is not a text")


def _label(row: Row, labels: Mapping[str, str] | None) -> str:
    value = row.fields["label"]
    if isinstance(value, list) and len(value) <= 1:  # annotation tools write lists
        value = value[0] if value else None
    if not isinstance(value, str):
        if isinstance(value, list):
            listed = f"{shown_value(value)}: {len(value)} labels, and a text has one here"
            way = "keep one of them, or write task: multilabel"
            raise DataError(f"{row.place('label')}: {listed}; {way}")
        if isinstance(value, bool):
            value = str(value).lower()
        elif isinstance(value, int | float):
            value = str(value)
        elif value is not None:
            raise DataError(f"{row.place('label')}: {shown_value(value)} is not a label")
    label = clean_label(value or "")
    if not label:
        raise DataError(f"{row.place('label')}: the label is missing")
    return allowed(label, labels, row.place("label"))


def allowed(label: str, labels: Mapping[str, str] | None, place: str) -> str:
    """The label that the card means by ``label``.

    Raises:
        DataError: it is none of those that the card allows.
    """
    if labels is None:
        return label
    if label not in labels:
        names = list(labels)
        listed = ", ".join(f"'{name}'" for name in names[:SHOWN_LABELS])
        more = f" and {len(names) - SHOWN_LABELS} more" if len(names) > SHOWN_LABELS else ""
        near = suggest(label, names)
        way = near if near.startswith("; did you mean") else ""
        raise DataError(f"{place}: '{label}' is not one of {listed}{more}{way}")
    return labels[label]


def shown_value(value: Any) -> str:
    """A value as a message quotes it, at most 60 characters of it."""
    text = "null" if value is None else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
