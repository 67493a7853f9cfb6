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

from nlpipe.representations import Embedding, Join, Word2Vec
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


def test_a_part_that_gives_no_sequence_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^parts: \[1\]: Bag gives Vectors, but join needs Sequences"):
        Join([Letters(), Bag()])
    with pytest.raises(ValueError, match=r"^parts: invalid value \[\]: expected at least one representation$"):
        Join([])


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
