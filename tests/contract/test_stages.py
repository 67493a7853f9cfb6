"""The laws of representations, encoders and heads, over every registered one.

A stage that is new is covered when its line stands in a table; options it needs go into ``examples.OPTIONS``.
"""

from __future__ import annotations

import copy
import random
import sys
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.feature_extraction.text import TfidfVectorizer

from nlpipe.capabilities import Trained, declares
from nlpipe.errors import NlpipeError
from nlpipe.registry import slot
from nlpipe.stage import Head, LabelHead
from nlpipe.tokenizers import Regex
from nlpipe.wire import Labels, Padded, Sequences, Tags, Text, Tokens, Vectors, Wire

from .examples import LABELS, NASTY, TEXTS, cases, label, make, restore

Case = tuple[str, str, dict[str, Any]]
LONGEST = 3000  # characters of a nasty text that neural stages are tried with
NEW = [*TEXTS[::3], *(text[:LONGEST] for text in NASTY.values())]
"""What a fitted stage is tried on: texts seen and nasty."""


def tokens(texts: list[str]) -> Tokens:
    return Regex().forward(Text(texts))


def vectors(texts: list[str], sparse: bool) -> Vectors:
    """(B, D) TF-IDF of character pairs: none negative, a row of zeros for an empty text."""
    rows = TfidfVectorizer(analyzer="char", ngram_range=(1, 2)).fit(TEXTS).transform(texts)
    return Vectors(rows.tocsr() if sparse else rows.toarray())


def sequences(texts: list[str]) -> Sequences:
    """One vector a word, (sum of T_b, 8), made from its letters; ragged."""
    words = tokens(texts)
    flat = [word for sentence in words.words for word in sentence]
    rows = np.array([[np.cos(ord(c) * i) for i in range(8)] for c in (w[0] for w in flat)], dtype=np.float32)
    return Sequences(rows.reshape(-1, 8), [len(sentence) for sentence in words.words], words)


def sources(takes: type[Wire], texts: list[str]) -> dict[str, Wire]:
    """Every form of the wire ``takes`` that a stage may meet."""
    key = takes, tuple(texts)
    if key not in _sources:
        _sources[key] = _make_sources(takes, texts)
    return _sources[key]


_sources: dict[tuple[type[Wire], tuple[str, ...]], dict[str, Wire]] = {}


def _make_sources(takes: type[Wire], texts: list[str]) -> dict[str, Wire]:
    if takes is Text:
        return {"text": Text(texts)}
    if takes is Tokens:
        return {"tokens": tokens(texts)}
    if takes is Vectors:
        return {"sparse": vectors(texts, sparse=True), "dense": vectors(texts, sparse=False)}
    assert takes is Sequences, takes
    ragged = sequences(texts)
    rows, mask = ragged.padded()
    return {"ragged": ragged, "padded": Sequences(rows, ragged.lengths, ragged.tokens, mask)}


def targets(gives: type[Wire], texts: list[str]) -> Wire:
    """What a head that gives ``gives`` learns from."""
    if gives is Tags:
        return Tags([["B-X" if word[0] in "aeiou" else "O" for word in words] for words in tokens(texts).words])
    return Text(texts) if gives is Text else Labels(LABELS[: len(texts)])


def plain(wire: Wire) -> Any:
    """A wire as something that can be compared: numbers as an array, the rest as lists."""
    if isinstance(wire, Vectors):
        return wire.dense()
    if isinstance(wire, Sequences):
        return wire.flat().dense()
    return wire.strings if isinstance(wire, Text) else wire.words if isinstance(wire, Tokens) else wire.values


def assert_same(found: Wire, expected: Wire, exact: bool) -> None:
    assert type(found) is type(expected)
    assert len(found) == len(expected)
    if isinstance(found, Sequences) and isinstance(expected, Sequences):
        assert found.lengths.tolist() == expected.lengths.tolist()
    if isinstance(found, Vectors | Sequences):
        rtol, atol = (0.0, 0.0) if exact else (1e-4, 1e-5)
        if (rows := sparse(found)) is not None and (expected_rows := sparse(expected)) is not None:
            assert rows.shape == expected_rows.shape
            assert np.isfinite(rows.data).all()
            assert (abs(rows - expected_rows) - rtol * abs(expected_rows)).max() <= atol
        else:
            assert np.isfinite(plain(found)).all()
            np.testing.assert_allclose(plain(found), plain(expected), rtol=rtol, atol=atol)
    else:
        assert plain(found) == plain(expected)


def sparse(wire: Wire) -> Any:
    """The rows of vectors or sequences if they are sparse; None if they are not."""
    rows = wire.rows if isinstance(wire, Vectors) else wire.form.rows if isinstance(wire, Sequences) else None
    return rows if sp.issparse(rows) else None


def content(wire: Wire) -> list[Any]:
    """A copy of all that a wire holds, as lists and arrays."""
    if isinstance(wire, Tokens):
        return copy.deepcopy([wire.words, wire.texts])
    if isinstance(wire, Vectors):
        rows = wire.matrix()
        return [rows.data.copy(), rows.indices.copy(), rows.indptr.copy()] if sp.issparse(rows) else [rows.copy()]
    if isinstance(wire, Sequences):
        padded = [tensor.numpy().copy() for tensor in wire.padded()] if isinstance(wire.form, Padded) else []
        words = content(wire.tokens) if wire.tokens is not None else []
        return [*padded, *content(wire.flat()), wire.lengths.copy(), *words]
    return copy.deepcopy([plain(wire)])


def seed() -> None:
    """Set every generator that a stage may draw from, as a run does."""
    random.seed(13)
    np.random.seed(13)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(13)


def ready(case: Case, form: str) -> Any:
    """A stage that is fitted on the sample, built, and in eval mode; made once, so no test may change it."""
    key = label(case), form
    if key not in _ready:
        _ready[key] = fitted(case, form)
    return _ready[key]


_ready: dict[tuple[str, str], Any] = {}


def fitted(case: Case, form: str, labels: Wire | None = None) -> Any:
    """A new stage, fitted on the sample in two batches, built, and in eval mode."""
    stage = make(case)
    source = sources(stage.takes, TEXTS)[form]
    wanted = labels or targets(stage.gives, TEXTS)
    half = [range(0, len(TEXTS), 2), range(1, len(TEXTS), 2)]
    seed()
    stage.fit([(source.take(part), wanted.take(part)) for part in half])
    if isinstance(stage, Head):
        stage.bind([])
    width = source.width if isinstance(source, Vectors | Sequences) else 0
    assert stage.build(width) >= 0
    return to_use(stage)


def output(case: Case, form: str) -> Any:
    """What the stage gives for ``NEW``; computed once."""
    key = label(case), form
    if key not in _outputs:
        stage = ready(case, form)
        _outputs[key] = stage.forward(sources(stage.takes, NEW)[form])
    return _outputs[key]


_outputs: dict[tuple[str, str], Any] = {}


def to_use(stage: Any) -> Any:
    """Put a stage and those inside it in eval mode."""
    for inner in stage.with_nested():
        if inner.module is not None:
            inner.module.eval()
    return stage


def forms(*slots: str) -> list[Any]:
    """Each case with each form of its input."""
    names = {Text: ["text"], Tokens: ["tokens"], Vectors: ["sparse", "dense"], Sequences: ["ragged", "padded"]}
    return [
        pytest.param(case, form, id=f"{label(case)}-{form}")
        for case in cases(*slots)
        for form in names[slot(case[0]).load(case[1]).takes]  # type: ignore[index]
    ]


ALL = forms("representation", "encoder", "head")


@pytest.mark.parametrize(("case", "form"), ALL)
def test_it_gives_its_wire_of_the_same_length(case: Case, form: str) -> None:
    stage = ready(case, form)
    source = sources(stage.takes, NEW)[form]
    given = output(case, form)
    assert isinstance(given, stage.gives)
    assert len(given) == len(source)
    if isinstance(given, Sequences) and isinstance(source, Sequences):
        assert given.lengths.tolist() == source.lengths.tolist()
    if isinstance(given, Sequences) and isinstance(source, Tokens):  # alignment is law
        assert given.lengths.tolist() == [len(words) for words in source.words]


@pytest.mark.parametrize(("case", "form"), forms("representation", "encoder"))
def test_build_tells_the_width_it_gives(case: Case, form: str) -> None:
    stage = ready(case, form)
    source = sources(stage.takes, NEW)[form]
    width = source.width if isinstance(source, Vectors | Sequences) else 0
    assert stage.build(width) == output(case, form).width


@pytest.mark.parametrize(("case", "form"), ALL)
def test_a_batch_equals_one_by_one(case: Case, form: str) -> None:
    stage = ready(case, form)
    source = sources(stage.takes, NEW)[form]
    given = output(case, form)
    alone = [stage.forward(source.take([i])) for i in range(len(source))]
    assert_same(type(given).concat(alone), given, exact=False)
    turned = list(range(len(source)))[::-1]
    assert_same(stage.forward(source.take(turned)), given.take(turned), exact=False)


@pytest.mark.parametrize(("case", "form"), ALL)
def test_its_prepared_input_gives_the_same(case: Case, form: str) -> None:
    stage = ready(case, form)
    source = sources(stage.takes, NEW)[form]
    prepared = stage.prepare(source)
    assert isinstance(prepared, stage.takes)
    if prepared is source:  # it prepares nothing
        return
    assert_same(stage.forward(prepared), output(case, form), exact=False)
    some = [3, 0, 2]
    assert_same(stage.forward(prepared.take(some)), stage.forward(source.take(some)), exact=False)


@pytest.mark.parametrize(("case", "form"), ALL)
def test_its_state_is_restored_from_safetensors_and_json(case: Case, form: str) -> None:
    stage = ready(case, form)
    state = stage.state()
    assert all(isinstance(array, np.ndarray) and array.dtype != object for array in state.arrays.values())
    again = to_use(restore(stage, case))
    source = sources(stage.takes, NEW)[form]
    assert_same(again.forward(source), output(case, form), exact=True)
    with pytest.raises(NlpipeError, match="format"):
        make(case).load_state(state, 10_000)


@pytest.mark.parametrize(("case", "form"), ALL)
def test_its_input_is_not_changed(case: Case, form: str) -> None:
    stage = ready(case, form)
    source = sources(stage.takes, NEW)[form]
    before = content(source)
    stage.forward(source)
    stage.prepare(source)
    stage.ledger(source)
    for part, expected in zip(content(source), before, strict=True):
        np.testing.assert_equal(part, expected)


@pytest.mark.parametrize(("case", "form"), ALL)
def test_its_ledger_counts_every_example(case: Case, form: str) -> None:
    stage = ready(case, form)
    source = sources(stage.takes, NEW)[form]
    ledger = stage.ledger(source)
    assert all(isinstance(count, int | float) and count >= 0 for count in ledger.values())
    assert ledger.get("out_of_vocabulary", 0) <= ledger.get("tokens", 0)
    if isinstance(source, Tokens) and ledger:
        assert ledger["tokens"] == source.lengths.sum()
    assert stage.ledger(stage.prepare(source)) == ledger
    alone = [stage.ledger(source.take([i])) for i in range(len(source))]
    for name, count in ledger.items():
        total = sum(counts.get(name, 0) for counts in alone)
        assert total >= count if stage.nested() else total == count, name  # a join gives the largest count of its parts


@pytest.mark.parametrize(("case", "form"), forms("representation", "encoder"))
def test_fit_forward_is_fit_then_forward(case: Case, form: str) -> None:
    stage = ready(case, form)
    if stage.trainable:
        pytest.skip("two builds of it draw different parameters, so there is nothing to be equal to")
    if not stage.learns:
        pytest.skip("it learns nothing in fit")
    source = sources(stage.takes, TEXTS)[form]
    other = make(case)
    half = [range(0, len(TEXTS), 2), range(1, len(TEXTS), 2)]
    data = [(source.take(part), targets(stage.gives, TEXTS).take(part)) for part in half]
    seed()
    given = list(other.fit_forward(data))
    for part, found in zip(half, given, strict=True):
        assert_same(found, stage.forward(source.take(part)), exact=False)


def label_heads() -> list[Any]:
    return [
        parameters
        for parameters in forms("head")
        if issubclass(slot("head").load(parameters.values[0][1]), LabelHead)  # type: ignore[index]
    ]


@pytest.mark.parametrize(("case", "form"), label_heads())
class TestLabelHead:
    def test_its_predictions_are_probable_labels(self, case: Case, form: str) -> None:
        head = ready(case, form)
        assert sorted(head.classes) == ["neg", "pos"]
        source = sources(head.takes, NEW)[form]
        predictions = head.predict(source)
        assert predictions.values.values == head.forward(source).values
        assert set(predictions.values.values) <= set(head.classes)
        if predictions.scores is not None:
            assert predictions.scores.shape == (len(source),)
            assert np.isfinite(predictions.scores).all()
        if predictions.probabilities is not None:
            assert predictions.classes == head.classes
            assert predictions.probabilities.shape == (len(source), 2)
            assert (predictions.probabilities >= 0).all()
            np.testing.assert_allclose(predictions.probabilities.sum(axis=1), 1.0, rtol=1e-5)
            best = predictions.probabilities.max(axis=1)
            chosen = [head.classes.index(value) for value in predictions.values.values]
            np.testing.assert_allclose(predictions.probabilities[range(len(source)), chosen], best, rtol=1e-6)

    def test_it_labels_nothing(self, case: Case, form: str) -> None:
        head = ready(case, form)
        assert len(head.predict(sources(head.takes, TEXTS)[form].take([])).values) == 0

    def test_a_label_unseen_in_training_does_not_stop_it(self, case: Case, form: str) -> None:
        head = fitted(case, form)
        source = sources(head.takes, TEXTS)[form]
        head.calibrate([(source, Labels([*LABELS[:-1], "never seen"]))])
        assert len(head.predict(source).values) == len(TEXTS)

    def test_one_class_only_is_predicted_or_refused(self, case: Case, form: str) -> None:
        try:
            head = fitted(case, form, Labels(["only"] * len(TEXTS)))
        except NlpipeError as error:
            refused = str(error)
            if "only" not in refused:  # the message names the one class
                pytest.fail(refused)
        else:
            assert set(head.predict(sources(head.takes, TEXTS)[form]).values.values) == {"only"}

    def test_many_classes(self, case: Case, form: str) -> None:
        names = [f"class {i // 2}" for i in range(len(TEXTS))]
        head = fitted(case, form, Labels(names))
        assert sorted(head.classes) == sorted(set(names))
        assert set(head.predict(sources(head.takes, TEXTS)[form]).values.values) <= set(names)

    def test_a_loss_is_finite_and_counts_its_units(self, case: Case, form: str) -> None:
        head = ready(case, form)
        if not declares(type(head), Trained):
            pytest.skip("it learns in fit and has no loss")
        loss, units = head.loss(sources(head.takes, TEXTS)[form], Labels(LABELS))
        assert bool(loss.isfinite())
        assert loss.item() > 0
        assert int(units) == len(TEXTS)
