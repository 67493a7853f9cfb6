"""What ``nlpipe predict`` writes: answers as lines, tables, JSON or pages."""

from __future__ import annotations

import csv
import io
import json
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from nlpipe.bulk.inputs import Input, batches
from nlpipe.errors import NlpipeError, NlpipeWarning
from nlpipe.json_reader import json_text
from nlpipe.pipeline import Pipeline
from nlpipe.pipeline.unsure import OPTION, confidence_of, marks
from nlpipe.predictions import AnyPredictions
from nlpipe.registry import written_name
from nlpipe.yaml_reader import parse
from nlpipe.yaml_values import Place, spelling_hint, warn_of_octals

MAX_DRAWN = 50
"""Texts whose attention is drawn: people look at sentences, not at files."""


def change(pipeline: Pipeline, typed: Sequence[str]) -> None:
    """Change how the head searches, by options such as ``beam=10``; values are YAML, as in files.

    Raises:
        NlpipeError: the head has no such option, or it is one of training.
    """
    for text in typed:
        name, equals, written = text.partition("=")
        if not equals:
            raise NlpipeError(f"--set {text}: expected an option and its value, such as beam=10")
        name = name.strip().removeprefix("head.")
        value = parse(written, Place(f"--set {text}", key=name))
        try:
            pipeline.head.change(**{name: value.plain()})
        except ValueError as error:
            hint = spelling_hint(value, text_expected="string" in str(error))
            raise NlpipeError(f"--set {text}: {error}{hint}") from None
        warn_of_octals(value, name)


class Answers:
    """The answers to batches of inputs, as text in one form.

    Args:
        form: text (a line for each), jsonl (an object for each, with what the input has beside the text), csv or tsv
            (the rows of the input with the answers as further columns), conll (a word a line, with the columns that
            the input has, and its tag).
        n: as many of the best answers to each text, as jsonl; None for the answer alone.
        threshold: the confidence below which the line of an answer says ``unsure``; objects and rows then have
            ``confidence`` and ``unsure`` too, and what was answered.
        columns: of csv and tsv, as an earlier ``Answers`` of the same file had them; None to begin with their names.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        form: str,
        n: int | None = None,
        threshold: float | None = None,
        columns: Columns | None = None,
    ) -> None:
        self.pipeline = pipeline
        self.form = form
        self.n = n
        self.threshold = threshold
        self.table = Table("\t" if form == "tsv" else ",", columns)

    def lines(self, batch: Sequence[Input]) -> str:
        """The answers to a batch, in its order.

        Raises:
            NlpipeError: there is a threshold, and the answers have no confidence.
        """
        contents = [item.content for item in batch]
        if self.n is not None:
            best = self.pipeline.n_best(contents, self.n)
            return "".join(
                _json_line(item, {"n_best": [asdict(each) for each in answers]})
                for item, answers in zip(batch, best, strict=True)
            )
        predictions = self.pipeline.predict(contents)
        head = written_name(self.pipeline.head)
        confidence = None if self.threshold is None else confidence_of(predictions, OPTION, head)
        return "".join(self._line(item, predictions, i, confidence) for i, item in enumerate(batch))

    def _line(self, item: Input, predictions: AnyPredictions, i: int, confidence: np.ndarray | None) -> str:
        record = self.pipeline.task.record(None, predictions, i)
        if confidence is not None and self.threshold is not None:
            record |= marks(confidence[i], self.threshold)
        if self.form == "jsonl":
            return _json_line(item, record)
        if self.form in ("csv", "tsv"):
            return self.table.line(_beside(item), record)
        if self.form == "conll":
            tokens = predictions.values.tokens
            words = [[tokens.texts[i][start:end]] for start, end in tokens.spans(i)]  # as they are written
            rows = zip(item.lines or words, predictions.tags[i], strict=True)
            return "".join("\t".join(" ".join(cell.split()) for cell in row) + f"\t{tag}\n" for row, tag in rows) + "\n"
        if record.get("unsure"):
            return f"unsure\t{record['confidence']:.4f}\n"
        return " ".join(self.pipeline.task.line(record).splitlines()) + "\n"  # one line for each text


def answer(
    pipeline: Pipeline, inputs: Iterator[Input], form: str, n: int | None = None, threshold: float | None = None
) -> Iterator[str]:
    """The answers, batch by batch as inputs come; an HTML page (``html``: entities marked) comes whole, at the end.

    Args:
        form: as ``Answers`` has it, and ``n`` and ``threshold`` too; or html.
    """
    if form == "html":
        yield _page(pipeline, inputs)
        return
    answers = Answers(pipeline, form, n, threshold)
    for batch in batches(inputs):
        yield answers.lines(batch)


def _page(pipeline: Pipeline, inputs: Iterator[Input]) -> str:
    from nlpipe.report.entity_page import entity_page

    documents: list[dict[str, Any]] = []
    for batch in batches(inputs):
        predictions = pipeline.predict([item.content for item in batch])
        for i, item in enumerate(batch):
            record = pipeline.task.record(None, predictions, i)
            documents.append({"text": item.text, "entities": record.get("entities", record.get("tokens"))})
    return entity_page(documents)


def _beside(item: Input) -> dict[str, Any]:
    """The record of an input; the text alone where there is none."""
    return dict(item.record) if item.record else {"text": item.text}


def _json_line(item: Input, answer: Mapping[str, Any]) -> str:
    """The record of an input with the answer, as JSON; what it has under the same name is kept."""
    record = _beside(item)
    added = {f"{name}_answered" if name in record else name: value for name, value in answer.items()}
    return f"{json_text(record)[:-1]}, {json.dumps(added, ensure_ascii=False)[1:]}\n"


class Columns(TypedDict):
    """Of a table: the columns of the input, and those of the answer with their names in the table."""

    columns: list[str]
    names: dict[str, str]


class Table:
    """Rows of csv or tsv: the columns of the first input, then those of the answer; the first row has the names.

    Args:
        begun: the columns of a table whose first rows are written elsewhere; None for a new one.
    """

    def __init__(self, delimiter: str, begun: Columns | None = None) -> None:
        self.buffer = io.StringIO()
        self.writer = csv.writer(self.buffer, delimiter=delimiter, lineterminator="\n")
        self.columns: list[str] = list(begun["columns"]) if begun else []
        self.names: dict[str, str] = dict(begun["names"]) if begun else {}
        self.left_out: set[str] = set()

    @property
    def begun(self) -> Columns | None:
        """Its columns, once it has a row."""
        return {"columns": self.columns, "names": self.names} if self.names else None

    def head(self) -> str:
        """The row with the names."""
        self.writer.writerow([*self.columns, *self.names.values()])
        return self._written()

    def line(self, record: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
        """One row, after the names if it is the first."""
        shown = {name: value for name, value in answer.items() if name != "probabilities"}
        if not self.names:
            self.names = {name: f"{name}_answered" if name in record else name for name in shown}
            self.columns = list(record)
            self.writer.writerow([*record, *self.names.values()])
        if record.keys() - self.columns - self.left_out:
            self._tell(name for name in record if name not in self.columns and name not in self.left_out)
        cells = [_cell(record.get(name)) for name in self.columns]
        self.writer.writerow([*cells, *(_cell(shown.get(name)) for name in self.names)])
        return self._written()

    def _written(self) -> str:
        line = self.buffer.getvalue()
        self.buffer.seek(0)
        self.buffer.truncate()
        return line

    def _tell(self, names: Iterable[str]) -> None:
        """Warn of fields that have no column."""
        for name in names:
            self.left_out.add(name)
            text = f"the field '{name}' is not one of the first object; a table leaves it out, --format jsonl has it"
            warnings.warn(text, NlpipeWarning, 2)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json_text(value)


def draw_attention(pipeline: Pipeline, inputs: Iterator[Input], target: Path) -> Iterator[Input]:
    """Draw the attention over the first texts into the file ``target``; then all inputs, the first ones too.

    Raises:
        NlpipeError: the head has no attention, or the file cannot be written.
    """
    from nlpipe.report.attention_page import attention_of, page

    taken = list(islice(inputs, MAX_DRAWN))
    first = [item.text for item in taken]
    attention = attention_of(pipeline, first)
    records = [pipeline.task.record(None, pipeline.predict([text]), 0) for text in first]
    answers = [pipeline.task.line(record) for record in records]
    try:
        html = page(zip(first, answers, attention, strict=True), f"Attention of {pipeline.name}")
        target.write_text(html, encoding="utf-8")
    except OSError as error:
        raise NlpipeError(f"--attention {target}: {error.strerror or error}") from None
    return chain(taken, inputs)
