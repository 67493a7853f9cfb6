"""A past that hypotheses share: its own laws; what decoders make of it is in ``tests/unit/decoders``."""

import torch
from torch.testing import assert_close

from nlpipe.nn.key_value_cache import ROOM, Past


def written(past, sentences, tokens):
    """One token of each hypothesis (N, h, d) into one layer, and what it attends to."""
    past = past.step(sentences, len(tokens))
    return past.attend(0, tokens, torch.stack([tokens, tokens], 1)), past


def expected(history):
    """Plain attention of the last token of (N, t, h, d) over all: (N, h d)."""
    scores = torch.einsum("nhd,nthd->nht", history[:, -1], history) / history.shape[-1] ** 0.5
    return torch.einsum("nht,nthd->nhd", scores.softmax(-1), history).flatten(1)


def test_any_course_of_a_search_is_plain_attention():
    """Hypotheses are reordered, multiplied, moved to other sentences, and leave; stores grow on the way."""
    for seed in range(10):
        torch.manual_seed(seed)
        sentences, width = 3, 1
        past, history = Past(1, 2, 4, torch.zeros(1), sentences), torch.zeros(sentences, 0, 2, 4)
        for t in range(2 * ROOM + 3):
            tokens = torch.randn(sentences * width, 2, 4)
            history = torch.cat([history, tokens[:, None]], 1)
            found, past = written(past, sentences, tokens)
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
            past, history, width = past.take(rows), history[rows], after


def test_reordering_within_sentences_moves_no_keys():
    past = Past(1, 1, 2, torch.zeros(1), 2)
    for _ in range(2):
        _, past = written(past, 2, torch.randn(2 * 3, 1, 2)) if past.length else written(past, 2, torch.randn(2, 1, 2))
        past = past.take(torch.tensor([0, 0, 0, 1, 1, 1]) if past.length == 1 else torch.tensor([2, 0, 0, 5, 3, 4]))
    before = past.stores[0].tensor.data_ptr()
    _, past = written(past.take(torch.tensor([1, 1, 2, 4, 3, 5])), 2, torch.randn(6, 1, 2))
    assert past.stores[0].tensor.data_ptr() == before


def test_two_ways_on_from_one_past_do_not_disturb_each_other():
    torch.manual_seed(0)
    a, b, c, d = torch.randn(4, 2, 1, 3)
    _, past = written(Past(1, 1, 3, torch.zeros(1), 2), 2, a)
    _, first = written(past, 2, b)
    _, other = written(past, 2, c)
    assert_close(written(first, 2, d)[0], expected(torch.stack([a, b, d], 1)))
    assert_close(written(other, 2, d)[0], expected(torch.stack([a, c, d], 1)))
