"""Laws that hold for every encoder of sequences, and for attention pooling where they apply."""

import json
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from nlpipe.encoders import SLOT
from nlpipe.errors import NlpipeWarning, WiringError
from nlpipe.nn.precision import layers_without_bf16
from nlpipe.search import take
from nlpipe.stage import State
from nlpipe.wire import Sequences, Tokens, Vectors

D = 6
ENCODERS = {
    "rnn": ("rnn", {"hidden": 4}),
    "lstm": ("lstm", {"hidden": 4}),
    "lstm two layers": ("lstm", {"hidden": 4, "layers": 2}),
    "lstm both ways": ("lstm", {"hidden": 4, "layers": 2, "bidirectional": True}),
    "gru": ("gru", {"hidden": 4}),
    "gru both ways": ("gru", {"hidden": 4, "bidirectional": True}),
    "rnn both ways": ("rnn", {"hidden": 4, "bidirectional": True}),
    "transformer": ("transformer", {"heads": 2}),
    "transformer projected": ("transformer", {"heads": 2, "hidden": 8, "norm": "post", "positions": "learned"}),
    "transformer rotary": ("transformer", {"heads": 1, "positions": "rotary", "activation": "relu"}),
    "transformer causal": ("transformer", {"heads": 2, "causal": True}),
    "transformer causal rotary": ("transformer", {"heads": 1, "causal": True, "positions": "rotary"}),
    "transformer causal set": ("transformer", {"heads": 2, "causal": True, "positions": "none", "norm": "post"}),
    "convolution": ("convolution", {"widths": [1, 2, 3, 4], "filters": 3}),
    "attention": ("attention", {"hidden": 5}),
}
SEQUENTIAL = [name for name in ENCODERS if name != "attention"]
CAUSAL = ["rnn", "lstm", "lstm two layers", "gru"] + [name for name in ENCODERS if "causal" in name]


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(3)


def make(which):
    name, options = ENCODERS[which]
    return SLOT.load(name)(**options, width=D).eval()


def padded(rows, lengths, filler=0.0):
    """A padded batch of the first tokens of ``rows`` (B, T, D), with ``filler`` behind them."""
    mask = torch.arange(rows.shape[1]) < torch.tensor(lengths)[:, None]
    return Sequences(rows.masked_fill(~mask[..., None], filler), lengths, mask=mask)


def result(out):
    return out.form.rows if isinstance(out, Sequences) else out.rows


@pytest.mark.parametrize("which", ENCODERS)
def test_shapes_and_what_is_carried(which):
    encoder = make(which)
    tokens = Tokens.from_words([["a", "b", "c"], ["d"]])
    source = Sequences(np.random.default_rng(0).normal(size=(4, D)), [3, 1], tokens)
    out = encoder(source)
    assert encoder.build(D) == out.width
    assert result(out).dtype == torch.float32
    if isinstance(out, Sequences):
        assert out.form.rows.shape == (2, 3, encoder.out_width)
        assert out.tokens is tokens and out.lengths.tolist() == [3, 1]
        assert out.form.mask.tolist() == [[True] * 3, [True, False, False]]
        assert (out.form.rows[1, 1:] == 0).all()
    else:
        assert out.rows.shape == (2, encoder.out_width)
    with pytest.raises(WiringError, match="width"):
        encoder.build(D + 1)


@pytest.mark.parametrize("which", ENCODERS)
def test_a_text_is_the_same_alone_and_in_a_batch(which):
    encoder = make(which)
    rows, lengths = torch.randn(5, 9, D), [4, 9, 0, 1, 2]
    together = result(encoder(padded(rows, lengths)))
    for b, n in enumerate(lengths):
        alone = result(encoder(padded(rows[b : b + 1, :n], [n])))[0]
        assert_close(together[b, :n] if together.dim() == 3 else together[b], alone)


@pytest.mark.parametrize("which", ENCODERS)
def test_what_stands_in_the_padding_changes_nothing(which):
    encoder = make(which)
    rows, lengths = torch.randn(4, 7, D), [7, 3, 0, 5]
    assert_close(result(encoder(padded(rows, lengths, 1e3))), result(encoder(padded(rows, lengths))))


@pytest.mark.parametrize("which", ENCODERS)
def test_texts_without_tokens(which):
    encoder = make(which)
    out = encoder(padded(torch.randn(2, 3, D), [0, 3]))
    assert (result(out)[0] == 0).all() and result(out).isfinite().all()
    nothing = encoder(Sequences(np.zeros((0, D), dtype=np.float32), [0, 0]))
    assert len(nothing) == 2
    assert result(nothing).shape == ((2, 0, encoder.out_width) if which != "attention" else (2, encoder.out_width))
    assert (result(nothing) == 0).all()
    result(nothing).sum().backward()  # parameters take part, with a gradient of zero
    assert any(parameter.grad is not None for parameter in encoder.parameters())
    assert all(p.grad is None or p.grad.isfinite().all() for p in encoder.parameters())


@pytest.mark.parametrize("which", ENCODERS)
def test_every_parameter_and_the_input_learn(which):
    encoder = make(which)
    rows = torch.randn(3, 5, D, requires_grad=True)
    mask = torch.arange(5) < torch.tensor([[5], [2], [4]])
    out = result(encoder(Sequences(rows, [5, 2, 4], mask=mask)))
    (out * torch.randn_like(out)).sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name
    assert (rows.grad[mask].abs().sum(-1) > 0).all()
    assert (rows.grad[~mask] == 0).all()


@pytest.mark.parametrize("which", SEQUENTIAL)
def test_causal_encoders_and_no_others_never_look_ahead(which):
    encoder = make(which)
    rows = torch.randn(2, 6, D)
    changed = rows.clone()
    changed[:, 4] = torch.randn(2, D)
    before = result(encoder(padded(rows, [6, 5])))
    after = result(encoder(padded(changed, [6, 5])))
    assert encoder.causal == (which in CAUSAL)
    assert torch.allclose(before[:, :3], after[:, :3], atol=1e-6) == encoder.causal
    assert not torch.allclose(before[:, 4], after[:, 4], atol=1e-6)


@pytest.mark.parametrize("which", CAUSAL)
@pytest.mark.parametrize("chunk", [1, 3])
def test_stepping_equals_reading_at_once(which, chunk):
    encoder = make(which)
    rows = torch.randn(3, 7, D)
    whole = result(encoder(padded(rows, [7, 7, 7])))
    state, parts = encoder.start(3), []
    for part in rows.split(chunk, 1):
        y, state = encoder.step(part, state)
        parts.append(y)
    assert_close(torch.cat(parts, 1), whole)


@pytest.mark.parametrize("which", CAUSAL)
def test_a_state_is_a_tree_of_tensors_that_can_be_reordered(which):
    encoder = make(which)
    order = torch.tensor([2, 0, 0])
    rows, end = torch.randn(3, 4, D), torch.randn(3, 1, D)
    _, state = encoder.step(rows, encoder.start(3))
    moved, _ = encoder.step(end, take(state, order))
    whole = result(encoder(padded(torch.cat([rows[order], end], 1), [5, 5, 5])))
    assert_close(moved, whole[:, -1:])
    stayed, _ = encoder.step(end, state)  # the state was not used up
    assert_close(stayed, result(encoder(padded(torch.cat([rows, end], 1), [5, 5, 5])))[:, -1:])


@pytest.mark.parametrize("which", ["lstm both ways", "transformer"])
def test_who_sees_the_words_to_come_cannot_step(which):
    with pytest.raises(WiringError, match="cannot read word by word; set"):
        make(which).start(1)


@pytest.mark.parametrize("which", ENCODERS)
def test_state_comes_back_through_json_and_arrays(which):
    encoder = make(which)
    state = encoder.state()
    name, options = ENCODERS[which]
    other = SLOT.load(name)(**options).eval()
    other.load_state(State(state.arrays, json.loads(json.dumps(state.data))), other.version)
    source = padded(torch.randn(2, 5, D), [5, 3])
    assert torch.equal(result(other(source)), result(encoder(source)))


@pytest.mark.parametrize("which", ENCODERS)
def test_bfloat16_is_close(which):
    """On every processor: a layer that this one cannot compute in bf16 is computed in float32, with a warning."""
    encoder = make(which)
    source = padded(torch.randn(3, 6, D), [6, 4, 0])
    warned = (
        pytest.warns(NlpipeWarning, match="cannot compute .* in bfloat16")
        if layers_without_bf16(encoder, "cpu")
        else nullcontext()
    )
    with torch.autocast("cpu", torch.bfloat16), warned:
        low = result(encoder(source))
    assert_close(low.float(), result(encoder(source)), atol=0.08, rtol=0.08)


@pytest.mark.parametrize("which", ENCODERS)
def test_half_precision_features_from_disk_are_taken(which):
    encoder = make(which)
    rows = np.random.default_rng(0).normal(size=(5, D)).astype(np.float16)
    out = encoder(Sequences(rows, [2, 3]))
    assert_close(result(out), result(encoder(Sequences(rows.astype(np.float32), [2, 3]))))


def test_built_after_eval_nothing_is_dropped():
    encoder = SLOT.load("transformer")(heads=2, dropout=0.5).eval()
    encoder.build(D)
    assert not any(module.training for module in encoder.modules())


def test_pooling_alone_gives_vectors():
    assert SLOT.load("attention").gives is Vectors
    assert SLOT.load("lstm").gives is Sequences and SLOT.load("lstm").takes is Sequences
