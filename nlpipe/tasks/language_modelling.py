"""Language modelling: the probability of texts, and of what follows or fills them.

The example is a document. Running text that has no documents, or few, is cut into blocks, so that there are items whose
luck can be estimated; short blocks of one text are too much alike to tell that, hence at least ``BLOCK`` words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from nlpipe.capabilities import Fills, Generates
from nlpipe.errors import DataError
from nlpipe.metrics.language_metrics import masked_metrics, text_metrics
from nlpipe.metrics.metric import Metric
from nlpipe.predictions import AnyPredictions, Predictions
from nlpipe.tasks.task import Note, Row, Split, Task, ignore
from nlpipe.wire import Text, Wire

FEWEST = 30
"""Documents from which each is an item; of fewer, long ones are cut into blocks."""
BLOCK = 4096
"""Words of a block, at least."""
LONGEST_WORD = 64
"""Characters that count as one word where there is no white space: writing without spaces, or binary junk."""

Documents = Literal["file", "paragraph", "line"]
"""What makes a document of the lines of plain text: all of a file, those up to a blank line, or each line."""


class LanguageModelling(Task):
    """The probability of a text, word by word from its beginning.

    Args:
        documents: what makes a document of the lines of plain text; other formats have one in each record.
    """

    name: ClassVar[str] = "language_modelling"
    source: ClassVar[type[Wire]] = Text
    target: ClassVar[type[Wire]] = Text
    columns: ClassVar[Mapping[str, str | int]] = {"text": "text"}
    primary: ClassVar[str] = "log_perplexity_per_word"
    inputs: ClassVar[tuple[str, ...]] = ("text",)
    formats: ClassVar[tuple[str, ...]] = ("text", "jsonl", "csv", "tsv", "parquet")
    usual_format: ClassVar[str | None] = "text"
    capability: ClassVar[type | None] = Generates

    def __init__(self, documents: Documents = "file") -> None:
        self.documents = documents

    def targets(self, values: Sequence[Any]) -> Text:
        return Text(values)

    def split(self, rows: Iterable[Row], labels: Mapping[str, str] | None = None, note: Note = ignore) -> Split:
        """Rows as documents, without empty ones; long ones are cut into blocks where there are few.

        Raises:
            DataError: a text is none, or all are empty.
        """
        of_lines = False

        def seen(given: Iterable[Row]) -> Iterator[Row]:
            nonlocal of_lines
            for row in given:
                of_lines = of_lines or row.columns.get("text") == LINE
                yield row

        texts = [text for text in self._documents(seen(rows)) if text.strip()]
        if not texts:
            raise DataError("the corpus is empty: no line has a word")
        if len(texts) < FEWEST:
            blocks = [block for text in texts for block in blocks_of(text)]
            if len(blocks) > len(texts):
                note("cut_into_blocks", f"{len(texts)} into {len(blocks):,} blocks of at least {BLOCK:,} words")
            texts = blocks
        wire = Text(texts)
        return Split(wire, wire, continuous=of_lines and self.documents == "file")

    def _documents(self, rows: Iterable[Row]) -> Iterator[str]:
        lines: list[str] = []
        path = ""
        for row in rows:
            text = _text(row)
            if row.columns.get("text") != LINE:  # a record of its own
                yield text
                continue
            blank = self.documents == "paragraph" and not text.strip()
            if lines and (path != row.path or self.documents == "line" or blank):
                yield "\n".join(lines)
                lines = []
            path = row.path
            if not blank:
                lines.append(text)
        if lines:
            yield "\n".join(lines)

    def roles(self, form: str | None, given: Mapping[str, str | int]) -> dict[str, str | int]:
        return {"text": LINE} if form == "text" else super().roles(form, given)

    def key(self, inputs: Wire, i: int) -> str:
        """The text in NFC, case folded, runs of white space as one space."""
        assert isinstance(inputs, Text)
        return " ".join(unicodedata.normalize("NFC", inputs.strings[i]).casefold().split())

    def metrics(self, labels: Sequence[str], ordinal: bool = False) -> list[Metric]:
        return text_metrics()

    def record(self, gold: Wire | None, predictions: AnyPredictions, i: int) -> dict[str, Any]:
        """The text as ``gold``, and ``score``, its log-probability in nats."""
        record: dict[str, Any] = {"gold": predictions.values.strings[i]}
        assert predictions.scores is not None
        record["score"] = float(predictions.scores[i])
        return record

    def line(self, record: Mapping[str, Any]) -> str:
        """The log-probability in nats, a tab, and the text with spaces for its line ends."""
        return f"{record['score']:.4f}\t{' '.join(str(record['gold']).splitlines())}"

    def restore(self, records: Sequence[Mapping[str, Any]]) -> tuple[Wire, AnyPredictions]:
        """Texts and log-probabilities back.

        Raises:
            DataError: a record has no text or no score.
        """
        for line, record in enumerate(records, 1):
            if not isinstance(record.get("gold"), str) or not isinstance(record.get("score"), int | float):
                raise DataError(f"predictions, record {line}: expected a 'gold' text and its 'score'")
        gold = Text([record["gold"] for record in records])
        return gold, Predictions(gold, np.array([record["score"] for record in records], dtype=np.float64))


class MaskedLanguageModelling(LanguageModelling):
    """The probability of words that are hidden in a text, by all that stands around them: BERT's task."""

    name: ClassVar[str] = "masked_language_modelling"
    primary: ClassVar[str] = "masked_log_perplexity"
    capability: ClassVar[type | None] = Fills

    def metrics(self, labels: Sequence[str], ordinal: bool = False) -> list[Metric]:
        return masked_metrics()

    def record(self, gold: Wire | None, predictions: AnyPredictions, i: int) -> dict[str, Any]:
        """As for language modelling, with ``units``, the number of tokens that were hidden."""
        assert predictions.units is not None
        return {**super().record(gold, predictions, i), "units": float(predictions.units[i])}

    def restore(self, records: Sequence[Mapping[str, Any]]) -> tuple[Wire, AnyPredictions]:
        gold, predictions = super().restore(records)
        units = np.array([record["units"] for record in records], dtype=np.float64)
        return gold, Predictions(gold, predictions.scores, units=units)


LINE = -1
"""The column of plain text: the whole line."""
_WORD = re.compile(rf"\S{{1,{LONGEST_WORD}}}\s*")


def blocks_of(text: str, size: int = BLOCK) -> Iterator[str]:
    """A text in blocks of at least ``size`` words, cut at the end of a line where one is near; a short text as it is.

    The last block has less than twice as many. Joined by nothing, the blocks are the text.
    """
    ends = [match.end() for match in _WORD.finditer(text)]
    start, first = 0, 0
    while len(ends) - first >= 2 * size:
        last = first + size - 1
        near = range(last, min(last + 64, len(ends) - size))
        line = next((i for i in near if text[ends[i] - 1] == "\n"), last)
        yield text[start : ends[line]]
        start, first = ends[line], line + 1
    yield text[start:]


def _text(row: Row) -> str:
    """The text of a row.

    Raises:
        DataError: it is none.
    """
    value = row.fields["text"]
    if isinstance(value, str):
        return value
    shown = "null" if value is None else repr(value)
    raise DataError(f"{row.place('text')}: {shown if len(shown) <= 60 else shown[:57] + '...'} is not a text")
