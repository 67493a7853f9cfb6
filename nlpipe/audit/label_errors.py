"""Likely label errors of classification data: a list to look at, since many of them are right and only hard.

Each example gets the probabilities of a model that was not trained on it. It is listed where they speak for another
label at least as clearly as for that label's own examples on average: the off-diagonal cells of the confident joint of
Northcutt, Jiang and Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels".
"""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from nlpipe.audit.contents import Contents, Item, texts_of
from nlpipe.errors import DataError, NlpipeWarning
from nlpipe.stage import AnyStage
from nlpipe.wire import Labels, Text

FOLDS = 5
MOST_TRAINING = 20_000
"""Examples that the model of a fold is trained on at most, so that large data sets take minutes and not hours."""


@dataclass(frozen=True)
class Suspect:
    """An example of which the label may be wrong.

    Args:
        given: its label.
        suggested: the label that the held-out model holds for likely.
        probability: held-out probability of the given label.
        of_suggested: held-out probability of the suggested one.
    """

    item: Item
    given: str
    suggested: str
    probability: float
    of_suggested: float

    def record(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "item": self.item.record(), "given": self.given, "suggested": self.suggested,
            "probability": round(self.probability, 4), "of_suggested": round(self.of_suggested, 4),
        }  # fmt: skip


@dataclass(frozen=True)
class LabelErrors:
    """What the held-out models say about the labels.

    Args:
        accuracy: the share of the examples whose label is the most probable one, in [0, 1]: where it is low, most
            suspects are errors of the model.
        suspects: the most likely label errors first.
    """

    accuracy: float
    suspects: tuple[Suspect, ...]

    def record(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"accuracy": round(self.accuracy, 4), "suspects": [suspect.record() for suspect in self.suspects]}


def label_errors(contents: Contents) -> LabelErrors | None:
    """The likely label errors of all splits; None where targets are not labels or too few to train on."""
    places: list[tuple[str, int]] = []
    texts: list[str] = []
    given: list[str] = []
    keys: list[str] = []
    for name, split in contents.splits.items():
        if not isinstance(split.targets, Labels):
            return None
        places += [(name, i) for i in range(len(split))]
        texts += texts_of(split.inputs)
        given += split.targets.values
        keys += contents.keys[name]
    labels = sorted(set(given))
    code = {label: c for c, label in enumerate(labels)}
    codes = np.array([code[label] for label in given], dtype=np.int64)  # (N,)
    probabilities = held_out(texts, given, keys, labels)  # (N, C)
    own = probabilities[np.arange(len(codes)), codes]  # (N,)
    judged = ~np.isnan(own)
    if not judged.any():
        return None
    counts = np.bincount(codes[judged], minlength=len(labels))
    sums = np.bincount(codes[judged], weights=own[judged], minlength=len(labels))
    confident = np.where(counts > 0, sums / np.maximum(counts, 1), 2.0)  # (C,) mean over a label's own examples
    passing = np.where(probabilities >= confident, probabilities, -1.0)  # (N, C); comparisons with nan are False
    suggested = passing.argmax(axis=1)
    chosen = np.flatnonzero(judged & (passing.max(axis=1) >= 0) & (suggested != codes))
    order = chosen[np.argsort(own[chosen] - probabilities[chosen, suggested[chosen]], kind="stable")]
    found = [
        Suspect(
            contents.item(*places[i]), given[i], labels[j], float(own[i]), float(probabilities[i, j])
        )
        for i, j in zip(order.tolist(), suggested[order].tolist(), strict=True)
    ]  # fmt: skip
    likeliest = np.nan_to_num(probabilities[judged], nan=-1.0).argmax(axis=1)
    return LabelErrors(float((likeliest == codes[judged]).mean()), tuple(found))


def held_out(texts: list[str], given: list[str], keys: list[str], labels: list[str]) -> np.ndarray:
    """(N, C) probabilities of each label by TF-IDF and logistic regression that were not trained on the example.

    Texts of one key are in one fold. A label that a fold's training examples do not have is nan there.
    """
    from nlpipe.heads import LogisticRegression
    from nlpipe.pipeline import Pipeline
    from nlpipe.representations import TfIdf
    from nlpipe.tokenizers import Regex

    folds = _folds(given, keys)
    probabilities = np.full((len(texts), len(labels)), np.nan)
    column = {label: c for c, label in enumerate(labels)}
    for fold in range(FOLDS):
        train, held = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        if len(train) > MOST_TRAINING:
            train = train[np.argsort([_rank(keys[i]) for i in train.tolist()], kind="stable")[:MOST_TRAINING]]
        known = [given[i] for i in train.tolist()]
        if not len(held) or len(set(known)) < 2:
            continue
        stages: list[AnyStage] = [
            Regex(lowercase=True),
            TfIdf(ngrams=(1, 2), sublinear=True),
            LogisticRegression(C=10.0),
        ]
        pipeline = Pipeline(stages)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NlpipeWarning)
            try:
                pipeline.fit(Text([texts[i] for i in train.tolist()]), Labels(known))
            except DataError:  # no text has a word
                continue
            answers = pipeline.predict(Text([texts[i] for i in held.tolist()]))
        assert answers.probabilities is not None
        columns = [column[label] for label in answers.classes]
        probabilities[np.ix_(held, np.array(columns))] = answers.probabilities
    return probabilities


def _folds(given: list[str], keys: list[str]) -> np.ndarray:
    """(N,) the fold of each example: labels in proportion, equal texts together, whatever the order of the data."""
    first: dict[str, str] = {}
    for key, label in zip(keys, given, strict=True):
        first.setdefault(key, label)
    order = sorted(first, key=lambda key: (first[key], _rank(key)))
    fold = {key: place % FOLDS for place, key in enumerate(order)}
    return np.array([fold[key] for key in keys], dtype=np.int64)


def _rank(key: str) -> int:
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=7).digest()
    return int.from_bytes(digest, "big")
