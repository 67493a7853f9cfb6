"""The plain scikit-learn script beside `tfidf_logreg`, with the same tokens, options and split."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression


def main() -> None:
    """Read the data, fit and predict; print seconds and peak memory, and write the predictions."""
    data, answers = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), Path(sys.argv[2])
    started = time.perf_counter()
    options = {**data["tfidf"], "ngram_range": tuple(data["tfidf"]["ngram_range"])}
    vectorizer = TfidfVectorizer(token_pattern=data["pattern"], **options)
    classifier = LogisticRegression(**data["logistic_regression"])
    classifier.fit(vectorizer.fit_transform(data["train_texts"]), data["train_labels"])
    fitted = time.perf_counter()
    predictions = classifier.predict(vectorizer.transform(data["test_texts"]))
    predicted = time.perf_counter()
    answers.write_text(json.dumps(predictions.tolist()), encoding="utf-8")
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
    print(json.dumps({"fit": fitted - started, "predict": predicted - fitted, "peak": peak}))


main()
