"""Predict with a saved pipeline. Arguments: its folder, a JSON file of texts."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import torch

from nlpipe.pipeline import Pipeline

THREADS = 2


def main() -> None:
    """Predict some texts to warm up, then all; print the seconds."""
    torch.set_num_threads(THREADS)
    texts = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    pipeline = Pipeline.load(Path(sys.argv[1]))
    pipeline.predict(texts[:64])
    started = time.perf_counter()
    predictions = pipeline.predict(texts)
    seconds = time.perf_counter() - started
    assert len(predictions.values) == len(texts)
    print(json.dumps({"predict": seconds}))


if __name__ == "__main__":
    main()
