"""A Flair SequenceTagger without a CRF: how many words a second it tags; run by the interpreter of Flair's environment.

Arguments: a JSON file of sentences (lists of words), types, vectors (.npy) and their words, hidden size, repeats. The
weights are random: tagging takes as long as with trained ones. Batches of 32, as its documentation has them, and 256.
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
    """Build, warm up, time."""
    told = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    torch.set_num_threads(2)
    flair.device = torch.device("cpu")
    vectors = np.load(told["vectors"])
    keyed = KeyedVectors(vectors.shape[1])
    keyed.add_vectors(told["words"], vectors)
    path = str(Path(told["vectors"]).with_suffix(".kv"))
    keyed.save(path)
    labels = Dictionary(add_unk=False)
    for kind in told["types"]:
        labels.add_item(kind)
    labels.span_labels = True
    tagger = SequenceTagger(
        embeddings=WordEmbeddings(path), tag_dictionary=labels, tag_type="ner", hidden_size=told["hidden"],
        rnn_layers=1, use_crf=False, tag_format="BIOES",
    ).eval()  # fmt: skip
    count = sum(map(len, told["sentences"]))
    found = {}
    for size in (32, 256):
        seconds = []
        for _ in range(told["repeats"] + 1):
            sentences = [Sentence(words) for words in told["sentences"] if words]
            started = time.perf_counter()
            tagger.predict(sentences, mini_batch_size=size)
            seconds.append(time.perf_counter() - started)
        found[f"rate_{size}"] = count / sorted(seconds[1:])[told["repeats"] // 2]
    print("\n" + json.dumps(found))


if __name__ == "__main__":
    main()
