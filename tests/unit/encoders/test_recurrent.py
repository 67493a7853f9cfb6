import pytest
import torch
from torch import nn
from torch.testing import assert_close

from nlpipe.encoders.recurrent import GRU, LSTM, RNN
from nlpipe.nn.padding import reversal
from nlpipe.nn.precision import bf16_pays
from nlpipe.wire import Sequences


def torch_twin(ours, width):
    """The module of torch with the same weights."""
    theirs = ours.cell(width, ours.hidden, ours.depth, batch_first=True, bidirectional=ours.bidirectional)
    for layer in range(ours.depth):
        for suffix, cells in (("", ours.forwards), ("_reverse", ours.backwards)):
            if len(cells):
                for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                    getattr(theirs, f"{name}_l{layer}{suffix}").data.copy_(getattr(cells[layer], f"{name}_l0"))
    return theirs


@pytest.mark.parametrize("kind", [RNN, LSTM, GRU])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
def test_each_text_is_what_torch_makes_of_it_alone(kind, bidirectional, layers):
    torch.manual_seed(0)
    ours = kind(hidden=4, layers=layers, bidirectional=bidirectional, width=3)
    theirs = torch_twin(ours, 3)
    rows, lengths = torch.randn(4, 6, 3), [6, 1, 4, 3]
    out = ours(Sequences(rows, lengths, mask=torch.arange(6) < torch.tensor(lengths)[:, None]))
    for b, n in enumerate(lengths):
        assert_close(out.form.rows[b, :n], theirs(rows[b : b + 1, :n])[0][0])


def test_reversal_turns_within_the_length():
    mask = torch.tensor([[True, True, True], [True, True, False], [False, False, False]])
    order = reversal(mask, torch.tensor([3, 2, 0]))
    assert order.view(3, 3).tolist() == [[2, 1, 0], [4, 3, 5], [6, 7, 8]]


def test_dropout_acts_on_the_inputs_of_each_layer_in_training_only():
    torch.manual_seed(0)
    lstm = LSTM(hidden=4, dropout=0.5, width=3)
    source = Sequences(torch.randn(1, 8, 3), [8], mask=torch.ones(1, 8, dtype=torch.bool))
    assert not torch.equal(lstm(source).form.rows, lstm(source).form.rows)
    lstm.eval()
    assert torch.equal(lstm(source).form.rows, lstm(source).form.rows)


def test_a_plain_module_for_anybody_s_model():
    model = nn.Sequential(LSTM(hidden=4, width=3), GRU(hidden=2, width=4))
    assert len(list(model.parameters())) == 8
    out = model.double()(Sequences(torch.randn(2, 3, 3), [3, 3], mask=torch.ones(2, 3, dtype=torch.bool)))
    assert out.form.rows.shape == (2, 3, 2) and out.form.rows.dtype == torch.float64


@pytest.mark.parametrize("kind", [LSTM, GRU])
def test_it_answers_in_bf16_where_a_pipeline_lets_it(kind):
    torch.manual_seed(0)
    ours = kind(hidden=128, bidirectional=True, width=100).eval()
    source = Sequences(torch.randn(3, 20, 100), [20, 1, 7], mask=torch.arange(20) < torch.tensor([[20], [1], [7]]))
    with torch.no_grad():
        exact = ours(source).form.rows
        ours.bf16 = True
        rough = ours(source).form.rows
    assert rough.dtype == torch.float32
    assert torch.equal(rough, exact) != bf16_pays(ours, "cpu")  # on a processor without bf16 nothing changes
    assert_close(rough, exact, rtol=0.0, atol=0.02)
    assert_close(ours(source).form.rows, exact)  # with gradients the trainer decides
