"""A shipped tagger, trained and timed: a JSON of file, data, seed and repeats; prints F1, words/s and decoding's share.

The share of constrained decoding is the time in it over that of the whole prediction.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import torch

import nlpipe
from nlpipe.datasets.load import load_dataset
from nlpipe.heads import tag_decoding

THREADS = 2


def main() -> None:
    """Train as the file says, score the test split, time it."""
    told = json.loads(sys.argv[1])
    torch.set_num_threads(THREADS)
    data = load_dataset(told["data"])
    pipeline = nlpipe.load(told["file"], told.get("overrides", []))
    pipeline.seed = told["seed"]
    started = time.perf_counter()
    pipeline.fit_split(data.train, data.dev, progress=False)
    fit = time.perf_counter() - started
    found = pipeline.predict(data.test.inputs)
    scores = data.task.metrics(data.labels)[0](data.test.targets, found)
    words = sum(map(len, data.test.inputs.words))  # type: ignore[attr-defined]
    seconds = sorted(timed(lambda: pipeline.predict(data.test.inputs)) for _ in range(told["repeats"]))
    search = tag_decoding.viterbi
    spent = 0.0

    def counted(*arguments: Any) -> Any:
        nonlocal spent
        begin = time.perf_counter()
        answer = search(*arguments)
        spent += time.perf_counter() - begin
        return answer

    tag_decoding.viterbi = counted
    whole = timed(lambda: pipeline.predict(data.test.inputs))
    middle = seconds[len(seconds) // 2]
    print("\n" + json.dumps({"f1": scores["f1"], "rate": words / middle, "fit": fit, "decoding": spent / whole}))


def timed(work: Any) -> float:
    """Seconds of a call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
