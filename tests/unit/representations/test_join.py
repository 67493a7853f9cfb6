"""Several representations whose vectors are concatenated."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from nlpipe.representations import Embedding, Join, TfIdf, Word2Vec
from nlpipe.stage import Representation
from nlpipe.wire import Sequences, Tokens, Vectors

TRAIN = [(Tokens.from_words([["a", "b", "c", "a"], ["b", "c"]] * 5), None)]
TOKENS = Tokens.from_words([["a", "x", "b"], [], ["c"]])


class Letters(Representation[Tokens, Sequences]):
    """Code points of the first letter, sparse."""

    def build(self, width: int) -> int:
        return 1

    def forward(self, source: Tokens) -> Sequences:
        rows = [[float(ord(word[0]))] for words in source.words for word in words]
        return Sequences(sp.csr_matrix(np.reshape(rows, (-1, 1))), [len(w) for w in source.words], source)


class Bag(Representation[Tokens, Vectors]):
    """One vector a text."""

    def forward(self, source: Tokens) -> Vectors:
        return Vectors(np.ones((len(source), 1)))


def joined(parts: Sequence[Representation]) -> Join:
    stage = Join(list(parts))
    stage.fit(TRAIN)
    return stage


def test_vectors_are_concatenated() -> None:
    parts = [Word2Vec(dim=3, epochs=1), Letters(), Word2Vec(dim=2, epochs=1)]
    stage = joined(parts)
    assert stage.build(0) == 6 and not stage.trainable and stage.module is None
    for source in (TOKENS, stage.prepare(TOKENS)):
        given = stage.forward(source)
        assert given.lengths.tolist() == [3, 0, 1]
        expected = [parts[0].forward(TOKENS).form.rows, [[97], [120], [98], [99]], parts[2].forward(TOKENS).form.rows]
        np.testing.assert_allclose(given.form.rows, np.concatenate(expected, 1))
    assert stage.ledger(TOKENS) == {"tokens": 4, "out_of_vocabulary": 1, "truncated_tokens": 0}


def test_sparse_parts_stay_sparse() -> None:
    assert sp.issparse(joined([Letters(), Letters()]).forward(TOKENS).form.rows)


def test_a_join_is_trainable_if_a_part_is() -> None:
    embedding = Embedding(dim=3)
    stage = joined([Word2Vec(dim=2, epochs=1), embedding])
    assert stage.build(0) == 5 and stage.trainable
    rows = stage.forward(stage.prepare(TOKENS)).form.rows
    assert torch.equal(rows[:, 2:], embedding.forward(TOKENS).ragged()[0])
    rows.sum().backward()
    assert [p.grad is not None for p in stage.module.parameters()] == [True]


def test_prepared_tokens_are_selected_and_joined() -> None:
    stage = joined([Word2Vec(dim=2, epochs=1), Letters()])
    prepared = stage.prepare(TOKENS)
    again = type(prepared).concat([prepared.take([2]), prepared.take([0])])
    np.testing.assert_array_equal(stage.forward(again).form.rows, stage.forward(TOKENS.take([2, 0])).form.rows)


def test_with_a_vector_a_text_words_are_averaged() -> None:
    """The parts' vectors of length 1, times their factors; TF-IDF stays sparse."""
    word2vec = Word2Vec(dim=3, epochs=1)
    stage = Join([TfIdf(), word2vec, Letters()], norm="l2", weights=[1.0, 0.5, 2.0])
    outputs = list(stage.fit_forward(TRAIN))
    width = stage.build(0)
    assert stage.gives is Vectors and not stage.trainable and Join([Letters()]).gives is Sequences
    for source in (TOKENS, stage.prepare(TOKENS)):
        given = stage.forward(source)
        assert isinstance(given, Vectors) and sp.issparse(given.rows) and given.width == width
        flat = word2vec.forward(TOKENS).form.rows
        mean = flat[:3].mean(0)
        expected = np.zeros((3, 4))
        expected[0, :3], expected[2, :3] = 0.5 * mean / np.linalg.norm(mean), 0.5 * flat[3] / np.linalg.norm(flat[3])
        expected[[0, 2], 3] = 2
        np.testing.assert_allclose(given.dense()[:, -4:], expected, rtol=1e-5)
        np.testing.assert_allclose(given.dense()[:, :-4], stage.parts[0].forward(TOKENS).dense())
    np.testing.assert_allclose(outputs[0].dense(), stage.forward(TRAIN[0][0]).dense(), rtol=1e-5)


def test_a_dense_vector_a_text_stays_dense() -> None:
    stage = joined([Bag(), Word2Vec(dim=3, epochs=1)])
    assert isinstance(stage.forward(TOKENS).rows, np.ndarray)


def test_options_that_do_not_fit_the_parts_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^parts: invalid value \[\]: expected at least one representation$"):
        Join([])
    with pytest.raises(ValueError, match=r"^parts: \[1\]: Embedding is trained by gradients, .* trainable: false"):
        Join([TfIdf(), Embedding(dim=3)])
    with pytest.raises(ValueError, match=r"^norm: invalid value 'l2': expected null where no part gives one vector"):
        Join([Letters()], norm="l2")
    with pytest.raises(ValueError, match=r"^weights: invalid value \[1.0\]: expected 2 numbers, one for each part"):
        Join([Letters(), Bag()], weights=[1.0])


def test_torch_is_not_imported_if_no_part_needs_it() -> None:
    script = (
        "import sys\nfrom nlpipe.representations import Join, Word2Vec\nfrom nlpipe.wire import Tokens\n"
        "stage = Join([Word2Vec(dim=2), Word2Vec(dim=3)])\ntokens = Tokens.from_words([['a', 'a']])\n"
        "stage.fit([(tokens, None)])\nassert stage.build(0) == 5\nstage.forward(stage.prepare(tokens))\n"
        "assert stage.module is None and 'torch' not in sys.modules"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
