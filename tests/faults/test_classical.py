"""Classical heads on hashed columns, and on unbalanced classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.metrics import f1_score

from nlpipe import heads
from nlpipe.classical.columns import Columns, occurring
from nlpipe.pipeline.pipeline import Pipeline
from nlpipe.representations import BagOfWords, Hashing
from nlpipe.tokenizers import Regex
from nlpipe.wire import Labels, Vectors


def sentences(count: int, shares: dict[str, float], seed: int) -> tuple[list[str], list[str]]:
    """Sentences of ten words out of 3,000 with Zipf's frequencies, of which each class prefers some."""
    frequencies = 1 / (np.arange(3000) + 5)
    preferences = np.exp(np.random.default_rng(0).normal(0, 0.8, (len(shares), 3000)))
    random = np.random.default_rng(seed)
    texts, labels = [], []
    for k in random.choice(len(shares), size=count, p=list(shares.values())):
        words = frequencies * preferences[k]
        texts.append(" ".join(f"w{i}" for i in random.choice(3000, size=10, p=words / words.sum())))
        labels.append(list(shares)[k])
    return texts, labels


def test_columns_are_those_that_occur() -> None:
    matrix = sp.csr_matrix((np.array([2.0, 3.0, 4.0]), ([0, 1, 1], [7, 2, 90])), shape=(2, 100))
    columns = occurring(matrix)
    assert columns.kept is not None and columns.kept.tolist() == [2, 7, 90]
    other = sp.csr_matrix((np.array([1.0, 5.0, 6.0]), ([0, 0, 2], [7, 8, 99])), shape=(3, 100))
    assert columns.of(other).toarray().tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 0]]
    assert occurring(np.zeros((2, 3))) == Columns()
    assert occurring(sp.csr_matrix((5, 100))) == Columns()


@pytest.mark.parametrize("head", [heads.LogisticRegression(tolerance=1e-8), heads.LinearSVM(), heads.Perceptron()])
def test_weights_are_those_of_a_fit_of_all_columns(
    head: heads.LogisticRegression, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(5)
    source = Vectors(sp.random(80, 2000, density=0.005, random_state=5, format="csr"))
    target = Labels(random.choice(["a", "b", "c"], size=80).tolist())
    test = Vectors(sp.random(40, 2000, density=0.01, random_state=6, format="csr"))
    head.fit([(source, target)])
    few = head.margins(test)
    assert head.weights.shape[0] < 1000
    monkeypatch.setattr("nlpipe.classical.examples.occurring", lambda matrix: Columns())
    head.fit([(source, target)])
    assert head.weights.shape[0] == 2000
    assert few == pytest.approx(head.margins(test), abs=2e-3)


@pytest.mark.parametrize(
    "head", [heads.LogisticRegression(), heads.NaiveBayes(), heads.NBSVM(), heads.Estimator("SGDClassifier")]
)
def test_a_hashed_pipeline_saves_what_occurs(head: heads.LogisticRegression, tmp_path: Path) -> None:
    texts, labels = sentences(60, {"a": 0.5, "b": 0.5}, seed=1)
    pipeline = Pipeline([Regex(), Hashing(signed=False), head])
    pipeline.fit(texts, labels)
    pipeline.save(tmp_path / "model")
    assert sum(file.stat().st_size for file in (tmp_path / "model").rglob("*")) < 100_000
    loaded = Pipeline.load(tmp_path / "model")
    new = [*sentences(20, {"a": 0.5, "b": 0.5}, seed=2)[0], "never seen", ""]
    assert loaded.predict(new).values.values == pipeline.predict(new).values.values


def test_nbsvm_chooses_beta_where_classes_are_unbalanced() -> None:
    shares = {"a": 0.8, "b": 0.12, "c": 0.08}
    texts, labels = sentences(1000, shares, seed=3)
    new, gold = sentences(1000, shares, seed=4)

    def macro(head: heads.NBSVM) -> float:
        pipeline = Pipeline([Regex(), BagOfWords(), head])
        pipeline.fit(texts, labels)
        return float(f1_score(gold, pipeline.predict(new).values.values, average="macro"))

    chosen = heads.NBSVM()
    assert macro(chosen) > macro(heads.NBSVM(beta=0.25)) + 0.1
    assert chosen.chosen_beta > 0.25
    restored = heads.NBSVM()
    restored.load_state(chosen.state(), version=1)
    assert restored.chosen_beta == chosen.chosen_beta
