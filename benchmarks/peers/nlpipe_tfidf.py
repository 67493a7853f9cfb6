"""Run `tfidf_logreg` under the same conditions as plain_tfidf.py."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path


def main() -> None:
    """Read the data, fit and predict; print seconds and peak memory, and write the predictions."""
    data, answers = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), Path(sys.argv[2])
    import nlpipe

    pipeline = nlpipe.load(data["file"], data["overrides"])
    started = time.perf_counter()
    pipeline.fit(data["train_texts"], data["train_labels"])
    fitted = time.perf_counter()
    predictions = pipeline.predict(data["test_texts"]).values.values
    predicted = time.perf_counter()
    answers.write_text(json.dumps(predictions), encoding="utf-8")
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
    print(json.dumps({"fit": fitted - started, "predict": predicted - fitted, "peak": peak}))


main()
