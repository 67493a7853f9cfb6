import contextlib

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from nlpipe.encoders.transformer import Transformer
from nlpipe.errors import DataError, ModelError, NlpipeWarning, WiringError
from nlpipe.nn.positions import sinusoids
from nlpipe.stage import State
from nlpipe.wire import Sequences


def whole(rows):
    return Sequences(rows, [rows.shape[1]] * len(rows), mask=torch.ones(rows.shape[:2], dtype=torch.bool))


def test_encoder_equals_torch_with_positions_added():
    torch.manual_seed(0)
    ours = Transformer(layers=2, heads=2, hidden=8, feed_forward=12, activation="relu", width=5).eval()
    layer = nn.TransformerEncoderLayer(8, 2, 12, norm_first=True, batch_first=True)
    theirs = nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(8), enable_nested_tensor=False).eval()
    for mine, other in zip(ours.layers, theirs.layers, strict=True):
        other.self_attn.in_proj_weight.data.copy_(mine.attention.query_key_value.weight)
        other.self_attn.out_proj.weight.data.copy_(mine.attention.output.weight)
        other.linear1.load_state_dict(mine.feed_forward[0].state_dict())
        other.linear2.load_state_dict(mine.feed_forward[3].state_dict())
    rows = torch.randn(2, 6, 5)
    expected = theirs(ours.project(rows) + sinusoids(6, 8))
    assert_close(ours(whole(rows)).form.rows, expected)


@pytest.mark.parametrize("positions", ["sinusoidal", "learned", "rotary"])
def test_positions_tell_the_order(positions):
    torch.manual_seed(0)
    encoder = Transformer(heads=2, positions=positions, width=8).eval()
    rows = torch.randn(1, 5, 8)
    turned = encoder(whole(rows.flip(1))).form.rows.flip(1)
    assert (turned - encoder(whole(rows)).form.rows).abs().max() > 1e-3


def test_without_positions_a_text_is_a_set():
    encoder = Transformer(heads=2, positions="none", width=8).eval()
    rows = torch.randn(1, 5, 8)
    assert_close(encoder(whole(rows.flip(1))).form.rows.flip(1), encoder(whole(rows)).form.rows)


def test_heads_that_do_not_fit():
    with pytest.raises(ValueError, match="heads: 3 do not divide hidden: 128"):
        Transformer(heads=3, hidden=128)
    with pytest.raises(WiringError, match="4 heads do not divide inputs of width 50; set hidden"):
        Transformer(heads=4).build(50)


def test_a_text_beyond_the_learned_positions_is_named():
    encoder = Transformer(heads=1, positions="learned", max_length=4, width=2)
    assert encoder(whole(torch.zeros(1, 4, 2))).form.rows.shape == (1, 4, 2)
    with pytest.raises(DataError, match="5 tokens"):
        encoder(whole(torch.zeros(1, 5, 2)))


@pytest.mark.parametrize(
    "options", [{"positions": "sinusoidal"}, {"positions": "rotary", "causal": True}, {"positions": "learned"}], ids=str
)
def test_onnx_runtime_computes_it_alike_for_every_length(options):
    pytest.importorskip("onnxscript")
    torch.manual_seed(0)
    ours = Transformer(layers=1, heads=2, hidden=8, max_length=16, width=6, **options).eval()
    theirs = Transformer(layers=1, heads=2, hidden=8, max_length=16, **options)
    theirs.load_state(State({}, {**ours.state().data, "out_width": 8}, {"onnx": ours.to_onnx()}), 1)
    told = pytest.warns(NlpipeWarning, match="longer than the 16 learned positions")
    with told if options["positions"] == "learned" else contextlib.nullcontext():
        for lengths in ([1], [0], [2, 1], [0, 3], [16, 15, 0], [511, 512, 7]):
            rows = torch.randn(sum(lengths), 6)
            pair = [encoder.forward(Sequences(rows, lengths)).form for encoder in (ours, theirs)]
            assert_close(pair[0].rows, pair[1].rows, rtol=1e-4, atol=1e-5)
    assert theirs.out_width == 8 and not theirs.trainable and not list(theirs.parameters())
    with pytest.raises(ModelError, match="an ONNX file already"):
        theirs.to_onnx()
