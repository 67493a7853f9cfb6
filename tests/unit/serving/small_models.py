"""Small models for the tests of the server, one for each kind of answer."""

from __future__ import annotations

import math
from pathlib import Path

from nlpipe.heads import LogisticRegression, NaiveBayes, TranslationMemory
from nlpipe.pipeline import Pipeline
from nlpipe.representations import BagOfWords, TfIdf, Window
from nlpipe.stage import AnyStage, LabelHead
from nlpipe.tokenizers import Regex

TEXTS = ["a fine warm film", "a dull cold film", "fine and warm", "dull and cold"] * 5
LABELS = ["good", "bad", "good", "bad"] * 5
SENTENCES = [["Anna", "Berg", "moved", "to", "Oslo"], ["she", "left", "Oslo"], ["Anna", "stayed"]] * 4
TAGS = [["B-PER", "I-PER", "O", "O", "B-LOC"], ["O", "O", "B-LOC"], ["B-PER", "O"]] * 4


def save_classifier(folder: Path, name: str = "reviews", labels: tuple[str, str] = ("good", "bad")) -> Path:
    """TF-IDF and logistic regression; "fine" is the first label, "dull" the second."""
    stages: list[AnyStage] = [Regex(), TfIdf(), LogisticRegression()]
    own = [labels[0] if label == "good" else labels[1] for label in LABELS]
    return Pipeline(stages, name=name).fit(TEXTS, own).save(folder)


def save_label_sets(folder: Path, name: str = "topics", head: LabelHead | None = None) -> Path:
    """Any number of labels a text: "fine" is good, "film" is film; "dull and cold" has none."""
    stages: list[AnyStage] = [Regex(), TfIdf(), head or LogisticRegression(C=100.0)]
    sets = [[label for label, word in (("good", "fine"), ("film", "film")) if word in text] for text in TEXTS]
    return Pipeline(stages, task="multilabel", name=name).fit(TEXTS, sets).save(folder)


def save_bayes(folder: Path, name: str = "bayes") -> Path:
    """Bag of words and naive Bayes."""
    return Pipeline([Regex(), BagOfWords(), NaiveBayes()], name=name).fit(TEXTS, LABELS).save(folder)


def save_tagger(folder: Path, name: str = "names") -> Path:
    """Persons and places."""
    stages: list[AnyStage] = [Regex(lowercase=False), Window(), LogisticRegression()]
    return Pipeline(stages, task="tagging", name=name).fit(SENTENCES, TAGS).save(folder)


def save_translator(folder: Path, name: str = "german") -> Path:
    """A memory of two sentences."""
    pipeline = Pipeline([Regex(), TfIdf(), TranslationMemory()], task="translation", name=name)
    return pipeline.fit(["two dogs", "one cat"], ["zwei Hunde", "eine Katze"]).save(folder)


def is_probability(value: object) -> bool:
    """Whether ``value`` is a number from 0 to 1."""
    return isinstance(value, float) and math.isfinite(value) and 0 <= value <= 1
