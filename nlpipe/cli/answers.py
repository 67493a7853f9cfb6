"""Texts in, answers out: what ``nlpipe predict`` reads and writes."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import chain, islice
from pathlib import Path
from typing import Any

from nlpipe.errors import NlpipeError
from nlpipe.pipeline import Pipeline
from nlpipe.pipeline.batches import BATCH
from nlpipe.yaml_reader import parse
from nlpipe.yaml_values import Place, spelling_hint, warn_of_octals

MAX_DRAWN = 50
"""Texts whose attention is drawn: people look at sentences, not at files."""


def read_texts(file: Path | None, form: str | None, field: str) -> Iterator[str]:
    """The texts of a file (also gzipped) or of standard input, one a line.

    Args:
        form: text, or jsonl (a string, or an object with the text in ``field``); None: as the file's name ends.

    Raises:
        NlpipeError: a line is not UTF-8, not JSON, or has no such field.
    """
    name = "standard input" if file is None or str(file) == "-" else str(file)
    as_json = form == "jsonl" if form else name.removesuffix(".gz").endswith(".jsonl")
    open_file = gzip.open if name.endswith(".gz") else open
    with sys.stdin.buffer if name == "standard input" else open_file(name, "rb") as lines:
        for number, raw in enumerate(lines, 1):
            try:
                text = raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\n").removesuffix("\r")
            except UnicodeDecodeError as error:
                raise NlpipeError(f"{name}:{number}: not UTF-8 at byte {error.start + 1}; convert it first") from None
            yield _field(text, field, f"{name}:{number}") if as_json else text


def _field(line: str, field: str, place: str) -> str:
    try:
        record = json.loads(line)
        text = record[field] if isinstance(record, dict) else record
    except json.JSONDecodeError as error:
        raise NlpipeError(f"{place}: not JSON: {error}") from None
    except KeyError:
        raise NlpipeError(f"{place}: no field '{field}'; say which with --field") from None
    if not isinstance(text, str):
        raise NlpipeError(f"{place}: invalid value {text!r}: expected a text")
    return text


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


def answer(pipeline: Pipeline, texts: Iterator[str], form: str) -> Iterator[str]:
    """The answers, batch by batch; an HTML page comes whole, at the end.

    Args:
        form: text (a line for each), jsonl (an object for each), html (entities marked).
    """
    documents: list[dict[str, Any]] = []
    for batch, predictions in pipeline.predict_stream(texts):
        lines = []
        for i, text in enumerate(batch):
            record = pipeline.task.record(None, predictions, i)
            if form == "html":
                documents.append({"text": text, "entities": record.get("entities", record.get("tokens"))})
            elif form == "jsonl":
                lines.append(json.dumps({"text": text, **record}, ensure_ascii=False) + "\n")
            else:
                lines.append(pipeline.task.line(record) + "\n")
        yield "".join(lines)
    if form == "html":
        from nlpipe.report.entity_page import entity_page

        yield entity_page(documents)


def n_best(pipeline: Pipeline, texts: Iterator[str], n: int) -> Iterator[str]:
    """The ``n`` best answers to each text as JSON Lines, batch by batch; log-probabilities in nats."""
    while batch := list(islice(texts, BATCH)):
        yield "".join(
            json.dumps({"text": text, "n_best": [asdict(answer) for answer in answers]}, ensure_ascii=False) + "\n"
            for text, answers in zip(batch, pipeline.n_best(batch, n), strict=True)
        )


def draw_attention(pipeline: Pipeline, texts: Iterator[str], target: Path) -> Iterator[str]:
    """Draw the attention over the first texts into the file ``target``; then all texts, the first ones too.

    Raises:
        NlpipeError: the head has no attention, or the file cannot be written.
    """
    from nlpipe.report.attention_page import attention_of, page

    first = list(islice(texts, MAX_DRAWN))
    attention = attention_of(pipeline, first)
    records = [pipeline.task.record(None, pipeline.predict([text]), 0) for text in first]
    answers = [pipeline.task.line(record) for record in records]
    try:
        html = page(zip(first, answers, attention, strict=True), f"Attention of {pipeline.name}")
        target.write_text(html, encoding="utf-8")
    except OSError as error:
        raise NlpipeError(f"--attention {target}: {error.strerror or error}") from None
    return chain(first, texts)
