import pytest
import torch
from torch.testing import assert_close

from nlpipe.encoders.convolution import Convolution
from nlpipe.wire import Sequences


def test_equals_the_sum_over_the_words_a_filter_spans():
    torch.manual_seed(0)
    encoder = Convolution(widths=[2, 3], filters=2, width=3)
    rows = torch.randn(4, 3)  # one text of 4 words
    out = encoder(Sequences(rows, [4])).form.rows[0]
    for group, span, columns in zip(encoder.groups, [2, 3], [slice(0, 2), slice(2, 4)], strict=True):
        for t in range(4):
            total = group.bias.clone()
            for k in range(span):
                place = t + k - (span - 1) // 2
                if 0 <= place < 4:
                    total += group.weight[:, :, k] @ rows[place]
            assert_close(out[t, columns], total.clamp(min=0))


def test_a_text_shorter_than_the_filters():
    encoder = Convolution(widths=[5], filters=2, width=3)
    assert encoder(Sequences(torch.randn(1, 3), [1])).form.rows.shape == (1, 1, 2)


def test_needs_a_width_of_filter():
    with pytest.raises(ValueError, match="leaves no filters"):
        Convolution(widths=[])


def test_default_widths_are_not_shared():
    first = Convolution()
    first.widths.append(9)
    assert Convolution().widths == [3, 4, 5]
