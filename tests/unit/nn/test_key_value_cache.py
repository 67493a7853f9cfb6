"""A cache that hypotheses share: its own laws; what decoders make of it is in ``tests/unit/decoders``."""

import pytest
import torch
from torch.testing import assert_close

from nlpipe.nn.key_value_cache import ROOM, KeyValueCache


def written(cache, sentences, tokens):
    """One token of each hypothesis (N, h, d) into one layer, and what it attends to."""
    cache = cache.extend(len(tokens), 1, sentences)
    return cache.attend(0, tokens, torch.stack([tokens, tokens], 1)), cache


def expected(history):
    """Plain attention of the last token of (N, t, h, d) over all: (N, h d)."""
    scores = torch.einsum("nhd,nthd->nht", history[:, -1], history) / history.shape[-1] ** 0.5
    return torch.einsum("nht,nthd->nhd", scores.softmax(-1), history).flatten(1)


def test_any_course_of_a_search_is_plain_attention():
    """Hypotheses are reordered, multiplied, moved to other sentences, and leave; stores grow on the way."""
    for seed in range(10):
        torch.manual_seed(seed)
        sentences, width = 3, 1
        cache, history = KeyValueCache(1, 2, 4, torch.zeros(1), sentences), torch.zeros(sentences, 0, 2, 4)
        for t in range(2 * ROOM + 3):
            tokens = torch.randn(sentences * width, 2, 4)
            history = torch.cat([history, tokens[:, None]], 1)
            found, cache = written(cache, sentences, tokens)
            assert_close(found, expected(history))
            chance = torch.rand(()).item()
            kept = torch.arange(sentences)
            if t == 5 or chance < 0.05:
                after = int(torch.randint(1, 5, ()))
            elif chance < 0.08 and sentences > 1:
                after, kept, sentences = width, torch.randperm(sentences)[:-1].sort().values, sentences - 1
            elif chance < 0.1:
                after, kept = width, torch.randperm(sentences)
            else:
                after = width
            rows = (kept[:, None] * width + torch.randint(0, width, (sentences, after))).flatten()
            cache, history, width = cache.take(rows), history[rows], after


def test_reordering_within_sentences_moves_no_keys():
    cache = KeyValueCache(1, 1, 2, torch.zeros(1), 2)
    for _ in range(2):
        _, cache = (
            written(cache, 2, torch.randn(2 * 3, 1, 2)) if cache.length else written(cache, 2, torch.randn(2, 1, 2))
        )
        cache = cache.take(torch.tensor([0, 0, 0, 1, 1, 1]) if cache.length == 1 else torch.tensor([2, 0, 0, 5, 3, 4]))
    before = cache.stores[0].tensor.data_ptr()
    _, cache = written(cache.take(torch.tensor([1, 1, 2, 4, 3, 5])), 2, torch.randn(6, 1, 2))
    assert cache.stores[0].tensor.data_ptr() == before


def test_two_ways_on_from_one_cache_do_not_disturb_each_other():
    torch.manual_seed(0)
    a, b, c, d = torch.randn(4, 2, 1, 3)
    _, cache = written(KeyValueCache(1, 1, 3, torch.zeros(1), 2), 2, a)
    _, first = written(cache, 2, b)
    _, other = written(cache, 2, c)
    assert_close(written(first, 2, d)[0], expected(torch.stack([a, b, d], 1)))
    assert_close(written(other, 2, d)[0], expected(torch.stack([a, c, d], 1)))


@pytest.mark.parametrize("width", [1, 3])
def test_several_tokens_at_once_are_one_after_the_other(width):
    """Also beyond the room of a new store, and where hypotheses of a sentence have different ancestors."""
    torch.manual_seed(0)
    cache = KeyValueCache(1, 2, 4, torch.zeros(1), 2)
    _, cache = written(cache, 2, torch.randn(2, 2, 4))
    cache = cache.take(torch.arange(2).repeat_interleave(width))
    for _ in range(3):
        _, cache = written(cache, 2, torch.randn(2 * width, 2, 4))
        cache = cache.take(torch.randint(0, width, (2, width)).add(torch.tensor([[0], [width]])).flatten())
    tokens = torch.randn(2 * width, ROOM + 2, 2, 4)
    each, alone = [], cache
    for t in range(tokens.shape[1]):
        row, alone = written(alone, 2, tokens[:, t])
        each.append(row)
    together = cache.extend(2 * width, tokens.shape[1], 2)
    flat = tokens.flatten(0, 1)
    rows = together.attend(0, flat, torch.stack([flat, flat], 1))
    assert_close(rows.view(2 * width, tokens.shape[1], -1), torch.stack(each, 1))
    following = torch.randn(2 * width, 2, 4)
    assert_close(written(together, 2, following)[0], written(alone, 2, following)[0])


def test_it_keeps_its_stores_where_the_sentences_are_not_known():
    torch.manual_seed(0)
    first, second = torch.randn(2, 2, 1, 3)
    _, cache = written(KeyValueCache(1, 1, 3, torch.zeros(1), 2), None, first)
    assert_close(written(cache, None, second)[0], expected(torch.stack([first, second], 1)))
    assert cache.width == 1
