"""Train and time spaCy's `ner`. Argument: JSON with data, seed, epochs and repeats. Prints F1 and words per second.

The model is that of `spacy init config --pipeline ner --optimize efficiency` (a CNN over hashed embeddings with 96
features), trained as spaCy does: batches that grow from 100 to 1,000 words, dropout 0.1, the best epoch on dev.
Prediction is `nlp.pipe` over documents whose words are given.
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
from nlpipe.predictions import Predictions
from nlpipe.tasks.task import Split
from nlpipe.wire import Tags


def main() -> None:
    """Train, restore the best epoch, score the test split and time its prediction."""
    options = json.loads(sys.argv[1])
    data = load_dataset(options["data"])
    fix_random_seed(options["seed"])
    nlp = spacy.blank("en")
    nlp.add_pipe("ner")
    train = [example(nlp, words, tags) for words, tags in pairs(data.train)]
    optimizer = nlp.initialize(lambda: train)
    best, weights = -1.0, b""
    words_in_batch = compounding(100.0, 1000.0, 1.001)  # over all epochs
    started = time.perf_counter()
    for _ in range(options["epochs"]):
        random.shuffle(train)
        for batch in minibatch_by_words(train, words_in_batch, tolerance=0.2):
            nlp.update(batch, sgd=optimizer, drop=0.1)
        score = f1(data, data.dev, answer(nlp, data.dev)[0])
        if score > best:
            best, weights = score, nlp.to_bytes()
    fit = time.perf_counter() - started
    nlp.from_bytes(weights)
    predicted, _ = answer(nlp, data.test)
    speeds = [answer(nlp, data.test)[1] for _ in range(options["repeats"])]
    words = sum(map(len, data.test.inputs.words))  # type: ignore[attr-defined]
    seconds = sorted(speeds)[len(speeds) // 2]
    print("\n" + json.dumps({"f1": f1(data, data.test, predicted), "rate": words / seconds, "fit": fit}))


def pairs(split: Split) -> Any:
    """Words and tags of each sentence."""
    return zip(split.inputs.words, split.targets.values, strict=True)  # type: ignore[attr-defined]


def example(nlp: Any, words: list[str], tags: list[str]) -> Example:
    """A training example."""
    gold = Doc(nlp.vocab, words=words)
    gold.set_ents([Span(gold, start, end, label=kind) for start, end, kind in tag_schemes.to_spans(tags)])
    return Example(Doc(nlp.vocab, words=words), gold)


def answer(nlp: Any, split: Split) -> tuple[Tags, float]:
    """The tags of all sentences and the seconds of their prediction, without making the documents."""
    documents = [Doc(nlp.vocab, words=words) for words in split.inputs.words]  # type: ignore[attr-defined]
    started = time.perf_counter()
    done = list(nlp.pipe(documents, batch_size=256))
    seconds = time.perf_counter() - started
    entities = [[(span.start, span.end, span.label_) for span in doc.ents] for doc in done]
    return Tags(
        [tag_schemes.from_spans(predicted, len(doc)) for predicted, doc in zip(entities, done, strict=True)]
    ), seconds


def f1(data: Any, split: Split, predicted: Tags) -> float:
    """Strict F1 on a split."""
    return tagging_metrics(data.labels, "IOB2")[0](split.targets, Predictions(predicted))["f1"]


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "2")
    main()
