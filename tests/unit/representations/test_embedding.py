"""The learned table: padding, unknown words, gradients, tying, state."""

from __future__ import annotations

import json

import numpy as np
import torch

from nlpipe.representations import Embedding
from nlpipe.stage import State
from nlpipe.wire import Tokens

TRAIN = [["a", "b", "a"], ["b", "c", "c"], ["once"]]


def fitted(**options: object) -> Embedding:
    torch.manual_seed(0)
    stage = Embedding(dim=6, **options)
    stage.fit([(Tokens.from_words(TRAIN), None)])
    assert stage.build(0) == 6
    return stage


def test_one_vector_a_word_padded_with_zeros() -> None:
    stage = fitted()
    tokens = Tokens.from_words([["a", "once", "a"], [], ["c"]])
    for source in (tokens, stage.prepare(tokens)):
        given = stage.forward(source)
        rows, mask = given.padded()
        assert rows.shape == (3, 3, 6) and mask.tolist() == [[True] * 3, [False] * 3, [True, False, False]]
        assert torch.equal(rows[0, 0], rows[0, 2]) and not rows[~mask].any()
    assert stage.ledger(tokens) == {"tokens": 4, "out_of_vocabulary": 1, "truncated_tokens": 0}
    assert stage.table.weight.shape == (len(stage.vocabulary), 6)  # what a head shares
    assert stage.forward(Tokens.from_words([[], []])).form.rows.shape == (2, 0, 6)


def test_alone_and_in_a_batch() -> None:
    stage = fitted()
    words = [["a", "b"], ["c"], ["x", "y", "z"]]
    together = stage.forward(Tokens.from_words(words)).ragged()[0]
    alone = torch.cat([stage.forward(Tokens.from_words([w])).ragged()[0] for w in words])
    assert torch.equal(together, alone)


def test_padding_stays_zero_and_unknown_learns() -> None:
    stage = fitted()
    stage.forward(Tokens.from_words([["a", "never"], ["c"]])).form.rows.sum().backward()
    gradient = stage.table.weight.grad
    assert gradient is not None and not gradient[0].any() and bool((gradient[1] == 1).all())


def test_word_dropout_hides_words_only_in_training() -> None:
    stage = fitted(word_dropout=0.5)
    tokens = Tokens.from_words([["a"] * 4000])
    unknown = stage.table.weight[1].detach()
    stage.train()
    hidden = (stage.forward(tokens).form.rows[0].detach() == unknown).all(-1).float().mean()
    assert 0.45 < hidden < 0.55
    stage.eval()
    assert not (stage.forward(tokens).form.rows[0].detach() == unknown).all(-1).any()


def test_saved_and_loaded() -> None:
    stage = fitted(max_words=2, min_count=1)
    state = stage.state()
    fresh = Embedding(**stage.options)
    fresh.load_state(State(state.arrays, json.loads(json.dumps(state.data))), 1)
    tokens = Tokens.from_words([["a", "b", "c", "once", "x"]])
    np.testing.assert_array_equal(
        fresh.forward(tokens).form.rows.detach().numpy(), stage.forward(tokens).form.rows.detach().numpy()
    )
    assert stage.ledger(tokens)["out_of_vocabulary"] == 3


def test_no_words_at_all() -> None:
    stage = Embedding(dim=3)
    stage.fit([(Tokens.from_words([[]]), None)])
    assert stage.build(0) == 3
    assert stage.forward(Tokens.from_words([["x"]])).form.rows.shape == (1, 1, 3)
