"""Language modelling: the probability of texts, and of what follows or fills them.

The example is a document. Running text that has no documents, or few, is cut into blocks, so that there are items whose
luck can be estimated; short blocks of one text are too much alike to tell that, hence at least ``BLOCK`` words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import Any, ClassVar, Literal

import numpy as np

from nlpipe.capabilities import Fills, Generates
from nlpipe.errors import DataError
from nlpipe.metrics.language_metrics import masked_metrics, text_metrics
from nlpipe.metrics.metric import Metric
from nlpipe.predictions import AnyPredictions, Predictions
from nlpipe.tasks.task import Column, Note, Row, Split, Task, ignore
from nlpipe.wire import Text, Wire

FEWEST = 30
"""Documents from which each is an item; of fewer, long ones are cut into blocks."""
BLOCK = 4096
"""Words of a block, at least."""
NEAR = 64
"""Words behind those of a block among which the end of a line is looked for."""
CHUNK = 1 << 20
"""Characters of a text that are cut into blocks together: of a large file no more is in memory twice."""
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
        documents, of_lines = list[list[str]](), False
        for (_, is_line), group in groupby(rows, self._document_of()):
            of_lines = of_lines or is_line
            kept = (text for row in group if (text := _text(row)).strip() or self.documents != "paragraph")
            blocks = list(blocks_of(kept))
            if any(block.strip() for block in blocks):
                documents.append(blocks)
        if not documents:
            raise DataError("the corpus is empty: no line has a word")
        if len(documents) < FEWEST:
            texts = [block for blocks in documents for block in blocks]
            if len(texts) > len(documents):
                note("cut_into_blocks", f"{len(documents)} into {len(texts):,} blocks of at least {BLOCK:,} words")
        else:
            texts = ["".join(blocks) for blocks in documents]
        wire = Text(texts)
        return Split(wire, wire, continuous=of_lines and self.documents == "file")

    def _document_of(self) -> Callable[[Row], tuple[int, bool]]:
        """What gives each row, in order, the number of its document, and whether it is a line of it; else all of it."""
        number, path = 0, ""

        def document_of(row: Row) -> tuple[int, bool]:
            nonlocal number, path
            is_line = row.columns.get("text") == LINE
            blank = self.documents == "paragraph" and not _text(row).strip()
            if not is_line or self.documents == "line" or blank or row.path != path:
                number += 1
            path = row.path
            return number, is_line

        return document_of

    def roles(self, form: str | None, given: Mapping[str, Column]) -> dict[str, str | int]:
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


def blocks_of(lines: Iterable[str], size: int = BLOCK, chunk: int = CHUNK) -> Iterator[str]:
    """The lines of a text, joined, in blocks of at least ``size`` words, cut at the end of a line where one is near.

    The last block has less than twice as many. Joined by nothing, the blocks are the text. Besides them only ``chunk``
    characters, or one line, are in memory.
    """
    rest, held, length = "", list[str](), 0
    for line in lines:
        if length > chunk:  # here and not behind the line: no end of line follows the last one
            *blocks, rest = _cut(rest + "\n".join(held) + "\n", size, 2 * size + NEAR)
            yield from blocks
            held, length = [], 0
        held.append(line)
        length += len(line)
    yield from _cut(rest + "\n".join(held), size, 2 * size)


def _cut(text: str, size: int, needed: int) -> Iterator[str]:
    """Blocks from the beginning of a text while ``needed`` words are left, and then what is left."""
    words = (match.end() for match in _WORD.finditer(text)) if len(text) >= needed else iter(())
    ends = list(islice(words, 2 * size + NEAR))
    start = 0
    while len(ends) >= needed:
        last = size - 1
        near = range(last, min(last + NEAR, len(ends) - size))
        line = next((i for i in near if text[ends[i] - 1] == "\n"), last)
        yield text[start : ends[line]]
        start = ends[line]
        ends = [*ends[line + 1 :], *islice(words, line + 1)]
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
