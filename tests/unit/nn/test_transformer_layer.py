import pytest
import torch
from torch import nn
from torch.testing import assert_close

from nlpipe.nn.key_value_cache import KeyValueCache
from nlpipe.nn.positions import Rotary
from nlpipe.nn.transformer_layer import TransformerLayer


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(2)


def copy(theirs, ours, names):
    for target, source in names.items():
        their = theirs.get_submodule(target) if target else theirs
        our = ours.get_submodule(source)
        their.load_state_dict(our.state_dict())


def shake(module):
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return module


def copy_attention(theirs, weights, biases, output):
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat(weights))
        theirs.in_proj_bias.copy_(torch.cat(biases))
    theirs.out_proj.load_state_dict(output.state_dict())


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_layer_equals_torch(norm, activation):
    ours = shake(TransformerLayer(12, 3, 20, norm=norm, activation=activation)).eval()
    theirs = nn.TransformerEncoderLayer(
        12, 3, 20, activation=activation, norm_first=norm == "pre", batch_first=True
    ).eval()
    own = ours.attention
    copy_attention(theirs.self_attn, [own.query_key_value.weight], [own.query_key_value.bias], own.output)
    names = {
        "linear1": "feed_forward.0",
        "linear2": "feed_forward.3",
        "norm1": "around_attention.norm",
        "norm2": "around_feed_forward.norm",
    }
    copy(theirs, ours, names)
    x = torch.randn(2, 5, 12, requires_grad=True)  # gradients keep torch on its plain path
    mask = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    assert_close(ours(x, mask)[mask], theirs(x, src_key_padding_mask=~mask)[mask])


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_layer_with_a_memory_equals_torch(norm):
    ours = shake(TransformerLayer(8, 2, 16, norm=norm, activation="relu", memory_dim=8)).eval()
    theirs = nn.TransformerDecoderLayer(8, 2, 16, norm_first=norm == "pre", batch_first=True).eval()
    own, cross = ours.attention, ours.cross
    copy_attention(theirs.self_attn, [own.query_key_value.weight], [own.query_key_value.bias], own.output)
    copy_attention(
        theirs.multihead_attn,
        [cross.query.weight, cross.key_value.weight],
        [cross.query.bias, cross.key_value.bias],
        cross.output,
    )
    names = {
        "linear1": "feed_forward.0",
        "linear2": "feed_forward.3",
        "norm1": "around_attention.norm",
        "norm2": "around_cross.norm",
        "norm3": "around_feed_forward.norm",
    }
    copy(theirs, ours, names)
    x, memory = torch.randn(2, 5, 8), torch.randn(2, 4, 8)
    mask = torch.tensor([[True] * 4, [True, False, False, False]])
    hidden = nn.Transformer.generate_square_subsequent_mask(5)
    expected = theirs(x, memory, tgt_mask=hidden, memory_key_padding_mask=~mask, tgt_is_causal=True)
    assert_close(ours(x, causal=True, memory=ours.remember(memory, mask)), expected)


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("rotary", [False, True])
@pytest.mark.parametrize("chunk", [1, 2])
def test_stepping_equals_the_causal_pass(norm, rotary, chunk):
    layer = TransformerLayer(8, 2, 16, norm=norm, rotary=Rotary(4) if rotary else None, memory_dim=6).eval()
    x = torch.randn(4, 5, 8)  # 2 hypotheses of each of 2 texts
    memory = layer.remember(torch.randn(2, 3, 6), torch.tensor([[True, True, True], [True, False, False]]))
    cache, steps = KeyValueCache(1, 2, 4, x, 4), []
    for part in x.split(chunk, 1):
        cache = cache.extend(4, part.shape[1])
        rows, weights = layer.step(part.flatten(0, 1), cache, 0, memory)
        steps.append(rows.view_as(part))
        assert weights.shape == (2, 2, 2 * part.shape[1], 3)
        assert_close(weights.sum(-1), torch.ones(2, 2, 2 * part.shape[1]))
        assert (weights[1, :, :, 1:] == 0).all()
    assert_close(torch.cat(steps, 1), layer(x, causal=True, memory=memory))


def test_every_parameter_learns():
    layer = TransformerLayer(8, 2, 16, memory_dim=6)
    memory = layer.remember(torch.randn(2, 3, 6), torch.ones(2, 3, dtype=torch.bool))
    layer(torch.randn(2, 4, 8), memory=memory).pow(2).sum().backward()
    for name, parameter in layer.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name
