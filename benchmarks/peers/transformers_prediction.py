"""Predict with `transformers.pipeline`.

Arguments: a folder, a file of texts, a batch size, `fp32` or `bf16`, `sorted` or `given`. The batch size `documented`
passes the list without a batch size, as the documentation shows it.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from transformers import pipeline

THREADS = 2


def main() -> None:
    """Predict some texts to warm up, then all; print the seconds."""
    model, texts_file, size, precision, order = sys.argv[1:6]
    torch.set_num_threads(THREADS)
    texts: list[str] = json.loads(Path(texts_file).read_text(encoding="utf-8"))
    settings: dict[str, Any] = {} if precision == "fp32" else {"dtype": torch.bfloat16}
    classifier = pipeline("text-classification", model=model, device="cpu", **settings)
    batching = {} if size == "documented" else {"batch_size": int(size)}
    classifier(texts[:64], **batching)
    started = time.perf_counter()
    ordered = sorted(texts, key=len) if order == "sorted" else texts
    predictions = classifier(ordered, **batching)
    seconds = time.perf_counter() - started
    assert len(predictions) == len(texts)
    print("\n" + json.dumps({"predict": seconds}))


if __name__ == "__main__":
    main()
