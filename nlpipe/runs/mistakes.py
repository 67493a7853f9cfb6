"""Where a run's answers are wrong: the worst ones first, what is taken for what, and each class or type of entity."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nlpipe.errors import NlpipeError
from nlpipe.predictions import Predictions
from nlpipe.runs.item_texts import data_as_it_is, stored, texts_of
from nlpipe.runs.items import read_items
from nlpipe.runs.mistake_records import Found, Group, Kind, Mistake, Mistakes, confusions_of, groups_of, groups_of_sets
from nlpipe.runs.records import read_environment
from nlpipe.runs.score import metrics_of, read_answers, read_predictions, read_scoring, task_of
from nlpipe.runs.tag_mistakes import of_entities, of_tags
from nlpipe.wire import Labels, LabelSets, Tags, Text

LENGTHS = (5, 10, 20)
"""Words of the reference up to which a text belongs to a group."""
REPEATED = re.compile(r"(?<!\S)(\S+(?: \S+){0,3})(?: \1){2,}(?!\S)")
"""One to four words three times in a row."""


def find_mistakes(folder: str | Path) -> Mistakes:
    """Where the answers in a run's folder, or in that of an evaluation, are wrong.

    Raises:
        NlpipeError: the folder is not that of a run, a file is missing or damaged, or the answers of its task are
            neither labels, tags nor texts.
    """
    folder = Path(folder)
    environment, scoring = read_environment(folder), read_scoring(folder)
    gold, predictions = read_answers(folder / "predictions.jsonl", task_of(scoring))
    records = read_predictions(folder / "predictions.jsonl")
    texts, note = _texts(folder, records)
    if isinstance(gold, Labels):
        result = _of_labels(gold, predictions)
    elif isinstance(gold, LabelSets):
        result = _of_label_sets(gold, predictions)
    elif isinstance(gold, Tags):
        marked = any(metric.name == "entities" for metric in metrics_of(scoring))
        result = of_entities(gold, predictions) if marked else of_tags(gold, predictions)
    elif task_of(scoring).capability is not None:
        raise NlpipeError(
            f"{folder}: a language model gives probabilities, not answers that are right or wrong; 'nlpipe score RUN "
            "--file TEXTS --format html' shows which words it did not expect"
        )
    elif isinstance(gold, Text):
        result = _of_texts(folder, gold, predictions, texts)
    else:
        raise NlpipeError(f"{folder}: the answers of the task {scoring['task']} are neither labels, tags nor texts")
    worst = tuple(
        Mistake(i + 1, str(records[i].get("id", "")), texts[i], wanted, answered, value)
        for i, value, wanted, answered in result.worst
    )
    return Mistakes(
        folder, environment["name"], environment["data"], scoring["split"], len(records), len(worst), result.measure,
        worst, result.confusions, result.groups, result.kinds, note,
    )  # fmt: skip


def _texts(folder: Path, records: Sequence[Mapping[str, Any]]) -> tuple[list[str], str]:
    """The input of each record: as it is stored, or out of the data; where that cannot be read empty, and why."""
    try:
        dataset = None if stored(records) else data_as_it_is(folder)
    except NlpipeError as error:
        reason = str(error).partition("\n")[0]
        return [""] * len(records), f"the texts are not shown, as the data cannot be read: {reason}"
    texts = texts_of(dataset, records)
    missing = sum(not text for text in texts)
    return texts, f"{missing:,} texts are not shown, as they are not in the data as it is now" if missing else ""


def _of_labels(gold: Labels, predictions: Predictions[Labels]) -> Found:
    answers = predictions.values.values
    wrong = [i for i, (label, answer) in enumerate(zip(gold.values, answers, strict=True)) if label != answer]
    values: dict[int, float | None] = dict.fromkeys(wrong)
    measure = "their order in the data, as the answers have no probabilities"
    if predictions.probabilities is not None:
        measure = "the probability of the gold label"
        columns = {label: c for c, label in enumerate(predictions.classes)}
        for i in wrong:
            column = columns.get(gold.values[i])
            values[i] = 0.0 if column is None else float(predictions.probabilities[i][column])
        wrong.sort(key=lambda i: (values[i] or 0.0, i))
    elif predictions.scores is not None:
        measure = "the score of the wrong label"
        values = {i: float(predictions.scores[i]) for i in wrong}
        wrong.sort(key=lambda i: (-(values[i] or 0.0), i))
    right = Counter(label for label, answer in zip(gold.values, answers, strict=True) if label == answer)
    return Found(
        measure, tuple((i, values[i], gold.values[i], answers[i]) for i in wrong),
        confusions_of(Counter((gold.values[i], answers[i], True) for i in wrong)),
        groups_of(Counter(gold.values), Counter(answers), right),
    )  # fmt: skip


def _of_label_sets(gold: LabelSets, predictions: Predictions[LabelSets]) -> Found:
    """Texts some of whose labels are missing or wrong; what is missing beside what was given in its place."""
    answers = predictions.values.values
    wrong = [i for i, (labels, answer) in enumerate(zip(gold.values, answers, strict=True)) if labels != answer]
    values: dict[int, float | None] = dict.fromkeys(wrong)
    measure = "their order in the data, as the answers have no probabilities"
    if predictions.probabilities is not None:
        measure = "the probability of the gold decision on the label that it is lowest for"
        own = np.where(gold.matrix(predictions.classes), predictions.probabilities, 1.0 - predictions.probabilities)
        values = {i: 0.0 if set(gold.values[i]) - set(predictions.classes) else float(own[i].min()) for i in wrong}
        wrong.sort(key=lambda i: (values[i] or 0.0, i))
    pairs: Counter[tuple[str, str, bool]] = Counter()
    for i in wrong:
        missing, added = set(gold.values[i]) - set(answers[i]), set(answers[i]) - set(gold.values[i])
        pairs.update((one, other, True) for one in missing or {""} for other in added or {""})
    return Found(
        measure, tuple((i, values[i], ", ".join(gold.values[i]), ", ".join(answers[i])) for i in wrong),
        confusions_of(pairs), groups_of_sets(gold.values, answers),
    )  # fmt: skip


def _of_texts(folder: Path, gold: Text, predictions: Predictions[Text], sources: Sequence[str]) -> Found:
    """Texts, by their own chrF, from the statistics that are stored of each."""
    metric = next(each for each in metrics_of(read_scoring(folder)) if "chrf" in each.definitions)
    items = read_items(folder / "items.safetensors", metric.name)
    if not isinstance(items, np.ndarray) or len(items) != len(gold):
        raise NlpipeError(f"{folder / 'items.safetensors'}: not the statistics of these answers; score the run again")
    values = metric.scores(items)["chrf"]  # (N,)
    answers = predictions.values.strings
    same = [wanted.strip() == answer.strip() for wanted, answer in zip(gold.strings, answers, strict=True)]
    worst = sorted((i for i in range(len(gold)) if not same[i]), key=lambda i: (values[i], -len(gold.strings[i]), i))
    counts = np.array([len(text.split()) for text in gold.strings])
    groups = []
    for low, high in zip((0, *LENGTHS), (*LENGTHS, None), strict=True):
        within = (counts > low) if high is None else (counts > low) & (counts <= high)
        if low == 0:
            within |= counts == 0
        if within.any():
            name = f"{low + 1} or more words" if high is None else f"{low + 1} to {high} words"
            right = sum(same[i] for i in np.flatnonzero(within))
            groups.append(Group(name, int(within.sum()), None, right, metric.of(items[within])["chrf"]))
    kinds: Counter[str] = Counter()
    for i in worst:
        kinds.update(_kinds(sources[i], gold.strings[i], answers[i]))
    return Found(
        "their chrF", tuple((i, float(values[i]), gold.strings[i], answers[i]) for i in worst), (), tuple(groups),
        tuple(Kind(what, count) for what, count in kinds.most_common()),
    )  # fmt: skip


def _kinds(source: str, gold: str, answer: str) -> list[str]:
    """The kinds of mistake that a text shows."""
    if not answer.strip():
        return ["empty"]
    kinds = []
    if source.strip() and answer.strip() == source.strip():
        kinds.append("the source itself")
    if 2 * len(answer) < len(gold):
        kinds.append("less than half as long as the reference")
    elif len(answer) > 2 * len(gold):
        kinds.append("more than twice as long as the reference")
    if REPEATED.search(answer) and not REPEATED.search(gold):
        kinds.append("words three times in a row")
    return kinds
