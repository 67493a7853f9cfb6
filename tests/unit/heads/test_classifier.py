import json
import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.utils.class_weight import compute_class_weight
from torch.testing import assert_close

from nlpipe.capabilities import Trained, declares
from nlpipe.errors import DataError
from nlpipe.heads import SLOT
from nlpipe.heads.classifier import Classifier, fit_temperature
from nlpipe.stage import State
from nlpipe.wire import Labels, Vectors

GOLD = ["neutral", "bad", "good", "bad", "bad", "good"]


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(4)


def data(width=3):
    return Vectors(torch.randn(len(GOLD), width)), Labels(GOLD)


def fitted(source, target, **options):
    head = Classifier(**options)
    head.fit([(source, target)])
    assert head.build(source.width) == 3
    return head


def test_wiring():
    assert SLOT.load("classifier") is Classifier
    assert Classifier.takes is Vectors and Classifier.gives is Labels and declares(Classifier, Trained)
    assert Classifier().trainable


def test_loss_is_the_summed_negative_log_likelihood():
    source, target = data()
    head = fitted(source, target)
    assert head.classes == ("bad", "good", "neutral")
    linear = head.layers[-1]
    logits = source.rows.numpy() @ linear.weight.detach().numpy().T + linear.bias.detach().numpy()
    logged = log_softmax(logits, axis=1)
    gold = [head.classes.index(label) for label in GOLD]
    loss, units = head.loss(source, target)
    assert units.item() == 6
    assert loss.item() == pytest.approx(-logged[range(6), gold].sum(), rel=1e-5)
    np.testing.assert_allclose(head.score(source, target), logged[range(6), gold], rtol=1e-4)
    predictions = head.predict(source)
    np.testing.assert_allclose(predictions.probabilities, np.exp(logged), rtol=1e-4)
    assert predictions.values.values == [head.classes[i] for i in logged.argmax(1)]
    np.testing.assert_allclose(predictions.scores, np.exp(logged).max(1), rtol=1e-4)
    assert predictions.classes == head.classes
    assert head(source).values == predictions.values.values


def test_smoothing_and_weights_change_the_loss_alone():
    source, target = data()
    head = fitted(source, target, label_smoothing=0.3, class_weight={"good": 4.0})
    logged = log_softmax(head.logits(source).detach().numpy(), axis=1)
    weights = np.array([1.0, 4.0, 1.0])
    expected = 0.0
    for row, label in zip(logged, GOLD, strict=True):
        share = np.full(3, 0.1)
        share[head.classes.index(label)] += 0.7
        expected -= (share * weights * row).sum()
    assert head.loss(source, target)[0].item() == pytest.approx(expected, rel=1e-5)
    gold = [head.classes.index(label) for label in GOLD]
    np.testing.assert_allclose(head.score(source, target), logged[range(6), gold], rtol=1e-4)


def test_automatic_weights_are_those_of_scikit_learn():
    source, target = data()
    head = fitted(source, target, class_weight="auto")
    expected = compute_class_weight("balanced", classes=np.array(head.classes), y=np.array(GOLD))
    assert head.weights == pytest.approx(expected.tolist())
    assert_close(head.get_buffer("weight"), torch.tensor(expected, dtype=torch.float32))


@pytest.mark.parametrize("hidden", [None, 7])
def test_it_learns(hidden):
    source, target = data(8)
    head = fitted(source, target, hidden=hidden)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.05)
    for _ in range(150):
        loss, units = head.loss(source, target)
        optimizer.zero_grad()
        (loss / units).backward()
        assert all(p.grad is not None for p in head.parameters())
        optimizer.step()
    assert head.predict(source).values.values == GOLD


def test_dropout_acts_in_training_only():
    source, target = data(20)
    head = fitted(source, target, dropout=0.5)
    assert head.loss(source, target)[0] != head.loss(source, target)[0]
    head.eval()
    assert head.loss(source, target)[0] == head.loss(source, target)[0]


def test_labels_that_training_did_not_have():
    source, target = data()
    head = fitted(source, target)
    with pytest.raises(DataError, match="no label 'godo'; did you mean 'good'"):
        head.loss(source.take([0]), Labels(["godo"]))
    assert head.score(source.take([0, 1]), Labels(["new", "bad"]))[0] == -np.inf
    head.calibrate([(source.take([0]), Labels(["new"]))])
    assert head.temperature == 1.0
    with pytest.raises(DataError, match="no label 'Good'"):
        fitted(source, target, class_weight={"Good": 2.0})
    with pytest.raises(DataError, match="no labels"):
        Classifier().fit([])


def test_one_label_is_certain():
    head = Classifier(class_weight="auto")
    source = Vectors(np.ones((2, 3), dtype=np.float32))
    head.fit([(source, Labels(["x", "x"]))])
    assert head.build(3) == 1
    assert head.loss(source, Labels(["x", "x"]))[0].item() == 0.0
    assert head.predict(source).scores.tolist() == [1.0, 1.0]


def test_temperature_is_where_scipy_finds_the_minimum():
    random = np.random.default_rng(0)
    logits = random.normal(size=(200, 3)) * 5
    gold = np.where(random.random(200) < 0.7, logits.argmax(1), random.integers(0, 3, 200))

    def nll(log_temperature):
        return -log_softmax(logits / math.exp(log_temperature), axis=1)[range(200), gold].mean()

    optimum = minimize_scalar(nll, bounds=(math.log(0.05), math.log(20)), method="bounded", options={"xatol": 1e-8})
    assert fit_temperature(logits, gold) == pytest.approx(math.exp(optimum.x), rel=1e-3)


def test_temperature_is_bounded_and_1_where_nothing_speaks_for_another():
    logits = np.eye(3) * 2.0
    assert fit_temperature(logits, np.arange(3)) == pytest.approx(0.05, rel=1e-3)  # all right: colder is better
    assert fit_temperature(logits * 50, (np.arange(3) + 1) % 3) == pytest.approx(20.0, rel=1e-3)  # all wrong
    assert fit_temperature(np.zeros((4, 3)), np.zeros(4, dtype=int)) == 1.0


def test_calibration_serves_predictions_and_scores_alike():
    source, target = data()
    head = fitted(source, target)
    before, plain = head.predict(source), head.score(source, target).sum()
    head.calibrate([(source.take([0, 1, 2]), target.take([0, 1, 2])), (source.take([3, 4, 5]), target.take([3, 4, 5]))])
    after = head.predict(source)
    assert head.temperature != 1.0
    assert after.values.values == before.values.values
    assert head.score(source, target).sum() > plain
    gold = [head.classes.index(label) for label in GOLD]
    np.testing.assert_allclose(np.exp(head.score(source, target)), after.probabilities[range(6), gold], rtol=1e-5)


@pytest.mark.parametrize("options", [{}, {"hidden": 4, "class_weight": "auto", "label_smoothing": 0.1}])
def test_state_comes_back_through_json_and_arrays(options):
    source, target = data()
    head = fitted(source, target, **options)
    head.calibrate([(source, target)])
    state = head.state()
    other = Classifier(**options)
    other.load_state(State(state.arrays, json.loads(json.dumps(state.data))), other.version)
    assert other.classes == head.classes and other.temperature == head.temperature
    assert (other.predict(source).probabilities == head.predict(source).probabilities).all()
    assert other.loss(source, target)[0] == head.loss(source, target)[0]


def test_bfloat16_logits_are_normalised_in_full_precision():
    source, target = data()
    head = fitted(source, target)
    with torch.autocast("cpu", torch.bfloat16):
        loss, _ = head.loss(source, target)
        assert loss.dtype == torch.float32
        assert head.predict(source).probabilities.sum(1) == pytest.approx(np.ones(6), abs=1e-6)
