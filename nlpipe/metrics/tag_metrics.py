"""Scores of tagging, as sums over sentences: entities by exact match, in two readings, and single words.

Predicted tags that break IOB2 (``I-PER`` after ``O``) can be read in two ways. The scores differ by points where a
tagger is free to break the scheme, so both are given:

    f1             strict: only B-X begins an entity; what continues nothing belongs to none (seqeval's strict mode)
    f1_conlleval   what continues nothing begins an entity (the script conlleval; seqeval's usual mode)

``f1_overlap`` forgives borders: an entity is right where one of its type shares a word with it, one for one.

These are of the words as the data has them. ``f1_raw`` is of what the pipeline answers where it is given the texts and
splits them itself, as it is in use: entities in characters. Gold entities that the data's words cannot express are
missed in all of them.

Tjong Kim Sang and Buchholz 2000, "Introduction to the CoNLL-2000 Shared Task"; Nakayama 2018, seqeval.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from nlpipe import tag_schemes
from nlpipe.metrics.label_metrics import MOST_LABELS, accuracy, counts_by_class
from nlpipe.metrics.metric import Definition, Metric
from nlpipe.predictions import Predictions
from nlpipe.wire import Labels, Tags

Seen = frozenset[tuple[str, ...]] | None
"""Words, in lower case, of the entities of the training split; None where they are not known."""

STRICT = "entities of exactly the gold words and type; strict IOB2: only B- begins one; 0 where 0/0"
CONLLEVAL = "entities of exactly the gold words and type; a tag that continues nothing begins one; 0 where 0/0"
OVERLAP = "entities that share a word with a gold one of their type, one for one; strict IOB2; 0 where 0/0"
RAW = "entities of exactly the gold characters and type, in texts that the pipeline splits into words; 0 where 0/0"
WHAT = {
    "f1": "F1 of", "precision": "share of right ones among predicted", "recall": "share of right ones among gold",
}  # fmt: skip


def tagging_metrics(labels: Sequence[str], scheme: str, seen: Seen = None) -> list[Metric]:
    """All metrics of tags; the first gives the primary score.

    Args:
        labels: tags of the training split.
        scheme: IOB2, or none where tags mark no entities: each tag is then a class of its own.
        seen: what tells the entities that occur in training from those that do not; None leaves their scores out.
    """
    if scheme == "none":
        return [_by_word(accuracy()), _by_word(counts_by_class(labels))]
    types = sorted({tag[2:] for tag in labels if tag != "O"})
    return [entities(types, seen), _by_word(accuracy()), raw_entities()]


def strict_spans(tags: Sequence[str]) -> list[tag_schemes.Unit]:
    """Entities of well-formed IOB2 alone: B-X and the I-X after it."""
    units: list[tag_schemes.Unit] = []
    first, open_type = 0, ""
    for i, tag in enumerate([*tags, "O"]):
        role, kind = tag_schemes.parts(tag)
        if open_type and not (role == "I" and kind == open_type):
            units.append((first, i, open_type))
            open_type = ""
        if role == "B":
            first, open_type = i, kind
    return units


def entities(types: Sequence[str], seen: Seen = None) -> Metric:
    """Precision, recall and F1 of entities: strict, by type, as conlleval reads, of spans, overlaps, seen and unseen.

    An entity counts as seen if one of the training split has the same words, in lower case, whatever its type.
    """
    groups = ["", "_conlleval", "_spans", "_overlap"]
    if seen is not None:
        groups += ["_seen", "_unseen"]
    names = [*groups, *(f"[{kind}]" for kind in types[:MOST_LABELS])]
    place = {name: 3 * i for i, name in enumerate(names)}
    of_type = {kind: place[f"[{kind}]"] for kind in types[:MOST_LABELS]}

    def statistics(gold: Tags, predictions: Predictions[Tags]) -> sp.csr_matrix:
        rows: list[int] = []
        columns: list[int] = []

        def count(i: int, start: int, true: set[Any], predicted: set[Any], right: int | None = None) -> None:
            """Add the numbers of units that are right, predicted and gold to sentence ``i`` of a group."""
            matches = len(true & predicted) if right is None else right
            for offset, number in enumerate((matches, len(predicted), len(true))):
                rows.extend([i] * number)
                columns.extend([start + offset] * number)

        words = gold.tokens.words if gold.tokens is not None else None
        for i, (gold_tags, predicted_tags) in enumerate(zip(gold.values, predictions.values.values, strict=True)):
            true, predicted = set(strict_spans(gold_tags)), set(strict_spans(predicted_tags))
            count(i, 0, true, predicted)
            lenient = set(tag_schemes.to_spans(gold_tags)), set(tag_schemes.to_spans(predicted_tags))
            count(i, place["_conlleval"], *lenient)
            count(i, place["_spans"], {unit[:2] for unit in true}, {unit[:2] for unit in predicted})
            count(i, place["_overlap"], true, predicted, overlapping(true, predicted))
            for kind in {unit[2] for unit in true | predicted} & of_type.keys():
                gold_of_kind = {unit for unit in true if unit[2] == kind}
                count(i, of_type[kind], gold_of_kind, {unit for unit in predicted if unit[2] == kind})
            if seen is not None and words is not None:
                seen_units = {unit for unit in true | predicted if _surface(words[i], unit) in seen}
                count(i, place["_seen"], true & seen_units, predicted & seen_units)
                count(i, place["_unseen"], true - seen_units, predicted - seen_units)
            if gold.entities is not None and len(gold.entities[i]) > len(true):
                missed = Counter(kind for *_, kind in gold.entities[i]) - Counter(kind for *_, kind in true)
                starts = [place[name] for name in groups if name != "_seen"] * missed.total()
                starts += [of_type[kind] for kind in missed.elements() if kind in of_type]
                rows.extend([i] * len(starts))
                columns.extend(start + 2 for start in starts)
        shape = (len(gold.values), 3 * len(names))
        return sp.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)  # equal places are summed

    def scores(sums: np.ndarray) -> dict[str, np.ndarray]:
        by_name: dict[str, np.ndarray] = {}
        for name, start in place.items():
            right, predicted, gold = (sums[..., start + k] for k in range(3))
            by_name |= {
                f"f1{name}": _ratio(2 * right, predicted + gold),
                f"precision{name}": _ratio(right, predicted),
                f"recall{name}": _ratio(right, gold),
            }
        return by_name

    return Metric("entities", statistics, scores, _definitions(groups, types))


def raw_entities() -> Metric:
    """Precision, recall and F1 of entities in characters, where the pipeline is given texts and splits them itself."""

    def statistics(gold: Tags, predictions: Predictions[Tags]) -> np.ndarray:
        predicted = predictions.values.entities
        assert gold.entities is not None and predicted is not None
        pairs = [(set(true), set(found)) for true, found in zip(gold.entities, predicted, strict=True)]
        counts = [(len(true & found), len(found), len(true)) for true, found in pairs]
        return np.array(counts, dtype=np.float64).reshape(-1, 3)  # (B, 3)

    def scores(sums: np.ndarray) -> dict[str, np.ndarray]:
        right, predicted, gold = (sums[..., k] for k in range(3))
        return {
            "f1_raw": _ratio(2 * right, predicted + gold),
            "precision_raw": _ratio(right, predicted),
            "recall_raw": _ratio(right, gold),
        }

    definitions = {f"{score}_raw": Definition(f"{score}_raw: {what} {RAW}") for score, what in WHAT.items()}
    return Metric("raw_entities", statistics, scores, definitions, needs_raw=True)


def overlapping(gold: set[tag_schemes.Unit], predicted: set[tag_schemes.Unit]) -> int:
    """The largest number of pairs, one unit of each set, that share a word and a type; no unit is in two pairs.

    Within each set no two units of a type overlap, so that pairing from left to right is optimal.
    """
    pairs = 0
    for kind in {unit[2] for unit in gold} & {unit[2] for unit in predicted}:
        left, right = (sorted(unit[:2] for unit in units if unit[2] == kind) for units in (gold, predicted))
        i = j = 0
        while i < len(left) and j < len(right):
            if left[i][0] < right[j][1] and right[j][0] < left[i][1]:
                pairs, i, j = pairs + 1, i + 1, j + 1
            elif left[i][1] <= right[j][0]:
                i += 1
            else:
                j += 1
    return pairs


def _definitions(groups: Sequence[str], types: Sequence[str]) -> dict[str, Definition]:
    meanings = {
        "": STRICT,
        "_conlleval": CONLLEVAL,
        "_spans": STRICT.replace(" and type", ", whatever the type"),
        "_overlap": OVERLAP,
        "_seen": f"{STRICT}; of those whose words, in lower case, are an entity of the training split",
        "_unseen": f"{STRICT}; of those whose words, in lower case, are no entity of the training split",
    }
    definitions = {}
    for score, what in WHAT.items():
        for group in groups:
            name = f"{score}{group}"
            definitions[name] = Definition(f"{name}: {what} {meanings[group]}")
        for kind in types[:MOST_LABELS]:
            name = f"{score}[{kind}]"
            definitions[name] = Definition(f"{name}: {what} {STRICT}; type {kind}")
    return definitions


def _surface(words: Sequence[str], unit: tag_schemes.Unit) -> tuple[str, ...]:
    return tuple(word.lower() for word in words[unit[0] : unit[1]])


def _by_word(metric: Metric) -> Metric:
    """A metric of labels over all words, summed for each sentence."""

    def statistics(gold: Tags, predictions: Predictions[Tags]) -> sp.csr_matrix:
        lengths = np.array([len(tags) for tags in gold.values], dtype=np.int64)
        predicted = Labels([tag for tags in predictions.values.values for tag in tags])
        by_word = metric.statistics(
            Labels([tag for tags in gold.values for tag in tags]), Predictions(predicted)
        )  # (N, S)
        ends = np.concatenate([[0], np.cumsum(lengths)])
        sentences = sp.csr_matrix((np.ones(ends[-1]), np.arange(ends[-1]), ends), shape=(len(lengths), ends[-1]))
        return sp.csr_matrix(sentences @ by_word)  # (B, S)

    definitions = {
        name: replace(score, full_name=score.full_name.replace("examples", "words").replace("label", "tag"))
        for name, score in metric.definitions.items()
    }
    return Metric(metric.name, statistics, metric.scores, definitions)


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Their quotient; 0 where it is 0/0."""
    return np.asarray(np.divide(above, below, out=np.zeros(np.shape(above)), where=np.asarray(below) > 0))
