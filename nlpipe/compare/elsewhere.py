"""Answers that something else gave to the test items, as the folder of a run: the same scores and the same tests."""

from __future__ import annotations

import csv
import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nlpipe import tag_schemes
from nlpipe.capabilities import Fills
from nlpipe.compare.question import COSTS
from nlpipe.datasets.dataset import Dataset
from nlpipe.datasets.readers.json_lines import values_of
from nlpipe.datasets.readers.lines import file_origin, read_lines
from nlpipe.datasets.splits import example_ids, plain
from nlpipe.errors import DataError, suggest
from nlpipe.files import whole_file, whole_folder, write_json
from nlpipe.json_reader import Number
from nlpipe.labels import clean_label
from nlpipe.runs.environment import made_with
from nlpipe.runs.ledger import begin_ledger
from nlpipe.runs.records import CostsFile, ScoringFile, read_record
from nlpipe.runs.score import score
from nlpipe.spec.given_answers import OF_RUN, AnswersSpec
from nlpipe.tasks.entity_spans import apart, at_words, read_entities
from nlpipe.tasks.multilabel import Multilabel, label_items
from nlpipe.tasks.task import Row
from nlpipe.threads import thread_count
from nlpipe.wire import Labels, LabelSets, Tags, Tokens, Wire

Answer = Mapping[str, Any]
SOURCES = ("text", "source", "words")
"""Keys of an answer that repeat its item, by which one that stands at another's place is found."""


def items_of(inputs: Wire) -> Iterator[dict[str, Any]]:
    """The inputs of a split as ``nlpipe export-items`` writes them: ``id`` and ``text``, and ``words`` where they are
    split."""
    for i, (name, content) in enumerate(zip(example_ids(inputs), plain(inputs), strict=True)):
        item = {"id": name, "text": inputs.texts[i] if isinstance(inputs, Tokens) else content}
        yield {**item, "words": content} if isinstance(inputs, Tokens) else item


def take_in(spec: AnswersSpec, dataset: Dataset, out: Path) -> Path:
    """The folder of a run with the answers of a file; made if it is not there.

    Raises:
        DataError: the file cannot be read, or has not one valid answer for each test item.
    """
    content = Path(spec.file).read_bytes()
    costs: dict[str, Any] = {COSTS[name].record: value / COSTS[name].scale for name, value in spec.costs.items()}
    costs = {**_costs_of_run(Path(spec.file)), **costs}
    known = json.dumps([dataset.digest, spec.name, costs], sort_keys=True).encode()
    folder = out / f"{spec.name}-{hashlib.sha256(content + known).hexdigest()[:12]}"
    if (folder / "metrics.json").exists():
        return folder
    answers = _aligned(list(_read(spec.file)), dataset, spec.file)
    records, messages = _records(answers, dataset, spec.file)
    scoring: ScoringFile = {
        "task": dataset.task.name, "labels": list(dataset.labels), "ordinal": dataset.ordinal, "split": "test",
        "state": dataset.task.state(),
    }  # fmt: skip
    with whole_folder(folder) as partial:
        with whole_file(partial / "predictions.jsonl") as file:
            lines = [json.dumps(record, ensure_ascii=False) + "\n" for record in records]
            file.write_text("".join(lines), encoding="utf-8")
        write_json(partial / "costs.json", costs)
        write_json(partial / "scoring.json", scoring)
        write_json(partial / "ledger.json", begin_ledger(dataset, messages))
        write_json(partial / "environment.json", {
            **made_with(), "name": spec.name, "task": dataset.task.name, "data": dataset.name,
            "data_digest": dataset.digest, "split": "test", "seed": 0, "train_examples": 0,
            "labels": list(dataset.labels), "ordinal": dataset.ordinal, "threads": thread_count(),
            "wall_seconds_of_fit": 0.0, "answers": spec.file,
        })  # fmt: skip
        score(partial)
    return folder


def _costs_of_run(file: Path) -> dict[str, Any]:
    """The costs that were measured of the run whose answers ``file`` has; empty where it is not that of a run."""
    beside = file.with_name("costs.json")
    return {**read_record(beside, CostsFile)} if file.name == OF_RUN and beside.is_file() else {}


def _read(path: str) -> Iterator[tuple[int, Answer]]:
    """Line number and answer of every record: JSON Lines, CSV and TSV with names, or a text with one answer a line.

    Raises:
        DataError: the file is not UTF-8, or a line is not in its format.
    """
    origin, suffix = file_origin(Path(path)), Path(path.removesuffix(".gz")).suffix.lower()
    if suffix in (".csv", ".tsv"):
        reader = csv.DictReader(read_lines(origin, "utf-8"), delimiter="\t" if suffix == ".tsv" else ",")
        for row in reader:
            yield reader.line_num, {name: value for name, value in row.items() if name and value is not None}
    elif suffix in (".jsonl", ".json", ".ndjson"):
        for number, value in values_of(origin, "utf-8"):
            yield number, value if isinstance(value, dict) else {"predicted": value}
    else:
        for number, line in enumerate(read_lines(origin, "utf-8"), 1):
            yield number, {"predicted": line.rstrip("\r\n")}


def _aligned(answers: list[tuple[int, Answer]], dataset: Dataset, path: str) -> list[tuple[int, Answer]]:
    """The answers in the order of the test items, by their ids if they have some.

    Raises:
        DataError: an item has no answer or several, or an answer is to another text.
    """
    inputs = dataset.test.inputs
    names = example_ids(inputs)
    remedy = f"'nlpipe export-items' writes the {len(names):,} test items of {dataset.name}"
    with_id = [answer for _, answer in answers if "id" in answer]
    if with_id and len(with_id) < len(answers):
        line = next(line for line, answer in answers if "id" not in answer)
        raise DataError(f"{path}:{line}: no 'id', where other lines have one")
    if with_id:
        by_id = {str(answer["id"]): (line, answer) for line, answer in answers}
        twice = [name for name, count in Counter(str(answer["id"]) for answer in with_id).items() if count > 1]
        missing, unknown = [name for name in names if name not in by_id], sorted(by_id.keys() - set(names))
        for what, ids in (("items are answered twice", twice), ("items have no answer", missing),
                          ("ids are not those of test items", unknown)):  # fmt: skip
            if ids:
                raise DataError(f"{path}: {len(ids):,} {what}, the first '{ids[0]}'; {remedy}")
        answers = [by_id[name] for name in names]
    elif len(answers) != len(names):
        raise DataError(f"{path}: {len(answers):,} answers to {len(names):,} test items; {remedy}")
    for i, ((line, answer), item) in enumerate(zip(answers, items_of(inputs), strict=True)):
        for key in SOURCES:
            asked = item["words"] if key == "words" and "words" in item else item["text"]
            if key in answer and answer[key] != asked and isinstance(answer[key], str | list):
                given = repr(answer[key])
                raise DataError(
                    f"{path}:{line}: '{key}' is {given[:60]}, where test item {i + 1} is {asked!r:.60}; the answers "
                    f"are in another order, or to other data; {remedy}"
                )
    return answers


def _records(
    answers: Sequence[tuple[int, Answer]], dataset: Dataset, path: str
) -> tuple[list[dict[str, Any]], list[str]]:
    """The lines of ``predictions.jsonl``, and sentences about what is doubtful.

    Raises:
        DataError: an answer is not one of the task.
    """
    if dataset.task.capability is Fills:
        raise DataError(
            f"{path}: {dataset.task.name} has no answers from elsewhere: each run hides words of its own choice"
        )
    targets, inputs = dataset.test.targets, dataset.test.inputs
    names, records = example_ids(inputs), []
    unknown: Counter[str] = Counter()
    between = 0
    for i, (line, answer) in enumerate(answers):
        place = f"{path}:{line}"
        record: dict[str, Any] = {"id": names[i]}
        if dataset.test.groups is not None:
            record["group"] = dataset.test.groups[i]
        if isinstance(targets, Tags):
            assert isinstance(inputs, Tokens)
            tags, lost = _tags(answer, inputs, i, place)
            between += lost
            record |= {"words": inputs.words[i], "gold": targets.values[i], "predicted": tags}
            if targets.entities is not None:
                record["entities"] = {"gold": [list(entity) for entity in targets.entities[i]]}
        elif dataset.task.capability is not None:
            record |= {"gold": plain(targets)[i], "score": _log_probability(answer, place)}
        elif isinstance(targets, LabelSets):
            record |= {"gold": targets.values[i], "predicted": (own := _label_set(answer, dataset, place))}
            unknown.update(label for label in own if label not in dataset.labels)
            if probabilities := _probabilities(answer, dataset.labels, place):
                record["probabilities"] = probabilities
        else:
            value = answer.get("predicted")
            if not isinstance(value, str):
                raise DataError(f"{place}: 'predicted' is {value!r:.60}; expected {_expected(targets)}")
            value = clean_label(str(value)) if isinstance(targets, Labels) else value
            gold = targets.values[i] if isinstance(targets, Labels) else plain(targets)[i]
            record |= {"gold": gold, "predicted": value}
            if isinstance(targets, Labels) and value not in dataset.labels:
                unknown[value] += 1
            if isinstance(targets, Labels) and (probabilities := _probabilities(answer, dataset.labels, place)):
                record["probabilities"] = probabilities
        records.append(record)
    if not all("probabilities" in record for record in records):
        for record in records:
            record.pop("probabilities", None)
    several = isinstance(targets, LabelSets)
    if unknown and unknown.total() == sum(len(record["predicted"]) if several else 1 for record in records):
        first = next(iter(unknown))
        raise DataError(f"{path}: no answer is a label of {dataset.name}, the first '{first}'; {_known(dataset)}")
    what, end = ("have the label", "which is unknown") if several else ("are", "which is not a label, and are wrong")
    messages = [
        f"{count:,} answers {what} '{label}', {end}{suggest(label, dataset.labels)}"
        for label, count in unknown.most_common(5)
    ]
    if between:
        messages.append(f"{between:,} entities of the answers do not end where words do and were left out")
    return records, messages


def _log_probability(answer: Answer, place: str) -> float:
    """The log-probability of a text in nats: ``score`` or ``log_probability``, or all of the line.

    Raises:
        DataError: there is none, or it is that of no probability.
    """
    value = next((answer[key] for key in ("score", "log_probability", "predicted") if key in answer), None)
    try:
        number = float(value) if isinstance(value, str | Number) else math.nan
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number <= 0):
        raise DataError(
            f"{place}: 'score' is {value!r:.60}; expected the log-probability of the whole text in nats, 0 or below"
        )
    return number


def _known(dataset: Dataset) -> str:
    shown = ", ".join(dataset.labels[:20])
    return f"the labels are {shown}" + (" …" if len(dataset.labels) > 20 else "")


def _label_set(answer: Answer, dataset: Dataset, place: str) -> list[str]:
    """The labels of an answer: a list of them, or a text with the data's separator or ``|`` between them.

    Raises:
        DataError: they are none.
    """
    value = answer.get("predicted")
    assert isinstance(dataset.task, Multilabel)
    if isinstance(value, str) and not value.lstrip().startswith("["):
        separator = dataset.task.separator or "|"
        value = [value] if value in dataset.labels else [part for part in value.split(separator) if part.strip()]
    elif isinstance(value, str):  # a list in one field, as tables have it
        value = label_items(value, "", place)
    if not isinstance(value, list) or not all(isinstance(label, str) for label in value):
        raise DataError(f"{place}: 'predicted' is {value!r:.60}; expected a list of labels")
    return sorted({clean_label(label) for label in value})


def _expected(targets: Wire) -> str:
    return "a label" if isinstance(targets, Labels) else "a text"


def _probabilities(answer: Answer, labels: Sequence[str], place: str) -> dict[str, float]:
    """The probability of each label; empty where the answer has none.

    Raises:
        DataError: there is one that is not a number from 0 to 1, or not of a label.
    """
    given = answer.get("probabilities")
    if not isinstance(given, Mapping):
        return {}
    for label, value in given.items():
        if not isinstance(value, Number) or not 0 <= float(value) <= 1:
            raise DataError(f"{place}: probability of '{label}' is {value!r}; expected a number from 0 to 1")
        if label not in labels:
            known = f"which is not a label of the data{suggest(label, labels)}"
            raise DataError(f"{place}: there is a probability of '{label}', {known}")
    return {label: float(given.get(label, 0.0)) for label in labels}


def _tags(answer: Answer, inputs: Tokens, i: int, place: str) -> tuple[list[str], int]:
    """The tag of each word, from ``predicted`` or from ``entities`` in characters of the item's text, and how many of
    these no words express.

    Raises:
        DataError: they are not as many as the words, or an entity does not end where words do.
    """
    words = inputs.words[i]
    if "predicted" not in answer and "entities" in answer:
        row = Row({"text": inputs.texts[i], "entities": answer["entities"]}, place, 0)
        entities, faults = read_entities(row, lambda label, where: label, lambda name, example: None)
        if faults:
            raise DataError(faults[0])
        units, others = at_words(entities, inputs.spans(i))
        return tag_schemes.from_spans(apart(units)[0], len(words), "IOB2"), len(others)
    value = answer.get("predicted")
    if isinstance(value, str):
        value = value.split()
    if not isinstance(value, list) or not all(isinstance(tag, str) for tag in value):
        raise DataError(f"{place}: 'predicted' is {value!r:.60}; expected a list of tags, or 'entities' in characters")
    if len(value) != len(words):
        raise DataError(f"{place}: {len(value)} tags for {len(words)} words")
    return [clean_label(tag) for tag in value], 0
