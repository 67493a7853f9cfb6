"""Networks in ONNX files: those of tiny BERTs give what torch gives, at any length and in any batch."""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import nlpipe
from nlpipe.errors import MissingExtra, ModelError
from nlpipe.representations import Bert
from nlpipe.tokenizers import Whitespace
from nlpipe.wire import Text, Tokens
from tests.tiny_models import corpus, write_encoder

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

from nlpipe.nn.onnx_files import in_8_bits, write_network
from nlpipe.nn.onnx_network import OnnxNetwork


def words(texts: list[str]) -> Tokens:
    return Whitespace().forward(Text(texts))


def vectors(stage: Bert, texts: list[str]) -> np.ndarray:
    """The vectors of all words, (sum of T_b, D)."""
    with torch.inference_mode():
        rows = stage.forward(words(texts)).rows
    return np.asarray(rows)


def built(directory: str, **options: Any) -> Bert:
    stage = Bert(directory, **{"precision": "fp32", **options})
    stage.build(0)
    stage.freeze(False)
    return stage


Pair = tuple[Bert, Bert]


@pytest.fixture(
    scope="module",
    params=[("bert", {"trainable": True}), ("roberta", {}), ("bert", {"layers": "mix"})],
    ids=["bert", "roberta", "mix"],
)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """A stage, and the same computed by ONNX Runtime, saved and loaded."""
    kind, options = request.param
    directory = write_encoder(kind, tmp_path_factory.mktemp("model") / kind)
    ours, exported, theirs = built(directory, **options), built(directory, **options), Bert(directory, **options)
    if ours.mixture is not None:
        with torch.no_grad():
            ours.mixture.copy_(torch.arange(4.0))
            exported.mixture.copy_(torch.arange(4.0))  # type: ignore[union-attr]
    exported.use_onnx(exported.to_onnx())
    theirs.load_state(exported.state(), theirs.version)
    theirs.freeze(False)
    return ours, theirs


def test_every_length_and_batch_gives_the_same_vectors(pair: Pair) -> None:
    ours, theirs = pair
    text = " ".join(corpus())
    letters = [text[:count] for count in (1, 2, 3, 5, 17, 40, 200)]
    for texts in [["a"], [letters[4]], letters, ["", *letters, ""], corpus()]:
        assert np.abs(vectors(ours, texts) - vectors(theirs, texts)).max() < 1e-4


def test_all_lengths_that_a_window_may_have(pair: Pair) -> None:
    ours, theirs = pair
    capacity = ours._capacity
    for length in range(1, capacity + 2):  # one window of each length, then two
        text = " ".join("a" for _ in range(length))
        assert np.abs(vectors(ours, [text]) - vectors(theirs, [text])).max() < 1e-4, length


def test_a_text_is_the_same_alone_and_in_a_batch(pair: Pair) -> None:
    _, theirs = pair
    texts = corpus()[:8]
    together = vectors(theirs, texts)
    alone = np.concatenate([vectors(theirs, [text]) for text in texts])
    assert np.abs(together - alone).max() < 1e-4


def test_it_is_frozen_and_keeps_no_weights(pair: Pair) -> None:
    _, theirs = pair
    state = theirs.state()
    assert state.files and not state.arrays
    assert str(Path(nlpipe.__file__).parent).encode() not in state.files["onnx"]  # nor paths of this machine
    assert not theirs.trainable and theirs.costly and not list(theirs.parameters())
    assert theirs.pretrained_parameters() == []


def test_copies_compute_too(pair: Pair) -> None:
    _, theirs = pair
    assert (vectors(copy.deepcopy(theirs), ["a b"]) == vectors(theirs, ["a b"])).all()


def test_what_an_onnx_file_cannot_be_asked_for(pair: Pair, tmp_path: Path) -> None:
    _, theirs = pair
    with pytest.raises(ModelError, match="export the run that it was exported from"):
        theirs.export(tmp_path / "new")
    with pytest.raises(ModelError, match="is an ONNX file already"):
        theirs.to_onnx()
    assert not (tmp_path / "new").exists()


def test_8_bits_are_near_and_small(pair: Pair) -> None:
    ours, theirs = pair
    content = theirs.state().files["onnx"]
    small = in_8_bits(content)
    assert len(small) < len(content)
    eight = copy.deepcopy(theirs)
    eight.use_onnx(small)
    exact, near = vectors(ours, corpus()), vectors(eight, corpus())
    assert 0 < np.abs(exact - near).mean() < 0.2 * np.abs(exact).mean()


def test_a_content_that_is_no_network_is_told() -> None:
    with pytest.raises(ModelError, match=r"ONNX Runtime .* cannot read the network"):
        OnnxNetwork(b"not an ONNX file")


class Choosing(nn.Module):
    """Does one thing or another by the values of its input, which a file of one computation cannot."""

    def forward(self, x: Tensor) -> Tensor:
        return x * 2 if bool(x.sum() > 3) else x - 1


def test_a_network_that_cannot_be_written_is_told() -> None:
    with pytest.raises(ModelError, match="cannot write its network: "):
        write_network(Choosing(), {"x": (torch.ones(4, dtype=torch.long), {0: "time"})})


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch, pair: Pair) -> None:
    _, theirs = pair
    state = theirs.state()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtra, match=r'needs the package .onnxruntime.*pip install "nlpipe\[onnx\]"'):
        Bert(theirs.name, **{k: v for k, v in theirs.options.items() if k != "model"}).load_state(state, 1)
    with pytest.raises(MissingExtra, match="export to onnx"):
        in_8_bits(state.files["onnx"])
