"""spaCy's own `ner`, trained on conll files and timed: a JSON of data, epochs, repeats; prints F1 and words/s.

As `spacy init config --pipeline ner --optimize efficiency` sets it up (a hashed-embedding CNN of 96 features), trained
with its loop: batches of 100 words that grow to 1,000, dropout 0.1, the best epoch on dev. Prediction is `nlp.pipe`
over documents whose words are given.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from typing import Any

import spacy
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.training.batchers import minibatch_by_words
from spacy.util import compounding, fix_random_seed

from nlpipe import tag_schemes
from nlpipe.datasets.load import load_dataset
from nlpipe.metrics.tag_metrics import tagging_metrics
from nlpipe.stage import Predictions
from nlpipe.tasks.task import Split
from nlpipe.wire import Tags


def main() -> None:
    """Train, keep the best epoch, score the test split, time it."""
    told = json.loads(sys.argv[1])
    data = load_dataset(told["data"])
    fix_random_seed(told["seed"])
    nlp = spacy.blank("en")
    nlp.add_pipe("ner")
    train = [example(nlp, words, tags) for words, tags in pairs(data.train)]
    optimizer = nlp.initialize(lambda: train)
    best, weights = -1.0, b""
    words_in_batch = compounding(100.0, 1000.0, 1.001)  # over all epochs
    started = time.perf_counter()
    for _ in range(told["epochs"]):
        random.shuffle(train)
        for batch in minibatch_by_words(train, words_in_batch, tolerance=0.2):
            nlp.update(batch, sgd=optimizer, drop=0.1)
        score = f1(data, data.dev, answer(nlp, data.dev)[0])
        if score > best:
            best, weights = score, nlp.to_bytes()
    fit = time.perf_counter() - started
    nlp.from_bytes(weights)
    found, _ = answer(nlp, data.test)
    speeds = [answer(nlp, data.test)[1] for _ in range(told["repeats"])]
    words = sum(map(len, data.test.inputs.words))  # type: ignore[attr-defined]
    seconds = sorted(speeds)[len(speeds) // 2]
    print("\n" + json.dumps({"f1": f1(data, data.test, found), "rate": words / seconds, "fit": fit}))


def pairs(split: Split) -> Any:
    """Words and tags of each sentence."""
    return zip(split.inputs.words, split.targets.values, strict=True)  # type: ignore[attr-defined]


def example(nlp: Any, words: list[str], tags: list[str]) -> Example:
    """A sentence to train on."""
    gold = Doc(nlp.vocab, words=words)
    gold.set_ents([Span(gold, start, end, label=kind) for start, end, kind in tag_schemes.to_spans(tags)])
    return Example(Doc(nlp.vocab, words=words), gold)


def answer(nlp: Any, split: Split) -> tuple[Tags, float]:
    """Tags of all sentences, and the seconds that they took, making the documents aside."""
    documents = [Doc(nlp.vocab, words=words) for words in split.inputs.words]  # type: ignore[attr-defined]
    started = time.perf_counter()
    done = list(nlp.pipe(documents, batch_size=256))
    seconds = time.perf_counter() - started
    units = [[(span.start, span.end, span.label_) for span in doc.ents] for doc in done]
    return Tags([tag_schemes.from_spans(found, len(doc)) for found, doc in zip(units, done, strict=True)]), seconds


def f1(data: Any, split: Split, found: Tags) -> float:
    """Strict F1."""
    return tagging_metrics(data.labels, "IOB2")[0](split.targets, Predictions(found))["f1"]


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "2")
    main()
