"""Translation, and all other work from text to text: summaries, answers, normalisation, dialogue turns."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from nlpipe.errors import DataError
from nlpipe.metrics.metric import Metric
from nlpipe.metrics.text_metrics import translation_metrics
from nlpipe.predictions import AnyPredictions, Predictions
from nlpipe.tasks.task import Note, Row, Split, Task, ignore
from nlpipe.wire import Text, Wire


class Translation(Task):
    """A text for a text."""

    name: ClassVar[str] = "translation"
    source: ClassVar[type[Wire]] = Text
    target: ClassVar[type[Wire]] = Text
    columns: ClassVar[Mapping[str, str | int]] = {"source": "source", "target": "target"}
    primary: ClassVar[str] = "bleu"
    inputs: ClassVar[tuple[str, ...]] = ("source",)
    formats: ClassVar[tuple[str, ...]] = ("parallel", "tsv", "csv", "jsonl", "po", "parquet")

    def targets(self, values: Sequence[Any]) -> Text:
        return Text(values)

    def split(self, rows: Iterable[Row], labels: Mapping[str, str] | None = None, note: Note = ignore) -> Split:
        """Rows as pairs; an empty side stays empty (such pairs are dropped by the card's ``filter``).

        Raises:
            DataError: a field is not a text.
        """
        sources, targets = [], []
        for row in rows:
            sources.append(_text(row, "source"))
            targets.append(_text(row, "target"))
        return Split(Text(sources), Text(targets))

    def key(self, inputs: Wire, i: int) -> str:
        """The source in NFC, case folded, runs of whitespace as one space: a source never stands in two splits."""
        assert isinstance(inputs, Text)
        return " ".join(unicodedata.normalize("NFC", inputs.strings[i]).casefold().split())

    def metrics(self, labels: Sequence[str], ordinal: bool = False) -> list[Metric]:
        return translation_metrics()

    def record(self, gold: Wire | None, predictions: AnyPredictions, i: int) -> dict[str, Any]:
        """``gold``, ``predicted`` and ``score``, a log-probability in nats, to six digits."""
        record: dict[str, Any] = {}
        if gold is not None:
            assert isinstance(gold, Text)
            record["gold"] = gold.strings[i]
        record["predicted"] = predictions.values.strings[i]
        if predictions.scores is not None:
            record["score"] = float(f"{float(predictions.scores[i]):.6g}")
        return record

    def line(self, record: Mapping[str, Any]) -> str:
        """The predicted text alone, with spaces for its line ends, so that each line of input gives one of output."""
        return " ".join(str(record["predicted"]).splitlines())

    def restore(self, records: Sequence[Mapping[str, Any]]) -> tuple[Wire, AnyPredictions]:
        """Gold and predictions back; scores where every record has one.

        Raises:
            DataError: a record has no gold or no predicted text.
        """
        for line, record in enumerate(records, 1):
            for name in ("gold", "predicted"):
                if not isinstance(record.get(name), str):
                    raise DataError(f"predictions, record {line}: there is no '{name}' text")
        scores = None
        if records and all("score" in record for record in records):
            scores = np.array([record["score"] for record in records], dtype=np.float64)  # (B,)
        predicted = Text([record["predicted"] for record in records])
        return Text([record["gold"] for record in records]), Predictions(predicted, scores)


def _text(row: Row, role: str) -> str:
    """A field as text: numbers as they are written.

    Raises:
        DataError: it is neither.
    """
    value = row.fields[role]
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    shown = "null" if value is None else repr(value)
    raise DataError(f"{row.place(role)}: {shown if len(shown) <= 60 else shown[:57] + '...'} is not a text")
