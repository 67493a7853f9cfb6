"""Products of rows and weights in float32 on one core: torch's (by MKL) beside those of oneDNN, as nlpipe takes them.

Sizes of MiniLM (width 384) and of `pipelines/translation/transformer.yaml` (width 128, a table of 7,000 words): a
batch, one text, a step of a search with 5 and with 320 hypotheses. Microseconds are the least of seven rounds; "packed"
weights are put in order once. On a processor with AVX-512 all is measured again as on one that has AVX2 only: MKL,
which does not use AVX-512 on processors of AMD, is the same there. nlpipe takes oneDNN from the number of
multiplications on that `LEAST` in `nlpipe/nn/linear_layer.py` says: target: no size from there on is slower.
"""

from __future__ import annotations

import json
import os
from typing import Any
from unittest.mock import patch

from benchmarks.processes import ROOT, python, run
from nlpipe.nn.linear_layer import LEAST

SIZES = [
    [1280, 384, 1536], [1280, 1536, 384], [1280, 384, 384], [20, 384, 1536], [20, 384, 384],
    [4096, 128, 384], [4096, 256, 128], [320, 128, 384], [64, 128, 256], [5, 128, 384],
    [256, 128, 7000], [5, 128, 7000], [1, 128, 7000],
]  # fmt: skip
"""Rows, inputs, outputs."""
OLDER = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}


def measure() -> dict[str, Any]:
    """Time all sizes, as the processor is and as one with AVX2."""
    command = python(str(ROOT / "benchmarks" / "peers" / "products.py"), json.dumps(SIZES))
    every = [run(command)]
    if every[0]["capability"] == "AVX512":
        with patch.dict(os.environ, OLDER):
            every.append(run(command))
    names = list(every[0]["figures"][0])
    table = [["", "rows × inputs × outputs", *names, "nlpipe takes"]]
    for measured in every:
        for size, figures in zip(SIZES, measured["figures"], strict=True):
            rows, inputs, outputs = size
            takes = rows * inputs * outputs >= LEAST.get(measured["capability"], 1 << 62)
            shown = [f"{figures[name]:,.0f}" for name in names]
            product = f"{rows:,} × {inputs:,} × {outputs:,}"
            table.append([measured["capability"], product, *shown, "oneDNN" if takes else "torch"])
    return {"table": table, "notes": "One thread; microseconds.", "runs": every}
