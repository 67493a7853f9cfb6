"""A pipeline file as a scikit-learn classifier: its conventions, in scikit-learn's own tools."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline

from nlpipe.integrations.sklearn import PipelineClassifier

TEXTS = ["a good film", "good fun", "a fine good day", "a bad film", "bad bad acting", "a dull bad day"] * 4
LABELS = ["pos", "pos", "pos", "neg", "neg", "neg"] * 4
CLASSICAL = "tokenizer: regex\nrepresentation: tfidf\nhead: {name: logistic_regression, C: 1}\n"
NEURAL = """
tokenizer: regex
representation: {name: embedding, dim: 8, min_count: 1}
encoder: mean
head: {name: classifier}
trainer: {epochs: 15, batch_size: 4, lr: 0.05, patience: 2}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(CLASSICAL)
    return path


def test_it_is_what_scikit_learn_calls_a_classifier(file: Path) -> None:
    classifier = PipelineClassifier(file)
    assert is_classifier(classifier)
    assert classifier.__sklearn_tags__().input_tags.string and not classifier.__sklearn_tags__().input_tags.two_d_array
    with pytest.raises(NotFittedError):
        classifier.predict(["good"])
    assert classifier.fit(TEXTS, LABELS) is classifier
    assert classifier.score(TEXTS, LABELS) == 1.0
    again = pickle.loads(pickle.dumps(PipelineClassifier(file, {"head.C": 2})))
    assert again.get_params() == PipelineClassifier(file, {"head.C": 2}).get_params()


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (LABELS, "U"),
        ([10 if label == "pos" else 9 for label in LABELS], "i"),
        ([label == "pos" for label in LABELS], "b"),
        (np.array([1.0 if label == "pos" else -1.0 for label in LABELS]), "f"),
    ],
)
def test_labels_come_back_as_they_were_given(file: Path, labels: list[object], kind: str) -> None:
    classifier = PipelineClassifier(file).fit(np.array(TEXTS), labels)
    assert classifier.classes_.dtype.kind == kind
    assert classifier.classes_.tolist() == np.unique(labels).tolist()  # 9 before 10, though "10" < "9"
    assert classifier.predict(TEXTS).tolist() == list(labels)
    probabilities = classifier.predict_proba(TEXTS)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert classifier.classes_[probabilities.argmax(axis=1)].tolist() == list(labels)
    assert classifier.predict([]).shape == (0,) and classifier.predict_proba([]).shape == (0, 2)


def test_clone_and_params(file: Path) -> None:
    classifier = PipelineClassifier(file, {"head.C": 2})
    assert classifier.get_params(deep=False) == {"file": file, "options": {"head.C": 2}}
    assert classifier.get_params()["head__C"] == 2
    copy = clone(classifier).set_params(representation__sublinear=True, head__C=np.float64(0.5))
    assert classifier.options == {"head.C": 2}  # the original is left alone
    copy.fit(TEXTS, LABELS)
    assert copy.pipeline_.stages[1].options["sublinear"] is True
    assert copy.pipeline_.head.options["C"] == 0.5
    assert clone(copy).set_params(**copy.get_params()).get_params() == copy.get_params()


@pytest.mark.parametrize(
    ("params", "near"),
    [
        ({"head__max_itr": 9}, "'max_iter'"),
        ({"representation__sublinaer": True}, "'sublinear'"),
        ({"hed__C": 1}, "'head'"),
    ],
)
def test_an_unknown_parameter_names_the_nearest(file: Path, params: dict[str, object], near: str) -> None:
    with pytest.raises(ValueError, match=f"did you mean {near}"):
        PipelineClassifier(file).set_params(**params)
    with pytest.raises(ValueError, match=f"did you mean {near}"):
        GridSearchCV(PipelineClassifier(file), {name: [value] for name, value in params.items()}, cv=2).fit(
            TEXTS, LABELS
        )


def test_a_grid_search_finds_what_a_search_by_hand_finds(file: Path) -> None:
    grid = {"head__C": [1e-4, 10.0]}
    labels = ["pos"] * 3 + ["neg"] * 2
    texts = ["good one", "good two", "good three", "bad one", "bad two"] * 4
    search = GridSearchCV(PipelineClassifier(file), grid, cv=KFold(4)).fit(texts, labels * 4)
    assert search.best_params_ == {"head__C": 10.0}
    by_hand = [
        cross_val_score(PipelineClassifier(file, {"head.C": c}), texts, labels * 4, cv=KFold(4)).mean()
        for c in grid["head__C"]
    ]
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], by_hand)
    assert search.best_estimator_.pipeline_.head.options["C"] == 10.0
    assert search.predict(["good", "bad"]).tolist() == ["pos", "neg"]


def test_cross_validation_scores_as_scikit_learns_own_pipeline_does(file: Path) -> None:
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(["good", "bad", "film", "day", "fun", "dull"], 4)) for _ in range(60)]
    labels = ["pos" if text.count("good") + text.count("fun") > text.count("bad") else "neg" for text in texts]
    theirs = make_pipeline(TfidfVectorizer(token_pattern=r"\w+"), LogisticRegression(C=1))
    np.testing.assert_allclose(
        cross_val_score(PipelineClassifier(file), texts, labels, cv=3), cross_val_score(theirs, texts, labels, cv=3)
    )
    mine = cross_val_predict(PipelineClassifier(file), texts, labels, cv=3, method="predict_proba")
    assert mine.shape == (60, 2)


def test_a_fold_without_a_rare_class(file: Path) -> None:
    texts = [*TEXTS, "a rare thing"]
    labels = [*LABELS, "rare"]
    scores = cross_val_score(PipelineClassifier(file), texts, labels, cv=KFold(5))
    assert np.isfinite(scores).all()
    folds = list(KFold(5).split(texts))
    train, test = folds[-1]
    classifier = PipelineClassifier(file).fit([texts[i] for i in train], [labels[i] for i in train])
    assert classifier.classes_.tolist() == ["neg", "pos"]
    assert classifier.score([texts[i] for i in test], [labels[i] for i in test]) < 1


def test_what_cannot_be_learnt_from_is_told(file: Path) -> None:
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        PipelineClassifier(file).fit(TEXTS, LABELS[:-1])
    with pytest.raises(ValueError, match="continuous"):
        PipelineClassifier(file).fit(TEXTS[:3], [0.5, 1.25, 3.75])


def test_a_neural_pipeline_in_a_grid_search(tmp_path: Path) -> None:
    path = tmp_path / "neural.yaml"
    path.write_text(NEURAL)
    with pytest.warns(UserWarning, match="all 15 epochs are trained"):
        search = GridSearchCV(PipelineClassifier(path), {"head__dropout": [0.0, 0.1]}, cv=2).fit(TEXTS, LABELS)
    assert search.best_score_ == 1.0
    assert search.predict(["good", "bad"]).tolist() == ["pos", "neg"]


SETS = np.array([["good" in text, "film" in text, False] for text in TEXTS]).astype(int)


@pytest.fixture
def sets_file(tmp_path: Path) -> Path:
    path = tmp_path / "sets.yaml"
    path.write_text("data: {task: multilabel, train: none.jsonl}\n" + CLASSICAL.replace("C: 1}", "C: 100}"))
    return path


def test_several_labels_a_text_are_a_matrix(sets_file: Path) -> None:
    classifier = PipelineClassifier(sets_file).fit(TEXTS, SETS)
    assert classifier.classes_.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(classifier.predict(TEXTS), SETS)
    assert classifier.score(TEXTS, SETS) == 1.0
    probabilities = classifier.predict_proba(TEXTS)
    np.testing.assert_array_equal(probabilities > 0.5, SETS)  # nothing is known of the third
    assert classifier.predict([]).shape == (0, 3) and classifier.predict_proba([]).shape == (0, 3)
    assert cross_val_score(classifier, TEXTS, SETS, cv=3, scoring="f1_micro").mean() == 1.0
    every = cross_val_predict(classifier, TEXTS, SETS, cv=3, method="predict_proba")
    np.testing.assert_array_equal(every > 0.5, SETS)
    table = pd.DataFrame(SETS.astype(bool), columns=["good", "film", "never"])
    of_table = PipelineClassifier(sets_file).fit(TEXTS, table)
    assert of_table.classes_.tolist() == ["good", "film", "never"] and of_table.pipeline_.head.classes == (
        "film",
        "good",
    )
    np.testing.assert_array_equal(of_table.predict(TEXTS), SETS)
    sparse = PipelineClassifier(sets_file).fit(TEXTS, sp.csr_matrix(SETS))
    np.testing.assert_array_equal(sparse.predict(TEXTS), SETS)


def test_labels_of_another_shape_than_the_task_has_are_refused(file: Path, sets_file: Path) -> None:
    with pytest.raises(ValueError, match="MultiLabelBinarizer"):
        PipelineClassifier(sets_file).fit(TEXTS, [["good"], *([[]] * (len(TEXTS) - 1))])
    with pytest.raises(ValueError, match="MultiLabelBinarizer"):
        PipelineClassifier(sets_file).fit(TEXTS, LABELS)
    with pytest.raises(ValueError, match=r"a matrix of 3 columns, and .* task: multilabel"):
        PipelineClassifier(file).fit(TEXTS, SETS)


def test_labels_that_differ_in_white_space_alone_are_refused(file: Path) -> None:
    with pytest.raises(ValueError, match="2 of them are 'pos'"):
        PipelineClassifier(file).fit(TEXTS, ["pos ", *LABELS[1:]])
    spaced = ["po  s" if label == "pos" else label for label in LABELS]
    assert PipelineClassifier(file).fit(TEXTS, spaced).predict(TEXTS).tolist() == spaced
