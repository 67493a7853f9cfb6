"""Accuracy of the shipped classical pipelines: SST-2, and ten-fold Rotten Tomatoes.

SST-2: trained on its 6,920 training sentences; options were chosen on the dev split, and only this script uses the test
split. The interval is a 95 % bootstrap interval over test items. Ten-fold: scikit-learn's StratifiedKFold (shuffled,
seed 13) over all Rotten Tomatoes snippets after de-duplication; mean and standard deviation of the ten folds.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedKFold

import nlpipe
from benchmarks.bootstrap import resampled_scores
from benchmarks.processes import ROOT, sst2
from nlpipe.datasets.load import load_dataset
from nlpipe.runs.result import Result
from nlpipe.tasks import task_named
from nlpipe.wire import Labels, Text

FILES = ["bow_nb", "tfidf_logreg", "tfidf_svm", "nbsvm", "hashing_logreg"]


def measure() -> dict[str, Any]:
    """Score all shipped classical pipelines on both data sets."""
    data = f"data={json.dumps(sst2())}"
    reviews = load_dataset("rotten_tomatoes", ROOT)
    splits = (reviews.train, reviews.dev, reviews.test)
    texts = Text.concat([s.inputs for s in splits])  # type: ignore[type-var]
    labels = Labels.concat([s.targets for s in splits])  # type: ignore[type-var]
    rows = []
    for name in FILES:
        file = ROOT / "pipelines" / "sentiment" / f"{name}.yaml"
        row = [name]
        with tempfile.TemporaryDirectory() as out:
            result = nlpipe.run(file, [data], out=Path(out))
            low, high = interval(result)
            row += [f"{result.score:.3f}", f"{low:.3f} – {high:.3f}"]
        folds = [fold_accuracy(file, texts, labels, train, test) for train, test in fold_indices(labels)]
        row += [f"{np.mean(folds):.4f}", f"{np.std(folds, ddof=1):.4f}"]
        print("  ".join(row), flush=True)
        rows.append(row)
    header = ["pipeline", "SST-2 test accuracy", "95 % interval", "Rotten Tomatoes ten-fold accuracy", "± folds"]
    return {"table": [header, *rows]}


def interval(result: Result) -> tuple[float, float]:
    """The 95 % bootstrap interval of the primary score."""
    gold, predictions = result.predictions()
    metric = task_named(result.environment["task"]).metrics(result.environment["labels"])[0]
    values = resampled_scores(metric, gold, predictions)[result.metrics["primary"]]
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def fold_indices(labels: Labels) -> Any:
    """The indices of training and test examples in ten folds."""
    return StratifiedKFold(10, shuffle=True, random_state=13).split(np.zeros(len(labels)), labels.values)


def fold_accuracy(file: Path, texts: Text, labels: Labels, train: Any, test: Any) -> float:
    """Accuracy on the test examples of one fold."""
    pipeline = nlpipe.load(file).fit(texts.take(train.tolist()), labels.take(train.tolist()))
    predicted = pipeline.predict(texts.take(test.tolist())).values
    return float(np.mean(np.array(predicted.values) == np.array(labels.take(test.tolist()).values)))
