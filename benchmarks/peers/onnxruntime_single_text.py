"""Vectors of one text at a time by ONNX Runtime. Arguments: a JSON file of texts, a model folder, an ONNX file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from timing import print_latency
from tokenizers import Tokenizer


def main() -> None:
    """Load tokenizer and model, then time each text."""
    prepared = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    tokenizer = Tokenizer.from_file(str(Path(sys.argv[2]) / "tokenizer.json"))
    tokenizer.no_padding()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = prepared["threads"]
    session = onnxruntime.InferenceSession(sys.argv[3], options, providers=["CPUExecutionProvider"])

    def vectors(text: str) -> Any:
        encoded = tokenizer.encode(text)
        inputs = {"input_ids": encoded.ids, "attention_mask": encoded.attention_mask}
        return session.run(None, {name: np.array([row], dtype=np.int64) for name, row in inputs.items()})

    print_latency(vectors, prepared["test"])


if __name__ == "__main__":
    main()
