"""Tag one text of 200,000 words with a shipped tagger: words per second; the caller measures the memory."""

from __future__ import annotations

import json
import sys
import time

import torch

import nlpipe

WORDS = 200_000


def main() -> None:
    """Train briefly on the sample, tag the long text, and check that each word has a tag."""
    torch.set_num_threads(2)
    from nlpipe.datasets.load import load_dataset

    data = load_dataset("sample_entities")
    pipeline = nlpipe.load(sys.argv[1], ["trainer.epochs=2"])
    pipeline.fit_split(data.train, data.dev, progress=False)
    words = [word for sentence in data.train.inputs.words for word in sentence]  # type: ignore[attr-defined]
    text = " ".join((words * (WORDS // len(words) + 1))[:WORDS])
    started = time.perf_counter()
    tagged = pipeline.predict([text]).values
    seconds = time.perf_counter() - started
    assert len(tagged.values[0]) >= WORDS, len(tagged.values[0])
    print("\n" + json.dumps({"rate": len(tagged.values[0]) / seconds}))


if __name__ == "__main__":
    main()
