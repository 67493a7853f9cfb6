"""What a stage derives from its weights is never older than the weights."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from nlpipe.encoders.recurrent import GRU, LSTM, RNN, Recurrent
from nlpipe.nn.neural import Neural
from nlpipe.nn.packed_lstm import PackedLSTM
from nlpipe.nn.recurrent_layer import ready_layer, run_layer
from nlpipe.wire import Sequences


class Doubler(Neural[Sequences, Sequences]):
    """A stage that counts how often it derives something from its weight."""

    def __init__(self) -> None:
        super().__init__()
        self.made = 0

    def allocate(self, width: int) -> int:
        self.weight = nn.Parameter(torch.ones(width))
        return width

    def doubled(self) -> torch.Tensor:
        def make() -> torch.Tensor:
            self.made += 1
            return self.weight.detach() * 2

        return self.from_weights("doubled", make)

    def forward(self, source: Sequences) -> Sequences:
        return source


def doubler() -> Doubler:
    stage = Doubler()
    assert (stage.device, stage.dtype) == (torch.device("cpu"), torch.float32)  # also before there is a parameter
    stage.build(3)
    return stage.eval()


def test_it_is_made_once() -> None:
    stage = doubler()
    assert stage.doubled() is stage.doubled()
    assert stage.made == 1


def change_in_place(stage: Doubler) -> None:
    with torch.no_grad():
        stage.weight.add_(1.0)


def step_of_an_optimizer(stage: Doubler) -> None:
    optimizer = torch.optim.SGD(stage.parameters(), lr=1.0)
    stage.weight.sum().backward()
    optimizer.step()


def load(stage: Doubler) -> None:
    nn.Sequential(stage).load_state_dict({"0.weight": torch.full((3,), 5.0)})


def replace_data(stage: Doubler) -> None:
    """Autograd does not see this; beginning or ending training does."""
    stage.weight.data.fill_(7.0)
    stage.eval()


@pytest.mark.parametrize("change", [change_in_place, step_of_an_optimizer, load, replace_data])
def test_a_changed_weight_is_seen(change) -> None:
    stage = doubler()
    stage.doubled()
    change(stage)
    assert torch.equal(stage.doubled(), stage.weight.detach() * 2)
    assert stage.made == 2


def test_moves_and_conversions_are_seen_also_within_another_module() -> None:
    stage = doubler()
    stage.doubled()
    nn.Sequential(stage).double()
    assert stage.dtype == torch.float64 and stage.doubled().dtype == torch.float64
    nn.Sequential(stage).to("meta")
    assert stage.device.type == "meta"


def test_copies_derive_their_own() -> None:
    stage = doubler()
    stage.doubled()
    other = copy.deepcopy(stage)
    change_in_place(other)
    assert torch.equal(other.doubled(), torch.full((3,), 4.0))
    assert torch.equal(stage.doubled(), torch.full((3,), 2.0))
    assert list(stage.state_dict()) == ["weight"]


@pytest.mark.parametrize("kind", [RNN, LSTM, GRU])
def test_an_encoder_in_eval_mode_answers_with_the_weights_it_has(kind: type[Recurrent]) -> None:
    torch.manual_seed(0)
    encoder = kind(hidden=4, layers=2, bidirectional=True, width=3).eval()
    source = Sequences(torch.randn(2, 5, 3), [5, 2], mask=torch.arange(5) < torch.tensor([[5], [2]]))

    def rows() -> torch.Tensor:
        return encoder(source).padded()[0].detach()

    for _ in range(2):
        with torch.no_grad():
            predicted = rows()
        assert_close(predicted, rows())  # with gradients nothing is derived from the weights
        with torch.no_grad():
            for parameter in encoder.parameters():
                parameter.add_(0.1)
    assert not torch.allclose(predicted, rows(), atol=1e-3)
    with torch.no_grad():
        assert_close(copy.deepcopy(encoder)(source).padded()[0], rows())


@pytest.mark.parametrize(("batch", "time"), [(1, 1), (1, 30), (3, 4), (40, 7), (0, 3)])
@pytest.mark.parametrize("given", [False, True])
@torch.no_grad()
def test_a_ready_layer_gives_the_same_numbers(batch: int, time: int, given: bool) -> None:
    torch.manual_seed(0)
    layer = nn.LSTM(5, 6, batch_first=True)
    x = torch.randn(batch, time, 5)
    state = (torch.randn(batch, 6), torch.randn(batch, 6)) if given else None
    ready = ready_layer(layer, torch.float32)
    rows, after = run_layer(ready, x, state)
    expected, expected_after = run_layer(layer, x, state)
    assert torch.equal(rows, expected)
    assert all(torch.equal(one, other) for one, other in zip(after, expected_after, strict=True))


def test_inputs_of_another_width_are_refused() -> None:
    ready = ready_layer(nn.LSTM(5, 6, batch_first=True), torch.float32)
    with pytest.raises(ValueError, match="from 5 to 6 features was given inputs \\(2, 3, 4\\)"):
        ready(torch.zeros(2, 3, 4))
    with pytest.raises(ValueError, match="a state \\(3, 6\\)"):
        run_layer(ready, torch.zeros(2, 3, 5), (torch.zeros(3, 6), torch.zeros(3, 6)))


def test_where_weights_cannot_be_packed_the_layer_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = nn.LSTM(5, 6, batch_first=True)
    monkeypatch.setattr("torch.ops.mkldnn._reorder_mkldnn_rnn_layer_weight", None)
    with pytest.raises(RuntimeError, match="packs the weights"):
        PackedLSTM(layer, torch.float32)
    assert ready_layer(layer, torch.float32) is layer
    gru = nn.GRU(5, 6, batch_first=True)
    assert ready_layer(gru, torch.float32) is gru
    assert next(ready_layer(gru, torch.bfloat16).parameters()).dtype == torch.bfloat16
    assert next(gru.parameters()).dtype == torch.float32
