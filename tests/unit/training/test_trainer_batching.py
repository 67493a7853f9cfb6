"""Batches of similar length."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nlpipe.training.batching import plan_batches

LENGTHS = st.lists(st.integers(0, 300), max_size=200)


@given(LENGTHS, st.integers(1, 40), st.one_of(st.none(), st.integers(1, 500)), st.integers(0, 3), st.integers(0, 3))
@settings(max_examples=150, deadline=None)
def test_every_example_comes_once_and_the_plan_is_the_seeds(lengths, batch_size, tokens, seed, epoch):
    lengths = np.array(lengths, dtype=np.int64)
    batches = plan_batches(lengths, batch_size=batch_size, tokens=tokens, seed=seed, epoch=epoch)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    again = plan_batches(lengths, batch_size=batch_size, tokens=tokens, seed=seed, epoch=epoch)
    assert [b.tolist() for b in batches] == [b.tolist() for b in again]
    for batch in batches:
        padded = len(batch) * max(1, lengths[batch].max())
        if tokens is None:
            assert 1 <= len(batch) <= batch_size
        else:
            assert len(batch) == 1 or padded <= tokens


def test_a_text_of_100000_words_is_alone_and_the_others_stay_as_they_were():
    lengths = np.full(640, 20)
    lengths[17] = 100_000
    batches = plan_batches(lengths, batch_size=32, tokens=None, seed=1, epoch=0)
    assert [b.tolist() for b in batches if 17 in b] == [[17]]
    assert max(len(b) * lengths[b].max() for b in batches if 17 not in b) == 32 * 20
    assert len(batches) == 21  # 640 = 19 × 32 + 31 + the long one


def test_buckets_pad_much_less_than_random_batches():
    draw = np.random.default_rng(0)
    lengths = draw.geometric(0.05, 5000)
    waste = sum(len(b) * lengths[b].max() for b in plan_batches(lengths, batch_size=32, tokens=None, seed=0, epoch=0))
    order = draw.permutation(5000)
    at_random = sum(len(b) * lengths[b].max() for b in (order[i : i + 32] for i in range(0, 5000, 32)))
    assert waste < 1.1 * lengths.sum() < 2.5 * lengths.sum() < at_random


def test_epochs_and_seeds_differ_and_batches_are_not_in_order_of_length():
    lengths = np.arange(1, 1001)
    first, second, other = (
        plan_batches(lengths, batch_size=10, tokens=None, seed=s, epoch=e) for s, e in [(0, 0), (0, 1), (1, 0)]
    )
    assert first[0].tolist() != second[0].tolist() and first[0].tolist() != other[0].tolist()
    longest = [lengths[b].max() for b in first]
    assert abs(np.corrcoef(longest, np.arange(len(longest)))[0, 1]) < 0.4


def test_a_token_budget_fills_its_batches():
    lengths = np.full(100, 7)
    sizes = sorted(len(b) for b in plan_batches(lengths, batch_size=1, tokens=70, seed=0, epoch=0))
    assert sizes == [10] * 10


def test_no_examples_no_batches():
    assert plan_batches(np.array([], dtype=np.int64), batch_size=3, tokens=None, seed=0, epoch=0) == []
