"""Vectors of texts by ONNX Runtime alone: one at a time, and in batches. Arguments: a JSON file, a model's folder.

The folder is ``model/`` of a run that was exported to onnx: its tokenizer and its network are used, and nothing else.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from statistics import median, quantiles

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

WARM_UP, ALONE, ROUNDS = 30, 200, 3


def main() -> None:
    """Load tokenizer and network, then time all texts; texts in batches are sorted by length, as a good script does."""
    prepared = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    (network,) = Path(sys.argv[2]).glob("*.onnx")
    state = json.loads(network.with_suffix(".json").read_text(encoding="utf-8"))
    tokenizer = Tokenizer.from_str(state["tokenizer"])
    tokenizer.no_padding()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = prepared["threads"]
    session = onnxruntime.InferenceSession(str(network), options, providers=["CPUExecutionProvider"])
    texts: list[str] = prepared["texts"]

    def vectors(batch: list[str]) -> None:
        encoded = tokenizer.encode_batch(batch)
        longest = max(len(each.ids) for each in encoded)
        ids, mask = np.zeros((len(batch), longest), np.int64), np.zeros((len(batch), longest), np.int64)
        for row, each in enumerate(encoded):
            ids[row, : len(each.ids)], mask[row, : len(each.ids)] = each.ids, 1
        session.run(None, {"pieces": ids, "mask": mask})

    def seconds(batches: list[list[str]]) -> np.ndarray:
        found = []
        for batch in batches:
            started = time.perf_counter()
            vectors(batch)
            found.append(time.perf_counter() - started)
        return np.array(found)

    for text in texts[:WARM_UP]:
        vectors([text])
    singles = [[text] for text in texts[:ALONE]]
    alone = np.min([seconds(singles) for _ in range(ROUNDS)], axis=0)
    rates = {}
    ordered = sorted(texts, key=len)
    for size in (8, 32, 128):
        batches = [ordered[i : i + size] for i in range(0, len(ordered), size)]
        rates[size] = len(texts) / float(np.min([seconds(batches) for _ in range(2)], axis=0).sum())
    best = max(rates, key=lambda size: rates[size])
    figures = {"median": 1000 * median(alone), "p95": 1000 * quantiles(alone, n=20)[-1]}
    print("\n" + json.dumps({**figures, "rate": rates[best], "batch_size": best}))


if __name__ == "__main__":
    main()
