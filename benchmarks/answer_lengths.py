"""Answers longer than their sources in tokens: numbers of one to five digits spelt out in words.

The source is split into digits and the target into characters, so that an answer has up to six times as many tokens. An
encoder and a decoder of GRUs are trained once; they answer with the limit that nlpipe had (`max_ratio=2`) and with
the one that is learned from the training pairs.
"""

from __future__ import annotations

import random
import warnings
from typing import Any

from nlpipe import Pipeline, decoders, encoders, heads, representations, tokenizers
from nlpipe.errors import NlpipeWarning

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def measure() -> dict[str, Any]:
    """Train the translator once and count right and cut answers under both limits."""
    draw = random.Random(13)
    numbers = sorted({draw.randint(0, 99_999) for _ in range(3_000)})
    draw.shuffle(numbers)
    pairs = [(str(number), " ".join(WORDS[int(digit)] for digit in str(number))) for number in numbers]
    train, dev, test = pairs[600:], pairs[300:600], pairs[:300]
    head = heads.Seq2Seq(decoders.GRU(hidden=128), tokenizers.Characters(), dim=64, beam=1)
    stages = [tokenizers.Characters(), representations.Embedding(dim=64), encoders.GRU(hidden=128), head]
    pipeline = Pipeline(stages, "translation", trainer={"epochs": 30, "lr": 2e-3, "patience": 5})
    pipeline.fit(*columns(train), dev=columns(dev))
    rows = []
    for name, ratio in (("max_ratio=2", 2.0), ("learned", None)):
        pipeline.head.change(max_ratio=ratio)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NlpipeWarning)
            predictions = pipeline.predict([source for source, _ in test])
        right = sum(answer == target for answer, (_, target) in zip(predictions.texts, test, strict=True))
        assert predictions.cut is not None
        rows.append([name, f"{right} of {len(test)}", int(predictions.cut.sum())])
    return {"table": [["limit", "right", "cut"], *rows]}


def columns(pairs: list[tuple[str, str]]) -> tuple[list[str], list[str]]:
    """Sources and targets."""
    return [source for source, _ in pairs], [target for _, target in pairs]
