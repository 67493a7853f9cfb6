"""The head ngram, modified Kneser-Ney: TRAIN TEST ORDER [ARPA SCORES], files of one text a line.

Words that occur once are unknown, and their spelling is not counted here. With ARPA the model is written there, and to
SCORES log10 of the probability of every token of TEST.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np

from nlpipe.classical.arpa import write_arpa
from nlpipe.classical.kneser_ney import KneserNey
from nlpipe.heads.ngram import Ngram
from nlpipe.tokenizers.whitespace import Whitespace
from nlpipe.vocabulary import END
from nlpipe.wire import Text


def main() -> None:
    """Print the seconds of training and of scoring, and nats for each token."""
    train, test = (Path(path).read_text(encoding="utf-8").splitlines() for path in sys.argv[1:3])
    tokenizer, head = Whitespace(lowercase=False), Ngram(order=int(sys.argv[3]), min_count=2)
    started = time.perf_counter()
    source = tokenizer.forward(Text(train))
    head.fit([(source, Text(train))])
    trained = time.perf_counter()
    words = tokenizer.forward(Text(test)).words
    lengths = np.array([len(text) + 1 for text in words])
    ids = head.vocabulary.ids([word for text in words for word in (*text, END)])
    assert isinstance(head.model, KneserNey)
    logs = head.model.score(ids, lengths)
    figures = {"train": trained - started, "score": time.perf_counter() - trained, "tokens": len(logs)}
    if len(sys.argv) > 4:
        write_arpa(head.model, head.vocabulary.words(), Path(sys.argv[4]))
        np.save(sys.argv[5], logs / np.log(10))
    print(json.dumps({**figures, "nats": -float(logs.mean())}))


main()
