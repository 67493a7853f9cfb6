"""Tagging speed on NCBI disease in words per second, beside spaCy's `ner`, trained on the same data, and Flair.

Each tagger has a process of its own with two threads; processes alternate. The speed is the median of seven predictions
of the test split, whose words are given. F1 is strict, on the test split, with the options of the files. Flair's
SequenceTagger has the same word vectors (GloVe, 50 features) and hidden size, no CRF, and random weights; it runs in an
environment of its own with its documented batch size and with 256. `decoding` is the share of the prediction time that
the constrained search takes. The last row tags one document of 200,000 words: words per second and peak memory of the
process. Target: window and bilstm as fast as spaCy at no lower F1, bilstm 3 times as fast as Flair, decoding
at most 5 %.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.environments import flair
from benchmarks.processes import ROOT, middle, python, run, tagged
from nlpipe.classical.vector_files import read_vectors
from nlpipe.datasets.load import load_dataset

PEERS = ROOT / "benchmarks" / "peers"
REPEATS = 7
ROUNDS = 1


def measure() -> dict[str, Any]:
    """Run all taggers alternately."""
    data = tagged("ncbi_disease")
    options = {"data": data, "seed": 1, "repeats": REPEATS}
    rows: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(ROUNDS):
            for name in ("window", "bilstm"):
                file = str(ROOT / "pipelines" / "ner" / f"{name}.yaml")
                command = python(str(PEERS / "nlpipe_tagging.py"), json.dumps({**options, "file": file}))
                rows.setdefault(name, []).append(run(command))
            spacy = python(str(PEERS / "spacy_ner.py"), json.dumps({**options, "epochs": 10}))
            rows.setdefault("spaCy ner", []).append(run(spacy))
            measured = run([str(flair()), str(PEERS / "flair_tagger.py"), _for_flair(Path(folder), data)])
            for size in (32, 256):
                rows.setdefault(f"Flair, batches of {size}", []).append({**measured, "rate": measured[f"rate_{size}"]})
        document = run(python(str(PEERS / "nlpipe_long_document.py"), str(ROOT / "pipelines" / "ner" / "bilstm.yaml")))
    table = [["", "words/s", "F1", "decoding", "trained in s"]]
    for name, measured in rows.items():
        cells = [f"{middle(measured, 'rate'):,.0f}"]
        for key, form in (("f1", ".3f"), ("decoding", ".1%"), ("fit", ".0f")):
            cells.append(format(middle(measured, key), form) if key in measured[0] else "")
        table.append([name, *cells])
    table.append(
        ["bilstm, 200,000 words in one", f"{document['rate']:,.0f}", "", f"peak {document['peak_mb']:,.0f} MB", ""]
    )
    return {"table": table, "runs": {**rows, "document": [document]}}


def _for_flair(folder: Path, given: dict[str, Any]) -> str:
    """Write the sentences, types and vectors that the Flair script needs; return the file's path."""
    data = load_dataset(given)
    sentences = data.test.inputs.words  # type: ignore[attr-defined]
    known_words = {word.lower() for split in (data.train, data.test) for words in split.inputs.words for word in words}  # type: ignore[attr-defined]
    words, vectors = read_vectors("glove_6b_50d", lambda word, place: word in known_words)
    np.save(folder / "vectors.npy", np.asarray(vectors, dtype=np.float32))
    options = {
        "sentences": sentences, "types": sorted({tag[2:] for tag in data.labels if tag != "O"}), "words": list(words),
        "vectors": str(folder / "vectors.npy"), "hidden": 128, "repeats": REPEATS,
    }  # fmt: skip
    (folder / "flair.json").write_text(json.dumps(options), encoding="utf-8")
    return str(folder / "flair.json")
