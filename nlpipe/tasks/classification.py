"""Classification: one label for each text."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from nlpipe.errors import DataError
from nlpipe.metrics.classification import label_scores, ordinal_scores, probability_scores
from nlpipe.metrics.metric import Metric
from nlpipe.stage import Predictions
from nlpipe.tasks.task import Row, Split, Task
from nlpipe.wire import Labels, Text, Tokens, Wire


class Classification(Task):
    """Texts to labels: sentiment, topics, intents, stars."""

    name: ClassVar[str] = "classification"
    source: ClassVar[type[Wire]] = Text
    target: ClassVar[type[Wire]] = Labels
    columns: ClassVar[Mapping[str, str | int]] = {"text": "text", "label": "label"}
    primary: ClassVar[str] = "accuracy"

    def split(self, rows: Sequence[Row]) -> Split:
        labels = []
        for row in rows:
            label = row.fields["label"]
            if label is None or str(label).strip() == "":
                raise DataError(
                    f"{row.path}:{row.line}: column 'label' is empty; give the text a label or drop the row"
                )
            labels.append(str(label))
        return Split(Text([row.fields["text"] for row in rows]), Labels(labels))

    def key(self, inputs: Wire, i: int) -> str:
        """The text without regard to case, spaces or Unicode form."""
        text = inputs.strings[i] if isinstance(inputs, Text) else " ".join(_words(inputs, i))
        if text.isascii():
            return " ".join(text.lower().split())
        return " ".join(unicodedata.normalize("NFC", text).casefold().split())

    def metrics(self, labels: Sequence[str], ordinal: bool = False) -> list[Metric]:
        found = [label_scores(labels), probability_scores(labels)]
        return [*found, ordinal_scores(labels)] if ordinal else found

    def record(self, gold: Wire | None, predictions: Predictions[Any], i: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if gold is not None:
            assert isinstance(gold, Labels)
            found["gold"] = gold.values[i]
        found["predicted"] = predictions.values.values[i]
        if predictions.scores is not None:
            found["score"] = round(float(predictions.scores[i]), 6)
        if predictions.probabilities is not None:
            row = predictions.probabilities[i].tolist()
            found["probabilities"] = {
                label: round(value, 6) for label, value in zip(predictions.classes, row, strict=True)
            }
        return found

    def line(self, record: Mapping[str, Any]) -> str:
        return f"{record['predicted']}\t{record['score']:.4f}" if "score" in record else str(record["predicted"])

    def restore(self, records: Sequence[Mapping[str, Any]]) -> tuple[Wire, Predictions[Any]]:
        gold = Labels([record["gold"] for record in records])
        predicted = Labels([record["predicted"] for record in records])
        scores = np.array([record["score"] for record in records]) if records and "score" in records[0] else None
        if not records or "probabilities" not in records[0]:
            return gold, Predictions(predicted, scores)
        classes = tuple(records[0]["probabilities"])
        rows = np.array([[record["probabilities"][label] for label in classes] for record in records])
        return gold, Predictions(predicted, scores, rows, classes)


def _words(inputs: Wire, i: int) -> list[str]:
    assert isinstance(inputs, Tokens), type(inputs)
    return inputs.words[i]
