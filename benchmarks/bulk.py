"""`nlpipe predict --file` with one process and with two, beside scikit-learn with joblib in two processes.

Pipelines of `pipelines/sentiment/`, fitted on Rotten Tomatoes. The lines are its test sentences, about 300,000: each is
repeated, with its number behind it, so that no two are equal; the numbers are new words that the models do not know.
Seconds are those of whole commands, with the start of Python and loading the model, in turn, medians of two rounds. The
seconds of the peer leave out its start and its fit. For `tfidf_logreg` it has the same tokens, vectoriser and
classifier; scikit-learn has no NB-SVM, so that a linear SVM over the same counts, which costs the same, stands there.
Memory is the largest resident memory of the command and of all its processes together, looked at twenty times a
second; pages that processes share count for each. Targets: the answers of two processes
are those of one, byte for byte (an error otherwise); two are faster where two cores are free.

NLPIPE_BULK_LINES says how many lines.
"""

from __future__ import annotations

import filecmp
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nlpipe
from benchmarks.processes import ROOT, middle, python
from nlpipe.datasets.load import load_dataset
from nlpipe.tokenizers.regex import default_pattern

LINES = int(os.environ.get("NLPIPE_BULK_LINES", "300000"))
ROUNDS = 2
EVERY = 0.05
PEER = "scikit-learn and joblib, 2 processes"


def measure() -> dict[str, Any]:
    """Fit both pipelines, then answer in turn."""
    data = load_dataset("rotten_tomatoes", ROOT)
    texts = data.test.inputs.strings  # type: ignore[attr-defined]
    table = [["", "", "texts/s", "peak MB of the command", "peak MB of all"]]
    runs: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = folder / "lines.txt"
        with lines.open("w", encoding="utf-8") as file:
            file.writelines(f"{texts[i % len(texts)]} {i}\n" for i in range(LINES))
        for model in ("nbsvm", "tfidf_logreg"):
            pipeline = nlpipe.load(ROOT / f"pipelines/sentiment/{model}.yaml")
            prepared = _peer_data(model, pipeline, data, folder)
            saved = pipeline.fit(data.train.inputs, data.train.targets).save(folder / model)
            outputs = {jobs: folder / f"{model}_{jobs}.txt" for jobs in (1, 2)}
            figures: dict[str, list[dict[str, Any]]] = {}
            for _ in range(ROUNDS):
                for jobs, output in outputs.items():
                    words = ["-m", "nlpipe", "predict", str(saved), "--file", str(lines), "--jobs", str(jobs)]
                    figures.setdefault(f"--jobs {jobs}", []).append(_watched(python(*words, "--output", str(output))))
                peer = python(str(ROOT / "benchmarks/peers/joblib_prediction.py"), str(prepared), str(lines))
                figures.setdefault(PEER, []).append(_watched([*peer, str(folder / "theirs.txt")]))
            if not filecmp.cmp(outputs[1], outputs[2], shallow=False):
                sys.exit(f"{model}: two processes do not write what one writes")
            same = _same(outputs[1], folder / "theirs.txt")
            for how, each in figures.items():
                rate = f"{LINES / middle(each, 'seconds'):,.0f}"
                table.append([model, how, rate, f"{middle(each, 'own'):.0f}", f"{middle(each, 'all'):.0f}"])
            runs[model] = {**figures, "same_answers_as_the_peer": same}
    notes = (
        f"{LINES:,} lines; --jobs 1 and 2 write the same bytes. Of the answers of tfidf_logreg, "
        f"{runs['tfidf_logreg']['same_answers_as_the_peer']:.2%} are those of the peer."
    )
    return {"table": table, "notes": notes, "runs": runs}


def _peer_data(model: str, pipeline: Any, data: Any, folder: Path) -> Path:
    """What the peer is given: the options of the pipeline."""
    tokenizer, counts, head = (stage.options for stage in pipeline.stages)
    vectorizer = {
        "token_pattern": tokenizer["pattern"] or default_pattern(), "lowercase": tokenizer["lowercase"],
        "ngram_range": list(counts["ngrams"]), "min_df": counts["min_count"],
    }  # fmt: skip
    classifier = {}
    if model == "tfidf_logreg":
        vectorizer["sublinear_tf"] = counts["sublinear"]
        classifier = {"C": head["C"], "max_iter": head["max_iter"]}
    path = folder / f"{model}.json"
    content = {
        "model": model, "jobs": 2, "vectorizer": vectorizer, "classifier": classifier,
        "texts": list(data.train.inputs.strings), "labels": list(data.train.targets.values),
    }  # fmt: skip
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def _watched(command: list[str]) -> dict[str, Any]:
    """Run a command; its seconds, and the peak memory in MB of itself and of all its processes.

    A command that prints ``seconds`` as JSON is taken at its word.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, cwd=ROOT)
    own = together = 0.0
    while process.poll() is None:
        sizes = [_resident(each) for each in (process.pid, *_descendants(process.pid))]
        own, together = max(own, sizes[0]), max(together, sum(sizes))
        time.sleep(EVERY)
    seconds = time.perf_counter() - started
    assert process.stdout is not None
    last = process.stdout.read().strip().rpartition(b"\n")[2]
    if process.returncode:
        sys.exit(f"{' '.join(command)}: failed with status {process.returncode}")
    return {"seconds": seconds, "own": own, "all": together, **(json.loads(last) if last.startswith(b"{") else {})}


def _descendants(process: int) -> list[int]:
    found: list[int] = []
    for each in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            children = [int(word) for word in each.read_text().split()]
        except OSError:  # it has ended
            continue
        for child in children:
            found += [child, *_descendants(child)]
    return found


def _resident(process: int) -> float:
    """Resident memory in MB; 0 where the process has ended."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)
    except (OSError, IndexError):
        return 0.0


def _same(ours: Path, theirs: Path) -> float:
    """The share of lines that are equal; ours may have more after the label."""
    with ours.open(encoding="utf-8") as one, theirs.open(encoding="utf-8") as other:
        equal = [a.split("\t")[0].strip() == b.strip() for a, b in zip(one, other, strict=True)]
    return sum(equal) / len(equal)
