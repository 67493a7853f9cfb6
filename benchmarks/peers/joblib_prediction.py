"""Labels for the lines of a file by scikit-learn, in processes of joblib: ``joblib_prediction.py DATA LINES ANSWERS``.

``DATA`` is JSON: the texts and labels to fit on, options of the vectoriser, the classifier and the number of processes.
The model is fitted first and is not timed. Chunks are as large as those of nlpipe.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import islice
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

CHUNK = 2048


def answered(model: Any, lines: list[str]) -> list[str]:
    """The labels of one chunk."""
    return list(model.predict(lines))


def main() -> None:
    """Fit, then read, answer and write; print the seconds of that."""
    data = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    vectorizer, classifier = {
        "tfidf_logreg": (TfidfVectorizer, LogisticRegression), "nbsvm": (CountVectorizer, LinearSVC)
    }[data["model"]]  # fmt: skip
    options = {**data["vectorizer"], "ngram_range": tuple(data["vectorizer"]["ngram_range"])}
    model = make_pipeline(vectorizer(**options), classifier(**data["classifier"]))
    model.fit(data["texts"], data["labels"])
    lines, answers = Path(sys.argv[2]), Path(sys.argv[3])
    started = time.perf_counter()
    with lines.open(encoding="utf-8", newline="\n") as file, answers.open("w", encoding="utf-8") as out:
        chunks = iter(lambda: [line.removesuffix("\n") for line in islice(file, CHUNK)], [])
        with Parallel(n_jobs=data["jobs"], return_as="generator") as parallel:
            for labels in parallel(delayed(answered)(model, chunk) for chunk in chunks):
                out.writelines(f"{label}\n" for label in labels)
    print(json.dumps({"seconds": time.perf_counter() - started}))


if __name__ == "__main__":
    main()
