"""What ``nlpipe predict`` writes: answers as lines, tables, JSON or pages."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import chain, islice
from pathlib import Path
from typing import Any

from nlpipe.cli.inputs import Input, batches
from nlpipe.errors import NlpipeError
from nlpipe.pipeline import Pipeline
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


def answer(pipeline: Pipeline, inputs: Iterator[Input], form: str) -> Iterator[str]:
    """The answers, batch by batch; an HTML page comes whole, at the end.

    Args:
        form: text (a line for each), jsonl (an object for each, with what the input has beside the text), csv or tsv
            (the rows of the input with the answers as further columns), conll (a word a line with its tag), html
            (entities marked).
    """
    documents: list[dict[str, Any]] = []
    table = Table("\t" if form == "tsv" else ",")
    for batch in batches(inputs):
        predictions = pipeline.predict([item.content for item in batch])
        lines = []
        for i, item in enumerate(batch):
            record = pipeline.task.record(None, predictions, i)
            if form == "html":
                documents.append({"text": item.text, "entities": record.get("entities", record.get("tokens"))})
            elif form == "jsonl":
                lines.append(json.dumps(_beside(item) | record, ensure_ascii=False) + "\n")
            elif form in ("csv", "tsv"):
                lines.append(table.line(_beside(item), record))
            elif form == "conll":
                words = predictions.values.tokens.words[i]
                lines += [f"{word}\t{tag}\n" for word, tag in zip(words, predictions.tags[i], strict=True)] + ["\n"]
            else:
                lines.append(" ".join(pipeline.task.line(record).splitlines()) + "\n")  # one line for each text
        yield "".join(lines)
    if form == "html":
        from nlpipe.report.entity_page import entity_page

        yield entity_page(documents)


def _beside(item: Input) -> dict[str, Any]:
    """The record of an input; the text alone where there is none."""
    return dict(item.record) if item.record else {"text": item.text}


class Table:
    """Rows of csv or tsv: the columns of the input, then those of the answer; the first row has the names."""

    def __init__(self, delimiter: str) -> None:
        self.buffer = io.StringIO()
        self.writer = csv.writer(self.buffer, delimiter=delimiter, lineterminator="\n")
        self.names: dict[str, str] = {}

    def line(self, record: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
        """One row, after the names if it is the first."""
        shown = {name: value for name, value in answer.items() if name != "probabilities"}
        if not self.names:
            self.names = {name: f"{name}_answered" if name in record else name for name in shown}
            self.writer.writerow([*record, *self.names.values()])
        self.writer.writerow([*map(_cell, record.values()), *(_cell(shown.get(name, "")) for name in self.names)])
        line = self.buffer.getvalue()
        self.buffer.seek(0)
        self.buffer.truncate()
        return line


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def n_best(pipeline: Pipeline, inputs: Iterator[Input], n: int) -> Iterator[str]:
    """The ``n`` best answers to each text as JSON Lines, batch by batch; log-probabilities in nats."""
    for batch in batches(inputs):
        best = pipeline.n_best([item.content for item in batch], n)
        yield "".join(
            json.dumps(_beside(item) | {"n_best": [asdict(each) for each in answers]}, ensure_ascii=False) + "\n"
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
