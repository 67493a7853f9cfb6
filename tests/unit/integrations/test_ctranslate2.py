"""A transformer written for CTranslate2 scores and translates as it does here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nlpipe.cli.app import app
from nlpipe.decoders import GRU
from nlpipe.decoders import Transformer as Decoder
from nlpipe.encoders import Transformer
from nlpipe.errors import ModelError, NlpipeError
from nlpipe.heads import Seq2Seq
from nlpipe.integrations.ctranslate2 import export_ctranslate2
from nlpipe.pipeline import Pipeline
from nlpipe.representations import Embedding
from nlpipe.tokenizers import Whitespace
from nlpipe.wire import Text

torch.set_num_threads(1)
NUMBERS = {"one": "eins", "two": "zwei", "three": "drei", "four": "vier", "five": "fünf", "six": "sechs"}


def fitted(decoder: Any = None, joint: bool = True, scaled: bool = True, **shape: Any) -> Pipeline:
    """A translator of numbers, trained for a moment, so that its answers differ from sentence to sentence."""
    random = np.random.default_rng(0)
    sources = [" ".join(random.choice([*NUMBERS], random.integers(1, 6))) for _ in range(60)]
    targets = [" ".join(NUMBERS[word] for word in source.split()) for source in sources]
    shape = {"layers": 2, "heads": 2, "feed_forward": 24, "dropout": 0.0, **shape}
    head = Seq2Seq(
        Decoder(**{**shape, "heads": 4}) if decoder is None else decoder,
        tokenizer="joint" if joint else Whitespace(lowercase=False), dim=None if joint else 8, max_length=12,
    )  # fmt: skip
    stages = [Whitespace(lowercase=False), Embedding(dim=16, min_count=1, scaled=scaled), Transformer(**shape), head]
    trainer = {"epochs": 10, "lr": 0.01, "precision": "fp32"}
    return Pipeline(stages, "translation", trainer).fit(sources, targets)  # type: ignore[arg-type]


SHAPES: list[dict[str, Any]] = [
    {"activation": "relu"},
    {"norm": "post", "scaled": False},
    {"positions": "learned", "max_length": 40},
    {"joint": False, "scaled": False},
    {"joint": False},
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_scores_and_translations_are_the_same(shape: dict[str, Any], tmp_path: Path) -> None:
    ctranslate2 = pytest.importorskip("ctranslate2", reason="needs ctranslate2 (pip install ctranslate2)")
    pipeline = fitted(**shape)
    folder = pipeline.save(tmp_path / "run")
    app(["export", str(folder), str(tmp_path / "out"), "--to", "ctranslate2"], standalone_mode=False)
    translator = ctranslate2.Translator(str(tmp_path / "out"), intra_threads=1)
    sources = ["one two three four five", "six", "unknown one", "two two six one"]
    targets = ["eins zwei", "sechs sechs sechs drei vier", "vier", "drei eins zwei"]
    words = [source.split() for source in sources]
    sequences: Any = Text(sources)
    for stage in pipeline.body:
        sequences = stage.forward(sequences)
    head: Any = pipeline.head
    scores = head.score(sequences, Text(targets))
    found = translator.score_batch(words, [target.split() for target in targets])
    for ours, theirs in zip(scores, found, strict=True):
        np.testing.assert_allclose(ours, theirs.log_probs, atol=1e-4)
    answers = translator.translate_batch(
        words, beam_size=1, min_decoding_length=0, max_decoding_length=12,
        suppress_sequences=[["<pad>"], ["<s>"]], disable_unk=True,
    )  # fmt: skip
    guessed = head.predict_quickly(sequences).values.strings
    assert [" ".join(answer.hypotheses[0]) for answer in answers] == guessed
    assert len(set(guessed)) > 1


def test_what_it_cannot_write_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="these stages are others"):
        export_ctranslate2(fitted(GRU(hidden=8)), tmp_path / "out")
    with pytest.raises(ModelError, match="encoder: CTranslate2 has no rotary positions"):
        export_ctranslate2(fitted(positions="rotary"), tmp_path / "out")
    with pytest.raises(ModelError, match="exists already"):
        export_ctranslate2(fitted(), tmp_path)
    with pytest.raises(NlpipeError, match="'pickle' for --to; known: arpa, ctranslate2, onnx, transformers"):
        app(["export", str(tmp_path), str(tmp_path / "out"), "--to", "pickle"], standalone_mode=False)
