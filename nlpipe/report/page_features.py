"""The words by which a linear pipeline decides: those with the largest weights for each label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nlpipe.classical.linear import Linear
from nlpipe.pipeline import Pipeline
from nlpipe.report.page_contents import Line
from nlpipe.representations import BagOfWords
from nlpipe.yaml_reader import read_yaml

SHOWN = 12
"""Features of each label."""
MOST_LABELS = 20
UNNAMED = {"", "hashing", "word2vec", "static", "embedding", "characters", "bert", "window", "join"}
"""Representations of nlpipe whose columns are no words."""


@dataclass(frozen=True)
class Features:
    """What is shown of the linear pipelines of a comparison.

    Args:
        tables: pipeline to label to its features with their weights, largest first.
        notes: which pipelines have none, where one could expect them, and why.
    """

    tables: dict[str, dict[str, list[tuple[str, float]]]]
    notes: tuple[str, ...] = ()


def top_features(lines: Sequence[Line], problems: list[str]) -> Features:
    """The features of the pipelines whose representation has names of its columns, of the first seed.

    Of two labels, the weights of the second are those of the first with the other sign. Only such pipelines are loaded:
    a neural network would take seconds.
    """
    tables, notes = {}, []
    for line in lines:
        folder = line.results[0].folder
        if not (folder / "pipeline.yaml").exists():
            continue  # answers from elsewhere
        try:
            file = read_yaml(folder / "pipeline.yaml").plain()
            name = file["representation"]["name"] if file.get("representation") and not file.get("encoder") else ""
            if name == "hashing":
                notes.append(f"{line.title}: hashing keeps no words, so that its columns have no names.")
            if name in UNNAMED:
                continue
            pipeline = Pipeline.load(folder)
            features = features_of(pipeline)
        except Exception as error:  # a page about results must not fail for a stage that is not here
            problems.append(f"{line.title}: its features are not shown: {error}")
            continue
        if features:
            tables[line.title] = features
        elif isinstance(pipeline.head, Linear) and len(pipeline.head.classes) > MOST_LABELS:
            notes.append(
                f"{line.title}: it has {len(pipeline.head.classes)} labels, of more than {MOST_LABELS} none are shown."
            )
    return Features(tables, tuple(notes))


def features_of(pipeline: Pipeline) -> dict[str, list[tuple[str, float]]]:
    """The features of a bag of words or TF-IDF under a linear head; none of other pipelines, or of very many labels."""
    head: Any = pipeline.head
    body = pipeline.body
    if not (isinstance(head, Linear) and body and isinstance(body[-1], BagOfWords)):
        return {}
    names, weights = body[-1].names(), head.weights  # (D, K)
    if len(head.classes) > MOST_LABELS or not len(names):
        return {}
    kept = head.columns.kept
    columns = np.arange(len(weights)) if kept is None else kept
    if weights.shape[1] == 1:
        weights = np.hstack([-weights, weights])
    elif weights.shape[1] > 1:
        weights = weights - weights.mean(axis=1, keepdims=True)  # what all labels share decides nothing
    found = {}
    for c, label in enumerate(head.classes):
        order = np.argsort(-weights[:, c], kind="stable")[:SHOWN]
        found[label] = [(names[columns[i]], float(weights[i, c])) for i in order.tolist() if weights[i, c] > 0]
    return found
