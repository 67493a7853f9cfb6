import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nlpipe.encoders import SLOT
from nlpipe.encoders.attention_pooling import AttentionPooling
from nlpipe.wire import Sequences

LOOPS = {
    "mean": lambda words: sum(words) / len(words),
    "max": lambda words: np.array([max(column) for column in zip(*words, strict=True)]),
    "first": lambda words: words[0],
    "last": lambda words: words[-1],
}
NAMES = list(LOOPS)


def by_loop(name, rows, lengths):
    out, start = [], 0
    for n in lengths:
        words = list(rows[start : start + n])
        out.append(LOOPS[name](words) if n else np.zeros(rows.shape[1]))
        start += n
    return np.array(out).reshape(len(lengths), rows.shape[1])


@st.composite
def ragged(draw):
    lengths = draw(st.lists(st.integers(0, 5), min_size=1, max_size=6))
    values = st.sampled_from([-2.5, -1.0, 0.0, 0.0, 0.5, 3.0])
    return draw(arrays(np.float32, (sum(lengths), 3), elements=values)), lengths


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=30, deadline=None)
@given(data=ragged())
def test_every_form_of_rows_equals_the_loop(name, data):
    rows, lengths = data
    pool = SLOT.load(name)()
    expected = by_loop(name, rows.astype(float), lengths)
    dense = pool.forward(Sequences(rows, lengths)).rows
    sparse = pool.forward(Sequences(sp.csr_matrix(rows), lengths)).rows
    flat = pool.forward(Sequences(torch.tensor(rows), lengths)).rows
    source, mask = Sequences(rows, lengths).padded()
    junk = source.masked_fill(~mask[..., None], 99.0)
    block = pool.forward(Sequences(junk, lengths, mask=mask)).rows
    assert isinstance(dense, np.ndarray) and dense.dtype == np.float32
    assert sp.issparse(sparse) and isinstance(block, torch.Tensor)
    for found in (dense, sparse.toarray(), flat.numpy(), block.numpy()):
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_explicit_zeros_and_duplicates_in_csr():
    rows = sp.csr_matrix((np.array([-1.0, 0.0, -3.0, 1.0]), ([0, 0, 1, 1], [0, 1, 0, 0])), shape=(2, 2))
    pooled = SLOT.load("max")().forward(Sequences(rows, [2])).rows
    assert pooled.toarray().tolist() == [[-1.0, 0.0]]  # -3 + 1 = -2 in the second row


@pytest.mark.parametrize("name", NAMES)
def test_gradients_reach_tokens_and_no_padding(name):
    rows = torch.randn(3, 4, 2, requires_grad=True)
    mask = torch.arange(4) < torch.tensor([[4], [2], [0]])
    pooled = SLOT.load(name)().forward(Sequences(rows, [4, 2, 0], mask=mask)).rows
    pooled.sum().backward()
    assert rows.grad.isfinite().all()
    assert (rows.grad[~mask] == 0).all()
    assert rows.grad[:2].sum(1).flatten().tolist() == pytest.approx([1.0] * 4)


def test_attention_pooling_is_its_formula():
    torch.manual_seed(0)
    pool = AttentionPooling(hidden=4, width=3)
    words = torch.randn(5, 3)
    pool.requires_grad_(False)
    scores = [float(pool.query.weight[0] @ torch.tanh(pool.compare.weight @ w + pool.compare.bias)) for w in words]
    shares = np.exp(scores) / np.exp(scores).sum()
    expected = sum(share * word.numpy() for share, word in zip(shares, words, strict=True))
    np.testing.assert_allclose(pool(Sequences(words, [5])).rows[0].detach().numpy(), expected, atol=1e-6)


def test_pooling_numbers_needs_no_torch():
    code = (
        "import sys, numpy as np\n"
        "from nlpipe.encoders import Mean, Max, First, Last\n"
        "from nlpipe.wire import Sequences\n"
        "for pool in (Mean, Max, First, Last): pool().forward(Sequences(np.ones((3, 2)), [2, 0, 1]))\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
