"""The words by which a linear pipeline decides: those with the largest weights for each label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nlpipe.classical.linear import Linear
from nlpipe.pipeline import Pipeline
from nlpipe.report.page_contents import Line
from nlpipe.representations import BagOfWords

SHOWN = 12
"""Features of each label."""
MOST_LABELS = 20


def top_features(lines: Sequence[Line], problems: list[str]) -> dict[str, dict[str, list[tuple[str, float]]]]:
    """Pipeline to label to its features with their weights, largest first; of the first seed.

    Of two labels, the weights of the second are those of the first with the other sign. A weight is that of one
    occurrence, as the representation counts or weighs it: large weights of rare words say less than they seem to.
    """
    found: dict[str, dict[str, list[tuple[str, float]]]] = {}
    for line in lines:
        folder = line.results[0].folder
        if not (folder / "model").exists():
            continue  # answers from elsewhere
        try:
            features = features_of(Pipeline.load(folder))
        except Exception as error:  # a page about results must not fail for a stage that is not here
            problems.append(f"{line.title}: its features are not shown: {error}")
            continue
        if features:
            found[line.title] = features
    return found


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
