"""nltk.lm, interpolated Kneser-Ney: TRAIN TEST ORDER, files of one text a line; words that occur once are unknown."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from nltk.lm import KneserNeyInterpolated, Vocabulary
from nltk.lm.preprocessing import pad_both_ends, padded_everygram_pipeline
from nltk.util import ngrams


def main() -> None:
    """Print the seconds of training and of scoring, and nats for each token."""
    files = [Path(path).read_text(encoding="utf-8") for path in sys.argv[1:3]]
    train, test = ([line.split() for line in content.splitlines()] for content in files)
    order = int(sys.argv[3])
    started = time.perf_counter()
    words = Vocabulary((word for text in train for word in text), unk_cutoff=2)
    grams, padded = padded_everygram_pipeline(order, [words.lookup(text) for text in train])
    model = KneserNeyInterpolated(order)
    model.fit(grams, padded)
    trained = time.perf_counter()
    total = tokens = 0.0
    for text in test:
        for *history, word in ngrams(list(pad_both_ends(words.lookup(text), n=order)), order):
            if word == "<s>":
                continue
            total -= model.logscore(word, history)
            tokens += 1
            if word == "</s>":  # the padding behind the first end is not predicted
                break
    figures = {"train": trained - started, "score": time.perf_counter() - trained, "tokens": tokens}
    print(json.dumps({**figures, "nats": total * 0.6931471805599453 / tokens}))


main()
