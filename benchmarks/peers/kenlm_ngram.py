"""KenLM reads an ARPA file and scores a text: ARPA TEST SCORES, the last with log10 of each token's probability."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import kenlm
import numpy as np


def main() -> None:
    """Print the seconds of scoring, and the largest difference to SCORES."""
    model = kenlm.Model(sys.argv[1])
    texts = Path(sys.argv[2]).read_text(encoding="utf-8").splitlines()
    started = time.perf_counter()
    logs = [log for text in texts for log, _, _ in model.full_scores(text)]
    seconds = time.perf_counter() - started
    expected = np.load(sys.argv[3])
    difference = float(np.abs(np.array(logs) - expected).max())
    print(json.dumps({"score": seconds, "tokens": len(logs), "difference": difference}))


main()
