"""The classical heads against scikit-learn's own estimators and cases worked by hand."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import expit
from sklearn.calibration import _SigmoidCalibration
from sklearn.linear_model import LogisticRegression as TheirLogisticRegression
from sklearn.naive_bayes import BernoulliNB, ComplementNB, GaussianNB, MultinomialNB
from sklearn.svm import LinearSVC

from nlpipe.classical.calibration import folds_of, platt, temperature
from nlpipe.classical.label_sets import predict_sets
from nlpipe.errors import DataError, ModelError, NlpipeError, NlpipeWarning
from nlpipe.heads import NBSVM, LinearSVM, LogisticRegression, Majority, NaiveBayes, Perceptron
from nlpipe.heads.estimator import Estimator, classifiers
from nlpipe.heads.nbsvm import log_count_ratio
from nlpipe.wire import Labels, Vectors


def counts(classes: int, rows: int = 240, width: int = 40, seed: int = 0):
    """Counts in which each class has words of its own, among others: (rows, width) CSR, and the labels."""
    random = np.random.default_rng(seed)
    codes = np.arange(rows) % classes
    rates = np.full((classes, width), 0.25)
    rates[np.arange(width) % classes, np.arange(width)] = 1.0
    return sp.csr_matrix(random.poisson(rates[codes]).astype(float)), [f"class {code:03}" for code in codes]


def batches(matrix, labels, size=50):
    for start in range(0, len(labels), size):
        yield Vectors(matrix[start : start + size]), Labels(labels[start : start + size])


def fitted(head, matrix, labels):
    head.fit(batches(matrix, labels))
    assert head.build(matrix.shape[1]) == len(head.classes) == len(set(labels))
    return head


HEADS = {
    "naive_bayes": NaiveBayes,
    "complement": lambda: NaiveBayes(variant="complement"),
    "bernoulli": lambda: NaiveBayes(variant="bernoulli"),
    "nbsvm": NBSVM,
    "nbsvm logistic": lambda: NBSVM(learner="logistic"),
    "logistic_regression": LogisticRegression,
    "linear_svm": LinearSVM,
    "linear_svm hinge": lambda: LinearSVM(loss="hinge", max_iter=100_000),
    "majority": Majority,
    "estimator": lambda: Estimator("RandomForestClassifier", {"n_estimators": 5}),
    "estimator without probabilities": lambda: Estimator("RidgeClassifier"),
    "estimator that is dense": lambda: Estimator("GaussianNB"),
}
LEARNERS = sorted(set(HEADS) - {"majority"})


@pytest.mark.parametrize("classes", [2, 3, 120])
@pytest.mark.parametrize("name", sorted(HEADS))
def test_laws_of_predictions_and_state(name, classes):
    if classes == 120 and name == "estimator":
        pytest.skip(
            "its law is more than 0.75 right, and five small trees are not that on 120 classes; 2 and 3 are tried"
        )
    matrix, labels = counts(classes, rows=max(240, 3 * classes), width=max(40, classes))
    matrix = sp.vstack([sp.csr_matrix((1, matrix.shape[1])), matrix[1:]], format="csr")  # the first text is empty
    head = fitted(HEADS[name](), matrix, labels)
    answers = head.predict(Vectors(matrix))
    assert len(answers.values) == matrix.shape[0]
    assert answers.classes == head.classes == tuple(sorted(set(labels)))
    right = np.mean(np.array(answers.values.values) == np.array(labels))
    assert right > (0.0 if name == "majority" else 0.75)
    if answers.probabilities is None:
        assert name == "estimator without probabilities"
        assert answers.scores is None
    else:
        assert answers.probabilities.shape == (matrix.shape[0], classes)
        np.testing.assert_allclose(answers.probabilities.sum(axis=1), 1.0, rtol=1e-9)
        best = answers.probabilities.argmax(axis=1)
        assert answers.values.values == [head.classes[code] for code in best]
        np.testing.assert_array_equal(answers.scores, answers.probabilities.max(axis=1))

    fresh = HEADS[name]()
    fresh.load_state(head.state(), head.version)
    again = fresh.predict(Vectors(matrix))
    assert again.values.values == answers.values.values
    assert again.classes == answers.classes
    if answers.probabilities is not None:
        np.testing.assert_array_equal(again.probabilities, answers.probabilities)
        alone = np.vstack([fresh.predict(Vectors(matrix[[b]])).probabilities for b in range(5)])
        np.testing.assert_allclose(alone, answers.probabilities[:5], rtol=1e-12)
    assert len(fresh.predict(Vectors(matrix[:0])).values) == 0
    with pytest.raises(ModelError, match="format 9"):
        fresh.load_state(head.state(), 9)


@pytest.mark.parametrize("name", sorted(HEADS))
def test_same_seed_same_model(name):
    matrix, labels = counts(3)
    first, second = (fitted(HEADS[name](), matrix, labels).predict(Vectors(matrix)) for _ in range(2))
    assert first.values.values == second.values.values
    np.testing.assert_array_equal(first.scores, second.scores)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("form", ["sparse", "dense"])
@pytest.mark.parametrize("name", LEARNERS)
def test_dense_and_sparse_vectors_give_the_same(name, form, classes):
    matrix, labels = counts(classes, rows=90)
    given = matrix if form == "sparse" else matrix.toarray()
    answers = fitted(HEADS[name](), given, labels).predict(Vectors(matrix.toarray()))
    expected = fitted(HEADS[name](), matrix, labels).predict(Vectors(matrix))
    assert answers.values.values == expected.values.values
    if expected.probabilities is not None:
        np.testing.assert_allclose(answers.probabilities, expected.probabilities, atol=1e-3)


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize(
    ("options", "theirs"),
    [
        ({}, {"max_iter": 200}),
        ({"C": 0.1, "max_iter": 300}, {"C": 0.1, "max_iter": 300}),
        ({"class_weight": "auto"}, {"class_weight": "balanced", "max_iter": 200}),
        ({"class_weight": {"class 001": 3.0}}, {"class_weight": {1: 3.0}, "max_iter": 200}),
        ({"l1_ratio": 0.5, "max_iter": 5000}, {"l1_ratio": 0.5, "solver": "saga", "max_iter": 5000, "random_state": 0}),
        ({"solver": "newton-cg"}, {"solver": "newton-cg"}),
    ],
)
def test_logistic_regression_is_scikit_learns(classes, options, theirs):
    matrix, labels = counts(classes, rows=101)  # classes of different size
    codes = [int(label[-3:]) for label in labels]
    expected = TheirLogisticRegression(**theirs).fit(matrix, codes)
    head = fitted(LogisticRegression(**options), matrix, labels)
    answers = head.predict(Vectors(matrix))
    np.testing.assert_allclose(answers.probabilities, expected.predict_proba(matrix), rtol=1e-6, atol=1e-9)
    assert answers.values.values == [head.classes[code] for code in expected.predict(matrix)]


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("prior", ["found", "equal"])
@pytest.mark.parametrize("alpha", [1.0, 0.1])
@pytest.mark.parametrize(
    ("variant", "kind"), [("multinomial", MultinomialNB), ("complement", ComplementNB), ("bernoulli", BernoulliNB)]
)
def test_naive_bayes_is_scikit_learns(classes, prior, alpha, variant, kind):
    matrix, labels = counts(classes, rows=101)
    expected = kind(alpha=alpha, fit_prior=prior == "found").fit(matrix, labels)
    answers = fitted(NaiveBayes(variant, alpha, prior), matrix, labels).predict(Vectors(matrix))
    np.testing.assert_allclose(answers.probabilities, expected.predict_proba(matrix), rtol=1e-8, atol=1e-12)
    assert answers.values.values == expected.predict(matrix).tolist()


def test_naive_bayes_by_hand():
    # class a: words 1 1 0 -> (2 + 1) / (3 + 2), (1 + 1) / 5; class b: one word, the second -> 1/3, 2/3; priors 2/3, 1/3
    matrix = sp.csr_matrix([[2.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    answers = fitted(NaiveBayes(), matrix, ["a", "a", "b"]).predict(Vectors(sp.csr_matrix([[1.0, 0.0], [0.0, 1.0]])))
    of_a = [(2 / 3 * 3 / 5) / (2 / 3 * 3 / 5 + 1 / 3 * 1 / 3), (2 / 3 * 2 / 5) / (2 / 3 * 2 / 5 + 1 / 3 * 2 / 3)]
    np.testing.assert_allclose(answers.probabilities[:, 0], of_a)


def assert_scaled(margins, expected) -> None:
    """The margins are the expected ones times a positive number, plus another."""
    slope, shift = np.polyfit(expected.ravel(), margins.ravel(), 1)
    assert slope > 0
    np.testing.assert_allclose(margins.ravel(), slope * expected.ravel() + shift, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("classes", [2, 4])
def test_linear_svm_ranks_as_linear_svc(classes):
    matrix, labels = counts(classes)
    head = fitted(LinearSVM(C=0.3), matrix, labels)
    expected = LinearSVC(C=0.3, random_state=0).fit(matrix, labels)
    assert_scaled(head.margins(Vectors(matrix)), expected.decision_function(matrix))
    if classes > 2:  # a softmax keeps the order
        assert head.predict(Vectors(matrix)).values.values == expected.predict(matrix).tolist()


def test_probabilities_of_the_svm_are_honest():
    """Of unseen examples called with probability p about a share p is right, though the training data is separable."""
    random = np.random.default_rng(5)
    train, test = random.normal(size=(300, 200)), random.normal(size=(4000, 200))
    direction = random.normal(size=200) / 10
    gold = [["no", "yes"][int(random.random() < expit(row @ direction))] for row in np.vstack([train, test])]
    head = fitted(LinearSVM(folds=5), train, gold[:300])
    answers = head.predict(Vectors(test))
    right = np.array(answers.values.values) == np.array(gold[300:])
    assert abs(answers.scores.mean() - right.mean()) < 0.05
    plain = LinearSVC(random_state=0).fit(train, gold[:300])
    assert plain.score(train, gold[:300]) == 1.0  # margins of the data it was fitted on would make it certain


def test_rare_classes_do_not_stop_calibration():
    matrix, labels = counts(3, rows=60)
    labels[:2] = ["once", "rare"]
    labels[2:4] = ["rare", "rare"]
    for head in (LinearSVM(), NBSVM()):
        answers = fitted(head, matrix, labels).predict(Vectors(matrix))
        assert np.isfinite(answers.probabilities).all()
    tiny = fitted(LinearSVM(folds=10), matrix[:2], ["a", "b"])
    assert np.isfinite(tiny.predict(Vectors(matrix)).probabilities).all()


def test_platt_is_scikit_learns():
    random = np.random.default_rng(0)
    margins = random.normal(size=500) * 2
    positive = random.random(500) < expit(1.5 * margins - 0.5)
    for weights in (np.ones(500), random.random(500) + 0.5):
        theirs = _SigmoidCalibration().fit(margins, positive, sample_weight=weights)
        slope, shift = platt(margins, positive, weights)
        np.testing.assert_allclose(
            expit(slope * margins + shift), theirs.predict(margins), atol=1e-4
        )  # theirs takes the targets from the weighted or the plain counts, by version
    assert platt(margins, np.ones(500, dtype=bool), np.ones(500)) == (1.0, 0.0)
    assert platt(margins, margins < 0, np.ones(500)) == (1.0, 0.0)  # would turn the classifier round
    slope, _ = platt(margins, margins > 0, np.ones(500))
    assert 1 < slope < 1000  # finite, though the classes are separated


def test_temperature_finds_the_slope_that_labels_were_drawn_with():
    random = np.random.default_rng(0)
    margins = random.normal(size=(20_000, 4))
    codes = (3.0 * margins + random.gumbel(size=margins.shape)).argmax(axis=1)
    assert temperature(margins, codes, np.ones(len(codes))) == pytest.approx(3.0, rel=0.05)
    margins[:, 3] = -np.inf  # a class that is not known counts neither for nor against
    assert temperature(margins, codes, np.ones(len(codes))) == pytest.approx(3.0, rel=0.05)
    assert temperature(margins[:0], codes[:0], np.ones(0)) == 1.0


def test_folds_spread_each_class():
    codes = np.array([0] * 10 + [1] * 5 + [2])
    assigned = folds_of(codes, 5, seed=3)
    assert np.bincount(assigned[codes == 0], minlength=5).tolist() == [2] * 5
    assert np.bincount(assigned[codes == 1], minlength=5).tolist() == [1] * 5
    np.testing.assert_array_equal(assigned, folds_of(codes, 5, seed=3))
    assert any((folds_of(codes, 5, seed=s) != assigned).any() for s in range(4, 7))


def test_log_count_ratio_by_hand():
    matrix = sp.csr_matrix([[1.0, 1, 0], [1, 0, 0], [0, 1, 1]])
    ratio = log_count_ratio(matrix, np.array([True, True, False]), None, alpha=1.0)
    # p = 1 + (2, 1, 0), |p| = 6; q = 1 + (0, 1, 1), |q| = 5
    expected = [math.log(3 / 6 / (1 / 5)), math.log(2 / 6 / (2 / 5)), math.log(1 / 6 / (2 / 5))]
    np.testing.assert_allclose(ratio, expected)


@pytest.mark.parametrize("beta", [0.0, 0.25, 1.0])
def test_nbsvm_is_the_formula_of_wang_and_manning(beta):
    matrix, labels = counts(2)
    positive = np.array(labels) == "class 001"
    seen = (matrix.toarray() > 0).astype(float)
    p, q = 2.0 + seen[positive].sum(axis=0), 2.0 + seen[~positive].sum(axis=0)
    ratio = np.log((p / p.sum()) / (q / q.sum()))
    svm = LinearSVC(C=0.5, random_state=0).fit(seen * ratio, positive)
    weights = (1 - beta) * np.abs(svm.coef_[0]).mean() + beta * svm.coef_[0]
    head = fitted(NBSVM(alpha=2.0, C=0.5, beta=beta), matrix, labels)
    expected = (seen * ratio) @ weights + svm.intercept_[0]
    assert_scaled(head.margins(Vectors(matrix)), expected)


def test_nbsvm_of_many_classes_sets_each_against_the_rest():
    matrix, labels = counts(3)
    head = fitted(NBSVM(), matrix, labels)
    for k, label in enumerate(head.classes):
        two = fitted(NBSVM(), matrix, ["yes" if found == label else "no" for found in labels])
        assert_scaled(head.weights[:, k], two.weights[:, 0])


@pytest.mark.parametrize("name", ["naive_bayes", "nbsvm", "nbsvm logistic", "logistic_regression", "linear_svm"])
def test_class_weights_shift_answers(name):
    matrix, labels = counts(2, rows=300, width=6)
    keep = [i for i in range(300) if labels[i] == "class 001" or i % 12 == 0]
    matrix, labels = matrix[keep], [labels[i] for i in keep]

    def share(class_weight) -> float:
        head = HEADS[name]()
        head.class_weight = class_weight
        return fitted(head, matrix, labels).predict(Vectors(matrix)).values.values.count("class 000") / len(labels)

    plain, auto = share(None), share("auto")
    assert plain < auto
    assert share({"class 000": 50.0}) > plain
    assert share({"class 000": 1.0}) == plain
    with pytest.raises(DataError, match="no training example has the label 'class 00'; did you mean 'class 00"):
        share({"class 00": 2.0})


@pytest.mark.parametrize("name", sorted(HEADS))
def test_data_that_cannot_be_learned_from(name):
    matrix, _ = counts(2, rows=4)
    with pytest.raises(DataError, match=r"every training example \(4\) has the label 'positive'"):
        HEADS[name]().fit([(Vectors(matrix), Labels(["positive"] * 4))])
    with pytest.raises(DataError, match="no features: every text is empty after tokenisation"):
        HEADS[name]().fit([(Vectors(matrix[:, :0]), Labels(["a", "b"] * 2))])
    with pytest.raises(DataError, match="no training example"):
        HEADS[name]().fit([])


@pytest.mark.parametrize("name", sorted(set(HEADS) - {"majority"}))
def test_one_feature_and_empty_rows_are_enough(name):
    matrix = sp.csr_matrix([[1.0], [0.0]] * 10)
    answers = fitted(HEADS[name](), matrix, ["a", "b"] * 10).predict(Vectors(matrix))
    if name in ("naive_bayes", "complement", "nbsvm", "nbsvm logistic"):  # shares of one feature say nothing
        assert set(answers.values.values) <= {"a", "b"}
        np.testing.assert_allclose(answers.scores, 0.5)
    else:
        assert answers.values.values == ["a", "b"] * 10


def test_counts_are_asked_for_where_they_are_needed():
    matrix, labels = counts(2)
    for head in (NaiveBayes(), NBSVM(), Estimator("MultinomialNB")):
        with pytest.raises(DataError, match="needs counts, but its input has negative values"):
            head.fit([(Vectors(-matrix), Labels(labels))])


@pytest.mark.parametrize(
    ("head", "way"),
    [
        (LogisticRegression(max_iter=1, C=100.0), "raise max_iter=1 or lower C=100"),
        (LinearSVM(max_iter=1, C=100.0), "raise max_iter=1 or lower C=100"),
        (NBSVM(max_iter=1, C=100.0), "raise max_iter=1 or lower C=100"),
        (Estimator("MLPClassifier", {"max_iter": 1}), "see its options"),
    ],
)
def test_a_solver_that_stops_early_is_one_warning_of_ours(head, way):
    matrix, labels = counts(3)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        head.fit(batches(matrix, labels))
    assert [warning.category for warning in caught] == [NlpipeWarning]
    assert way in str(caught[0].message)


def test_majority_gives_the_labels_that_at_least_half_of_the_texts_have():
    head = Majority()
    head.classes, head.frequencies = ("half", "less"), np.array([0.5, 0.49])
    margins = head.separate_margins(Vectors(np.zeros((2, 1))))
    assert predict_sets(margins, head.thresholds, head.classes, True).values.values == [["half"]] * 2


def test_majority_says_how_frequent_each_label_is():
    matrix, _ = counts(2, rows=4)
    answers = fitted(Majority(), matrix, ["b", "a", "b", "b"]).predict(Vectors(matrix[:2]))
    assert answers.values.values == ["b", "b"]
    np.testing.assert_array_equal(answers.probabilities, [[0.25, 0.75]] * 2)


@pytest.mark.parametrize(
    ("estimator", "options", "message"),
    [
        ("RandomForestClasifier", {}, "did you mean 'RandomForestClassifier'"),
        ("Ridge", {}, "no classifier 'Ridge'"),
        ("os.system", {}, "no classifier"),
        ("StackingClassifier", {}, "no classifier"),
        ("SVC", {"c": 1.0}, "no option 'c'; "),
        ("RandomForestClassifier", {"n_estimator": 5}, "did you mean 'n_estimators'"),
        ("RandomForestClassifier", {"n_estimators": -5}, "n_estimators"),
    ],
)
def test_estimator_checks_its_options(estimator, options, message):
    with pytest.raises(ValueError, match=message):
        Estimator(estimator, options)


def test_estimator_is_scikit_learns_and_takes_the_seed():
    matrix, labels = counts(3)
    head = Estimator("GaussianNB", {"var_smoothing": 0.1})
    expected = GaussianNB(var_smoothing=0.1).fit(matrix.toarray(), labels)
    answers = fitted(head, matrix, labels).predict(Vectors(matrix))
    np.testing.assert_allclose(answers.probabilities, expected.predict_proba(matrix.toarray()))

    seeded = Estimator("ExtraTreeClassifier")
    seeded.seed = 7
    assert fitted(seeded, matrix, labels).model.random_state == 7
    assert fitted(Estimator("ExtraTreeClassifier", {"random_state": 3}), matrix, labels).model.random_state == 3


def test_estimator_says_when_dense_vectors_would_be_too_large():
    wide = sp.csr_matrix((20_000, 1_000_000))
    with pytest.raises(DataError, match=r"GaussianNB does not accept sparse.* 149 GiB.*; set max_features or select"):
        Estimator("GaussianNB").fit([(Vectors(wide), Labels(["a", "b"] * 10_000))])


def test_estimator_passes_on_what_scikit_learn_refuses():
    matrix, labels = counts(2, rows=6)
    with pytest.raises(NlpipeError, match=r"estimator NuSVC: .*nu is infeasible"):
        Estimator("NuSVC", {"nu": 0.9}).fit([(Vectors(matrix), Labels(["a", *labels[1:2] * 5]))])


def test_estimator_loads_nothing_but_scikit_learn():
    import functools

    import skops.io
    from sklearn.preprocessing import FunctionTransformer

    matrix, labels = counts(2)
    head = fitted(Estimator("GaussianNB"), matrix, labels)
    state = head.state()
    head.model.extra = FunctionTransformer(functools.partial(warnings.warn, "run"))
    state.arrays["skops"] = np.frombuffer(skops.io.dumps(head.model), dtype=np.uint8)
    with pytest.raises(ModelError, match="not part of scikit-learn"):
        Estimator("GaussianNB").load_state(state, 1)
    other = fitted(Estimator("BernoulliNB"), matrix, labels).state()
    with pytest.raises(ModelError, match="BernoulliNB instead of GaussianNB"):
        Estimator("GaussianNB").load_state(other, 1)


SLOW = {"GaussianProcessClassifier", "GradientBoostingClassifier", "LogisticRegressionCV", "MLPClassifier"}


@pytest.mark.parametrize("estimator", sorted(set(classifiers()) - SLOW))
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning", "ignore::RuntimeWarning")
@pytest.mark.filterwarnings("ignore::nlpipe.errors.NlpipeWarning", "ignore::UserWarning")
def test_every_estimator_is_kept_and_restored(estimator):
    matrix, labels = counts(3, rows=60, width=6)
    few = {"n_estimators": 3, "max_iter": 5, "radius": 50.0}
    parameters = classifiers()[estimator]().get_params()
    options = {name: value for name, value in few.items() if name in parameters and name != "max_iter"}
    head = fitted(Estimator(estimator, options), matrix, labels)
    fresh = Estimator(estimator, options)
    fresh.load_state(head.state(), 1)
    assert fresh.predict(Vectors(matrix)).values.values == head.predict(Vectors(matrix)).values.values


def test_options_are_checked():
    with pytest.raises(ValueError, match="only 'saga' supports an L1 penalty"):
        LogisticRegression(l1_ratio=0.5, solver="lbfgs")
    for kind in (LinearSVM, NBSVM):
        with pytest.raises(ValueError, match="folds: invalid value 1: expected an integer of at least 2"):
            kind(folds=1)
    with pytest.raises(ValueError, match="class_weight"):
        LogisticRegression(class_weight="balancd")
    with pytest.raises(ValueError, match="class_weight"):
        LogisticRegression(class_weight={"a": -1.0})


@pytest.mark.parametrize("head", [LogisticRegression, Perceptron])
def test_what_does_not_fit_into_memory_is_told(head, monkeypatch):
    monkeypatch.setattr("nlpipe.classical.examples._memory", lambda: 100)
    with pytest.raises(
        DataError, match=r"5 features and 4 labels need 0 GB of memory, but .*min_count or max_features"
    ):
        head().fit([(Vectors(np.eye(4)), Labels(["w", "x", "y", "z"]))])
