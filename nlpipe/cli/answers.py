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


def lines_of(file: Path | None, given: str | None, field: str) -> Iterator[str]:
    """Texts of a file (also gzipped) or of standard input, one a line; in JSON Lines, objects with a text."""
    where = "standard input" if file is None or str(file) == "-" else str(file)
    open_file = gzip.open if where.endswith(".gz") else open
    as_json = given == "jsonl" if given else where.removesuffix(".gz").endswith(".jsonl")
    with sys.stdin.buffer if where == "standard input" else open_file(where, "rb") as handle:
        for number, raw in enumerate(handle, 1):
            try:
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\n").removesuffix("\r")
            except UnicodeDecodeError as error:
                raise NlpipeError(f"{where}:{number}: not UTF-8 at byte {error.start + 1}; convert it first") from None
            if as_json:
                try:
                    record = json.loads(line)
                    line = record[field] if isinstance(record, dict) else record
                except json.JSONDecodeError as error:
                    raise NlpipeError(f"{where}:{number}: not JSON: {error}") from None
                except KeyError:
                    raise NlpipeError(f"{where}:{number}: no field '{field}'; say which with --field") from None
                if not isinstance(line, str):
                    raise NlpipeError(f"{where}:{number}: {line!r} is not a text")
            yield line


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
    """What is written, batch by batch; an html page at the end, as one.

    Args:
        form: text (a line for each), jsonl (an object for each), html (entities marked).
    """
    marked: list[dict[str, Any]] = []
    for batch, predictions in pipeline.predict_stream(texts):
        written = []
        for i, text in enumerate(batch):
            record = pipeline.task.record(None, predictions, i)
            if form == "html":
                marked.append({"text": text, "entities": record.get("entities", record.get("tokens"))})
            elif form == "jsonl":
                written.append(json.dumps({"text": text, **record}, ensure_ascii=False) + "\n")
            else:
                written.append(pipeline.task.line(record) + "\n")
        yield "".join(written)
    if form == "html":
        from nlpipe.report.entity_page import entity_page

        yield entity_page(marked)


def several(pipeline: Pipeline, texts: Iterator[str], n: int) -> Iterator[str]:
    """The ``n`` best answers to each text as JSON Lines, batch by batch; log-probabilities in nats."""
    while batch := list(islice(texts, BATCH)):
        yield "".join(
            json.dumps({"text": text, "n_best": [asdict(each) for each in found]}, ensure_ascii=False) + "\n"
            for text, found in zip(batch, pipeline.n_best(batch, n), strict=True)
        )


def draw_attention(pipeline: Pipeline, texts: Iterator[str], target: Path) -> Iterator[str]:
    """The same texts again, once the attention over the first of them is drawn into ``target``."""
    from nlpipe.report.attention_page import attention_of, page

    most = 50  # single sentences are looked at, not files
    first = list(islice(texts, most))
    found = attention_of(pipeline, first)
    records = [pipeline.task.record(None, pipeline.predict([text]), 0) for text in first]
    answers = [pipeline.task.line(record) for record in records]
    try:
        drawn = page(zip(first, answers, found, strict=True), f"Attention of {pipeline.name}")
        target.write_text(drawn, encoding="utf-8")
    except OSError as error:
        raise NlpipeError(f"--attention {target}: {error.strerror or error}") from None
    return chain(first, texts)
