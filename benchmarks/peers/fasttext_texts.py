"""fastText: the best of a grid on dev, then its times and answers on test, as nlpipe_texts.py prints them.

    python fasttext_texts.py PREPARED.json MODEL ANSWERS.json

Its texts are the words that nlpipe's tokenizer gives, joined by spaces: splitting is not in its times. Options that
make it diverge ("Encountered NaN") are left out.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from pathlib import Path
from typing import Any

import fasttext
from timing import print_processor_times

GRID = itertools.product((0.05, 0.1, 0.25, 0.5, 1.0), (5, 10, 25, 50), (1, 2, 3))


def main() -> None:
    """Choose on dev, save, answer, time."""
    data = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    model_file = Path(sys.argv[2])
    train = model_file.with_suffix(".txt")
    lines = [
        f"__label__{label} {text}\n" for text, label in zip(data["train_words"], data["train_labels"], strict=True)
    ]
    train.write_text("".join(lines), encoding="utf-8")
    best: tuple[float, Any, dict[str, float]] = (-1.0, None, {})
    fit = 0.0
    for lr, epochs, ngrams in GRID:
        options = {"lr": lr, "epoch": epochs, "wordNgrams": ngrams}
        started = time.process_time()
        try:
            model = fasttext.train_supervised(str(train), **options, thread=1, bucket=200_000, verbose=0)
        except RuntimeError:
            continue
        took = time.process_time() - started
        right = [a == b for a, b in zip(labels(model, data["dev_words"]), data["dev_labels"], strict=True)]
        if sum(right) / len(right) > best[0]:
            best, fit = (sum(right) / len(right), model, options), took
    _, model, options = best
    model.save_model(str(model_file))
    Path(sys.argv[3]).write_text(json.dumps(labels(model, data["words"])), encoding="utf-8")
    print(json.dumps({"dev": best[0], **options, "fit": fit}), file=sys.stderr)
    print_processor_times(lambda batch: labels(model, batch), data["words"], (256, 1024))


def labels(model: Any, texts: list[str]) -> list[str]:
    """The most probable label of each text."""
    return [answer[0].removeprefix("__label__") for answer in model.predict(texts)[0]]


main()
