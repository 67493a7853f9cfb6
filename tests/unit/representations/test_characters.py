"""Word vectors from characters: what they depend on, and that the cache changes nothing."""

from __future__ import annotations

import pytest
import torch

from nlpipe.representations import Characters
from nlpipe.wire import Tags, Tokens

WORDS = [["Anna", "met", "Bo"], [], ["met", "Anna", "x" * 90]]


def fitted(**options):
    torch.manual_seed(0)
    stage = Characters(min_count=1, **options)
    stage.fit([(Tokens.from_words(WORDS), Tags([]))])
    stage.build(0)
    return stage.eval()


KINDS = pytest.mark.parametrize("kind", ["convolution", "lstm"])


@KINDS
def test_a_word_has_the_same_vector_everywhere(kind):
    stage = fitted(kind=kind)
    with torch.inference_mode():
        rows = stage.forward(Tokens.from_words(WORDS)).form.rows
        alone = stage.forward(Tokens.from_words([["Bo"]])).form.rows
    assert rows.shape == (6, 50)
    torch.testing.assert_close(rows[0], rows[4])
    torch.testing.assert_close(rows[2], alone[0])


@KINDS
def test_cached_vectors_are_the_computed_ones(kind):
    stage = fitted(kind=kind)
    computed = stage.forward(Tokens.from_words(WORDS)).form.rows.detach()
    with torch.inference_mode():
        stage.forward(Tokens.from_words([["Bo", "met"]]))
        torch.testing.assert_close(stage.forward(Tokens.from_words(WORDS)).form.rows, computed)


@KINDS
def test_the_cache_is_cleared_when_training_starts(kind):
    stage = fitted(kind=kind)
    with torch.inference_mode():
        before = stage.forward(Tokens.from_words([["Bo"]])).form.rows.clone()
    stage.train()
    with torch.no_grad():
        stage.table.weight.mul_(2)
    stage.eval()
    with torch.inference_mode():
        assert not torch.allclose(stage.forward(Tokens.from_words([["Bo"]])).form.rows, before)


@KINDS
def test_order_of_letters_counts_and_every_parameter_learns(kind):
    stage = fitted(kind=kind, dropout=0.0)
    rows = stage.forward(Tokens.from_words([["on", "no"]])).form.rows
    assert not torch.allclose(rows[0], rows[1])
    rows.square().sum().backward()
    assert all(parameter.grad is not None for parameter in stage.parameters())


def test_both_ends_of_a_long_word_are_read():
    stage = fitted(longest=6)
    with torch.inference_mode():
        rows = stage.forward(Tokens.from_words([["Ann" + "o" * 9 + "met", "Annmet", "AnnmeB"]])).form.rows
    torch.testing.assert_close(rows[0], rows[1])
    assert not torch.allclose(rows[0], rows[2])
    assert stage.ledger(Tokens.from_words([["Annmet" * 2, "a"]]))["long_words"] == 1


def test_options_that_do_not_go_together():
    with pytest.raises(ValueError, match=r"^filters: invalid value 5: expected an even number"):
        Characters(kind="lstm", filters=5)
    with pytest.raises(ValueError, match=r"^longest: invalid value 1: expected an integer of at least 2$"):
        Characters(longest=1)
