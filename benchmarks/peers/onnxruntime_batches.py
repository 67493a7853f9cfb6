"""Vectors of texts by ONNX Runtime alone: one at a time, and in batches. Arguments: a JSON file, a model's folder.

The folder is ``model/`` of a run that was exported to onnx: its tokenizer and its network are used, and nothing else.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from timing import print_processor_times
from tokenizers import Tokenizer


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

    def vectors(batch: list[str]) -> None:
        encoded = tokenizer.encode_batch(batch)
        longest = max(len(each.ids) for each in encoded)
        ids, mask = np.zeros((len(batch), longest), np.int64), np.zeros((len(batch), longest), np.int64)
        for row, each in enumerate(encoded):
            ids[row, : len(each.ids)], mask[row, : len(each.ids)] = each.ids, 1
        session.run(None, {"pieces": ids, "mask": mask})

    print_processor_times(vectors, prepared["texts"], (8, 32, 128))


if __name__ == "__main__":
    main()
