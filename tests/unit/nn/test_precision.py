"""bfloat16 on any processor: it is used where it exists, and float32 stands in where it does not."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import warnings

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from nlpipe.errors import NlpipeWarning
from nlpipe.nn.precision import RecurrentKind, bf16_pays, computes_in_bf16, cpu_has_bf16, layers_without_bf16
from nlpipe.nn.recurrent_layer import run_layer
from nlpipe.training.device import choose_precision

KINDS: dict[RecurrentKind, type[nn.RNNBase]] = {"RNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}


@pytest.fixture
def without_lstm(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor that has bf16, but not for an LSTM."""
    for module in ("nlpipe.nn.recurrent_layer", "nlpipe.nn.precision"):
        monkeypatch.setattr(f"{module}.computes_in_bf16", lambda kind: kind != "LSTM")
    monkeypatch.setattr("nlpipe.nn.precision.cpu_has_bf16", lambda: True)


@pytest.mark.parametrize("kind", KINDS)
def test_the_probe_says_what_happens_and_draws_no_random_number(kind: RecurrentKind) -> None:
    computes_in_bf16.cache_clear()
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    with torch.inference_mode():
        answer = computes_in_bf16(kind)
    assert torch.equal(torch.rand(1), expected)
    layer, x = KINDS[kind](16, 12, batch_first=True), torch.randn(3, 5, 16)
    with torch.autocast("cpu", torch.bfloat16):
        if answer:
            assert layer(x)[0].isfinite().all()
        else:
            with pytest.raises(RuntimeError):
                layer(x)


@pytest.mark.parametrize("stepping", [False, True])
@pytest.mark.usefixtures("without_lstm")
def test_a_layer_without_bf16_computes_in_float32_and_warns(stepping: bool) -> None:
    torch.manual_seed(0)
    layer = nn.LSTM(4, 3, batch_first=True)
    x = torch.randn(2, 5, 4)
    state = (torch.randn(2, 3), torch.randn(2, 3)) if stepping else None
    expected, after = run_layer(layer, x, state)
    half = None if state is None else tuple(tensor.bfloat16() for tensor in state)
    with torch.autocast("cpu", torch.bfloat16):
        with pytest.warns(NlpipeWarning, match="cannot compute .* kind LSTM in bfloat16") as caught:
            rows, moved = run_layer(layer, x.bfloat16(), half)
        rows.sum().backward()
    assert len(caught) == 1
    assert rows.dtype == torch.float32
    assert_close(rows, expected, atol=0.02, rtol=0.02)  # the inputs were rounded
    assert_close(moved, after, atol=0.02, rtol=0.02)
    with warnings.catch_warnings():  # nothing to say of layers that have it
        warnings.simplefilter("error")
        with torch.autocast("cpu", torch.bfloat16):
            run_layer(nn.GRU(4, 3, batch_first=True), x)


@pytest.mark.usefixtures("without_lstm")
def test_training_falls_back_as_a_whole_and_says_so_once() -> None:
    model = nn.Sequential(nn.Linear(1000, 1000), nn.LSTM(4, 3), nn.LSTM(3, 3))
    assert layers_without_bf16(model, "cpu") == ["LSTM"]
    assert layers_without_bf16(model, "cuda") == []
    assert not bf16_pays(model, "cpu")
    assert choose_precision("auto", "cpu", model) == "fp32"
    assert choose_precision("fp32", "cpu", model) == "fp32"
    with pytest.warns(
        NlpipeWarning, match="trainer.precision: bf16: .* LSTM in bfloat16; training is in fp32"
    ) as caught:
        assert choose_precision("bf16", "cpu", model) == "fp32"
    assert len(caught) == 1
    assert choose_precision("bf16", "cpu", nn.GRU(4, 3)) == "bf16"
    assert bf16_pays(nn.GRU(50, 128), "cpu")


def test_a_processor_without_avx512_is_met_in_a_process_of_its_own() -> None:
    """oneDNN and torch are told to use AVX2 at most; processors of other kinds ignore that, and must pass too."""
    program = textwrap.dedent("""
        import warnings, torch
        from nlpipe.encoders import LSTM
        from nlpipe.wire import Sequences
        torch.manual_seed(0)
        lstm = LSTM(hidden=128, bidirectional=True, width=100).eval()
        source = Sequences(torch.randn(2, 5, 100), [5, 5], mask=torch.ones(2, 5, dtype=torch.bool))
        warnings.simplefilter("ignore")
        with torch.autocast("cpu", torch.bfloat16):
            forced = lstm(source).form.rows.float()
        lstm.bf16 = True
        with torch.no_grad():
            allowed = lstm(source).form.rows
        lstm.bf16 = False
        exact = lstm(source).form.rows
        assert (forced - exact).abs().max() < 0.05 and (allowed - exact).abs().max() < 0.05
    """)
    told = {**os.environ, "ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
    done = subprocess.run([sys.executable, "-c", program], env=told, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_few_weights_are_left_in_float32() -> None:
    assert not bf16_pays(nn.Linear(100, 100), "cpu")
    assert not bf16_pays(nn.LSTM(8, 8), "cpu")
    assert bf16_pays(nn.Linear(1000, 1000), "cpu") == cpu_has_bf16()
    assert not bf16_pays(nn.Linear(1000, 1000), "mps")
