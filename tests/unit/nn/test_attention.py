import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from nlpipe.errors import WiringError
from nlpipe.nn.attention import CrossAttention, SelfAttention, attend, attention_weights, causal_mask
from nlpipe.nn.key_value_cache import KeyValueCache
from nlpipe.nn.positions import Rotary


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(1)


def naive(query, key, value, visible):
    """The formula in loops over examples, heads, queries and keys; nothing seen gives zeros."""
    out = torch.zeros(*query.shape[:3], value.shape[-1])
    for b in range(query.shape[0]):
        for h in range(query.shape[1]):
            for t in range(query.shape[2]):
                seen = [s for s in range(key.shape[2]) if visible[b][t][s]]
                if not seen:
                    continue
                scores = [math.exp(float(query[b, h, t] @ key[b, h, s]) / math.sqrt(query.shape[-1])) for s in seen]
                for score, s in zip(scores, seen, strict=True):
                    out[b, h, t] += score / sum(scores) * value[b, h, s]
    return out


def test_attend_is_the_formula():
    query, key, value = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 6, 5), torch.randn(2, 3, 6, 5)
    visible = torch.rand(2, 4, 6) < 0.5
    visible[1, 2] = False  # a query that sees nothing
    expected = naive(query, key, value, visible.tolist())
    assert_close(attend(query, key, value, visible[:, None]), expected)
    assert_close(attention_weights(query, key, visible[:, None]) @ value, expected)
    everything = naive(query, key, value, torch.ones(2, 4, 6).tolist())
    assert_close(attend(query, key, value, None), everything)


def test_attend_to_nothing_at_all():
    query = torch.randn(2, 1, 3, 4, requires_grad=True)
    nothing = torch.randn(2, 1, 0, 4)
    seen = attend(query, nothing, nothing, torch.ones(2, 1, 1, 0, dtype=torch.bool))
    assert torch.equal(seen, torch.zeros(2, 1, 3, 4))


def test_causal_mask():
    seen = [[True, False, False], [True, True, False], [True, True, True]]
    assert causal_mask(3, torch.device("cpu")).tolist() == seen


def torch_attention(ours, dim):
    theirs = nn.MultiheadAttention(dim, ours.heads, batch_first=True)
    with torch.no_grad():
        if isinstance(ours, SelfAttention):
            theirs.in_proj_weight.copy_(ours.query_key_value.weight)
            theirs.in_proj_bias.copy_(ours.query_key_value.bias)
        else:
            theirs.in_proj_weight.copy_(torch.cat([ours.query.weight, ours.key_value.weight]))
            theirs.in_proj_bias.copy_(torch.cat([ours.query.bias, ours.key_value.bias]))
        theirs.out_proj.weight.copy_(ours.output.weight)
        theirs.out_proj.bias.copy_(ours.output.bias)
    return theirs


def shake(module):
    """Biases start at zero; tests need them to count."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return module


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("padded", [False, True])
def test_self_attention_equals_torch(causal, padded):
    ours = shake(SelfAttention(12, 3))
    theirs = torch_attention(ours, 12)
    x = torch.randn(2, 5, 12)
    mask = torch.tensor([[True] * 5, [True] * 3 + [False] * 2]) if padded else None
    hidden = None if mask is None else ~mask
    ahead = ~causal_mask(5, x.device) if causal else None
    expected, _ = theirs(x, x, x, key_padding_mask=hidden, attn_mask=ahead)
    assert_close(ours(x, mask, causal), expected)


def test_cross_attention_equals_torch():
    ours = shake(CrossAttention(8, 2))
    theirs = torch_attention(ours, 8)
    x, memory = torch.randn(3, 4, 8), torch.randn(3, 6, 8)
    mask = torch.arange(6) < torch.tensor([[6], [2], [1]])
    expected, weights = theirs(x, memory, memory, key_padding_mask=~mask, average_attn_weights=False)
    remembered = ours.remember(memory, mask)
    assert_close(ours(x, remembered), expected)
    rows, our_weights = ours.step(x.flatten(0, 1), remembered)
    assert_close(rows.view_as(x), expected)
    assert_close(our_weights, weights)


def test_cross_attention_serves_several_hypotheses_from_one_memory():
    ours = CrossAttention(8, 2, memory_dim=5)
    memory, mask = torch.randn(3, 6, 5), torch.arange(6) < torch.tensor([[6], [2], [0]])
    x = torch.randn(12, 2, 8)  # 4 hypotheses of each of 3 texts
    copied = ours.remember(memory.repeat_interleave(4, 0), mask.repeat_interleave(4, 0))
    assert_close(ours(x, ours.remember(memory, mask)), ours(x, copied))


def test_a_text_without_tokens_is_never_nan_and_has_gradients():
    x = torch.randn(2, 3, 8, requires_grad=True)
    mask = torch.tensor([[True, True, False], [False, False, False]])
    attention, cross = SelfAttention(8, 2), CrossAttention(8, 2)
    for causal in (False, True):
        assert attention(x, mask, causal).isfinite().all()
    y = cross(x, cross.remember(x, mask))
    assert_close(y[1], cross.output.bias.expand(3, 8))
    assert_close(cross.step(x.flatten(0, 1), cross.remember(x, mask))[0].view_as(y), y)
    (attention(x, mask).sum() + y.sum()).backward()
    assert x.grad.isfinite().all()
    empty = cross(x, cross.remember(torch.zeros(2, 0, 8), torch.zeros(2, 0, dtype=torch.bool)))
    assert_close(empty, cross.output.bias.expand(2, 3, 8))


def step(attention, x, cache):
    """The next tokens ``x`` (N, T, D) of texts that ``cache`` holds: (N, T, D), and the new cache."""
    cache = cache.extend(len(x), x.shape[1])
    return attention.step(x.flatten(0, 1), cache, 0).view_as(x), cache


@pytest.mark.parametrize("rotary", [False, True])
@pytest.mark.parametrize("chunk", [1, 3])
def test_stepping_equals_the_causal_pass(rotary, chunk):
    attention = SelfAttention(12, 3, rotary=Rotary(4) if rotary else None)
    x = torch.randn(2, 7, 12)
    cache, steps = KeyValueCache(1, 3, 4, x, 2), []
    with torch.no_grad():
        for part in x.split(chunk, 1):
            y, cache = step(attention, part, cache)
            steps.append(y)
        assert_close(torch.cat(steps, 1), attention(x, causal=True))


@torch.no_grad()
def test_a_cache_can_be_reordered_and_continued_twice():
    attention = SelfAttention(8, 2)
    x, ends = torch.randn(2, 3, 8), torch.randn(2, 2, 1, 8)
    _, cache = step(attention, x, KeyValueCache(1, 2, 4, x, 2))
    turned = cache.take(torch.tensor([1, 0]))
    for end in ends:
        assert_close(step(attention, end, cache)[0], attention(torch.cat([x, end], 1), causal=True)[:, -1:])
        assert_close(step(attention, end, turned)[0], attention(torch.cat([x[[1, 0]], end], 1), causal=True)[:, -1:])


def test_rotary_tells_order_where_nothing_else_does():
    x = torch.randn(1, 4, 8)
    turned = x[:, [3, 1, 2, 0]]
    plain, rotary = SelfAttention(8, 2), SelfAttention(8, 2, rotary=Rotary(4))
    assert_close(plain(x)[:, [3, 1, 2, 0]], plain(turned))
    assert not torch.allclose(rotary(x)[:, [3, 1, 2, 0]], rotary(turned), atol=1e-3)


def test_dropout_acts_in_training_only():
    attention = SelfAttention(8, 2, dropout=0.5)
    x = torch.randn(1, 20, 8)
    assert not torch.equal(attention(x), attention(x))
    attention.eval()
    assert torch.equal(attention(x), attention(x))


def test_heads_must_divide_the_width():
    with pytest.raises(
        WiringError, match="3 heads do not divide a width of 8; choose another number of heads, or a width that"
    ):
        SelfAttention(8, 3)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("padded", [False, True])
def test_bfloat16_takes_another_way_to_the_same_end(causal, padded):
    attention = SelfAttention(12, 3)
    x = torch.randn(2, 6, 12)
    mask = torch.tensor([[True] * 4 + [False] * 2, [False] * 6]) if padded else None
    with torch.autocast("cpu", torch.bfloat16):
        low = attention(x, mask, causal)
    assert low.dtype == torch.bfloat16
    assert_close(low.float(), attention(x, mask, causal), atol=0.03, rtol=0.03)
