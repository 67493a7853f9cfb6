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
from typing import Any

import numpy as np

from nlpipe.cli.inputs import Input, batches
from nlpipe.errors import NlpipeError, NlpipeWarning
from nlpipe.json_reader import json_text
from nlpipe.pipeline import Pipeline
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


def answer(pipeline: Pipeline, inputs: Iterator[Input], form: str, threshold: float | None = None) -> Iterator[str]:
    """The answers, batch by batch; an HTML page comes whole, at the end.

    Args:
        form: text (a line for each), jsonl (an object for each, with what the input has beside the text), csv or tsv
            (the rows of the input with the answers as further columns), conll (a word a line, with the columns that
            the input has, and its tag), html (entities marked).
        threshold: the confidence below which the line of an answer says ``unsure``; objects and rows then have
            ``confidence`` and ``unsure`` too, and what was answered.

    Raises:
        NlpipeError: there is a threshold, and the answers have no confidence.
    """
    documents: list[dict[str, Any]] = []
    table = Table("\t" if form == "tsv" else ",")
    for batch in batches(inputs):
        predictions = pipeline.predict([item.content for item in batch])
        confidence = None if threshold is None else _confidence(predictions, pipeline)
        lines = []
        for i, item in enumerate(batch):
            record = pipeline.task.record(None, predictions, i)
            unsure = False
            if confidence is not None and threshold is not None:
                unsure = bool(confidence[i] < threshold)
                record |= {"confidence": float(f"{confidence[i]:.6g}"), "unsure": unsure}
            if form == "html":
                documents.append({"text": item.text, "entities": record.get("entities", record.get("tokens"))})
            elif form == "jsonl":
                lines.append(_json_line(item, record))
            elif form in ("csv", "tsv"):
                lines.append(table.line(_beside(item), record))
            elif form == "conll":
                tokens = predictions.values.tokens
                words = [[tokens.texts[i][start:end]] for start, end in tokens.spans(i)]  # as they are written
                for columns, tag in zip(item.lines or words, predictions.tags[i], strict=True):
                    lines.append("\t".join(" ".join(column.split()) for column in columns) + f"\t{tag}\n")
                lines.append("\n")
            elif unsure:
                lines.append(f"unsure\t{record['confidence']:.4f}\n")
            else:
                lines.append(" ".join(pipeline.task.line(record).splitlines()) + "\n")  # one line for each text
        yield "".join(lines)
    if form == "html":
        from nlpipe.report.entity_page import entity_page

        yield entity_page(documents)


def _confidence(predictions: AnyPredictions, pipeline: Pipeline) -> np.ndarray:
    if predictions.confidence is None:
        raise NlpipeError(
            f"--threshold: the head '{written_name(pipeline.head)}' gives no probabilities, so that its answers have "
            "no confidence"
        )
    return predictions.confidence


def _beside(item: Input) -> dict[str, Any]:
    """The record of an input; the text alone where there is none."""
    return dict(item.record) if item.record else {"text": item.text}


def _json_line(item: Input, answer: Mapping[str, Any]) -> str:
    """The record of an input with the answer, as JSON; what it has under the same name is kept."""
    record = _beside(item)
    added = {f"{name}_answered" if name in record else name: value for name, value in answer.items()}
    return f"{json_text(record)[:-1]}, {json.dumps(added, ensure_ascii=False)[1:]}\n"


class Table:
    """Rows of csv or tsv: the columns of the first input, then those of the answer; the first row has the names."""

    def __init__(self, delimiter: str) -> None:
        self.buffer = io.StringIO()
        self.writer = csv.writer(self.buffer, delimiter=delimiter, lineterminator="\n")
        self.columns: list[str] = []
        self.names: dict[str, str] = {}
        self.left_out: set[str] = set()

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


def n_best(pipeline: Pipeline, inputs: Iterator[Input], n: int) -> Iterator[str]:
    """The ``n`` best answers to each text as JSON Lines, batch by batch; log-probabilities in nats."""
    for batch in batches(inputs):
        best = pipeline.n_best([item.content for item in batch], n)
        yield "".join(
            _json_line(item, {"n_best": [asdict(each) for each in answers]})
            for item, answers in zip(batch, best, strict=True)
        )


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
