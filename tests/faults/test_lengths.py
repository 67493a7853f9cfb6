"""Lengths of answers are learned from the training pairs; what is cut is told; of nothing nothing is said."""

from __future__ import annotations

import random
import warnings
from pathlib import Path

import pytest

from nlpipe import Pipeline, heads, representations, tokenizers
from nlpipe.errors import NlpipeWarning
from nlpipe.stage import AnyStage

torch = pytest.importorskip("torch")

from nlpipe import decoders, encoders  # noqa: E402

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def pairs(count: int, seed: int) -> tuple[list[str], list[str]]:
    """Numbers of two to four digits as one word each, and their digits in words: up to 23 characters for one token."""
    draw = random.Random(seed)
    sources = ["".join(draw.choices("0123456789", k=draw.randint(2, 4))) for _ in range(count)]
    return sources, [" ".join(DIGITS[int(digit)] for digit in source) for source in sources]


def translator(**options: object) -> Pipeline:
    head = heads.Seq2Seq(decoders.GRU(hidden=16), tokenizers.Characters(), dim=16, beam=1, **options)
    stages = [tokenizers.Regex(), representations.Embedding(dim=16), encoders.GRU(hidden=16), head]
    return Pipeline(stages, "translation", trainer={"epochs": 1, "lr": 1e-3})


def test_the_ratio_of_tokens_is_learned(tmp_path: Path) -> None:
    sources, targets = pairs(60, seed=1)
    pipeline = translator().fit(sources, targets)
    ratio, longest = pipeline.head._ratio_and_length()
    assert ratio + 10 >= max(map(len, targets))  # every source is one token
    assert longest == 256
    again = Pipeline.load(pipeline.save(tmp_path / "model"))
    assert again.head._ratio_and_length() == (ratio, longest)


def test_long_targets_raise_the_longest_answer() -> None:
    sources, targets = pairs(60, seed=1)
    pipeline = translator().fit([*sources, "1 " * 40], [*targets, "one " * 100])
    assert pipeline.head._ratio_and_length()[1] >= 400


def test_answers_that_are_cut_are_counted_and_told() -> None:
    pipeline = translator(max_ratio=0.0, min_ratio=5.0).fit(*pairs(40, seed=1))
    with pytest.warns(NlpipeWarning, match=r"2 of 3 answers were cut at the length limit; raise max_ratio \(0 tokens"):
        predictions = pipeline.predict(["12", "", "345"])
    assert predictions.cut is not None and predictions.cut.tolist() == [True, False, True]


@pytest.mark.parametrize("blank", ["", " ", "\t", "\n \u3000", "\u00a0"])
@pytest.mark.parametrize("split", [tokenizers.Characters(), tokenizers.BPE(vocabulary_size=80, byte_level=True)])
def test_of_white_space_nothing_is_translated(blank: str, split: tokenizers.Characters) -> None:
    sources, targets = pairs(40, seed=1)
    head = heads.Seq2Seq(decoders.GRU(hidden=8), dim=8)
    pipeline = Pipeline(
        [split, representations.Embedding(dim=8), encoders.GRU(hidden=8), head], "translation", trainer={"epochs": 1}
    )
    pipeline.fit([f"{source} x" for source in sources], targets)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NlpipeWarning)
        assert pipeline.predict([blank, "12 x", blank]).texts[::2] == ["", ""]
        assert pipeline.n_best([blank], 2)[0][0].text == ""


@pytest.mark.parametrize(
    "stages",
    [
        [tokenizers.Characters(), heads.Lexical(tokenizers.Characters())],
        [tokenizers.Characters(), representations.TfIdf(), heads.TranslationMemory()],
    ],
)
def test_nor_by_the_heads_without_gradients(stages: list[AnyStage]) -> None:
    pipeline = Pipeline(stages, "translation").fit(*pairs(40, seed=1))
    assert pipeline.predict([" ", "\u3000\t", "12"]).texts[:2] == ["", ""]


@pytest.mark.parametrize("beam", [1, 5])
def test_in_bf16_a_translation_does_not_depend_on_the_other_lines(beam: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("neural", "precision"):
        monkeypatch.setattr(f"nlpipe.nn.{module}.bf16_pays", lambda *arguments: True)
    head = heads.Seq2Seq(decoders.GRU(hidden=64), tokenizers.Characters(), dim=32, beam=beam)
    stages = [tokenizers.Characters(), representations.Embedding(dim=32), encoders.GRU(hidden=64), head]
    trainer = {"epochs": 4, "lr": 5e-3, "precision": "bf16"}
    pipeline = Pipeline(stages, "translation", trainer=trainer).fit(*pairs(200, seed=1))
    sources = pairs(40, seed=2)[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NlpipeWarning)
        together = pipeline.predict(sources)
        assert [pipeline.predict([source]).texts[0] for source in sources] == together.texts
    assert len(set(together.texts)) > 5
