"""A language model of a file of 1 GB: the peak memory of 'nlpipe run', which reads it and trains for half a minute.

The file repeats IMDb's reviews in other orders, one a line, read as one running text, for an LSTM of 64 features.
Texts, and their ids of four bytes, are in memory; words and batches are not.
"""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.processes import run
from nlpipe.datasets.load import load_dataset
from nlpipe.wire import Text

SIZE = 1_000_000_000
"""Bytes."""
PIPELINE = """\
data: {task: language_modelling, train: train.txt, dev: dev.txt, test: test.txt}
tokenizer: {name: whitespace, lowercase: false}
representation: {name: embedding, dim: 64, min_count: 500}
encoder: {name: lstm, hidden: 64}
head: {name: language_model, context: 64}
trainer: {epochs: 1, batch_size: 32, minutes: 0.5}
"""


def measure() -> dict[str, Any]:
    """Write the file, and run the pipeline on it."""
    dataset = load_dataset("imdb_text")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for split, size in (("train", SIZE), ("dev", 200_000), ("test", 200_000)):
            inputs = getattr(dataset, split).inputs
            assert isinstance(inputs, Text)
            _write(folder / f"{split}.txt", [" ".join(text.split()) for text in inputs.strings], size)
        (folder / "lstm.yaml").write_text(PIPELINE, encoding="utf-8")
        figures = run([sys.executable, "-m", "nlpipe", "run", str(folder / "lstm.yaml"), "--out", str(folder / "runs")])
    row = [f"{SIZE / 1e9:.0f} GB", f"{figures['peak_mb']:,.0f}", f"{figures['wall'] / 60:.0f}"]
    print("  ".join(row), flush=True)
    return {"table": [["text", "peak memory MB", "minutes, all"], row]}


def _write(path: Path, texts: list[str], size: int) -> None:
    """The texts in other and other orders, until there are ``size`` bytes."""
    shuffle, written = random.Random(13), 0
    with path.open("w", encoding="utf-8") as file:
        while written < size:
            for text in shuffle.sample(texts, len(texts)):
                file.write(text + "\n")
                written += len(text.encode()) + 1
                if written >= size:
                    break
