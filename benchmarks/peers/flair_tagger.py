"""Time a Flair SequenceTagger without a CRF, in words per second; run by the interpreter of Flair's environment.

Argument: a JSON file with sentences (lists of words), types, vectors (.npy) and their words, hidden size, repeats. The
weights are random, because tagging takes as long as with trained weights. Batch sizes are 32, as documented, and 256.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import flair
import numpy as np
import torch
from flair.data import Dictionary, Sentence
from flair.embeddings import WordEmbeddings
from flair.models import SequenceTagger
from gensim.models import KeyedVectors


def main() -> None:
    """Build the tagger, warm it up and time it."""
    options = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    torch.set_num_threads(2)
    flair.device = torch.device("cpu")
    vectors = np.load(options["vectors"])
    keyed = KeyedVectors(vectors.shape[1])
    keyed.add_vectors(options["words"], vectors)
    path = str(Path(options["vectors"]).with_suffix(".kv"))
    keyed.save(path)
    labels = Dictionary(add_unk=False)
    for kind in options["types"]:
        labels.add_item(kind)
    labels.span_labels = True
    tagger = SequenceTagger(
        embeddings=WordEmbeddings(path), tag_dictionary=labels, tag_type="ner", hidden_size=options["hidden"],
        rnn_layers=1, use_crf=False, tag_format="BIOES",
    ).eval()  # fmt: skip
    count = sum(map(len, options["sentences"]))
    rates = {}
    for size in (32, 256):
        seconds = []
        for _ in range(options["repeats"] + 1):
            sentences = [Sentence(words) for words in options["sentences"] if words]
            started = time.perf_counter()
            tagger.predict(sentences, mini_batch_size=size)
            seconds.append(time.perf_counter() - started)
        rates[f"rate_{size}"] = count / sorted(seconds[1:])[options["repeats"] // 2]
    print("\n" + json.dumps(rates))


if __name__ == "__main__":
    main()
