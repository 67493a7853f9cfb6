"""Words a second that taggers answer on NCBI disease, beside spaCy's `ner` trained on the same data, and Flair.

One process each, two threads, in turn; prediction of the test split, whose words are given, seven times, the median.
F1 is strict, on the test split, with the settings of the files. Flair's SequenceTagger has the same word vectors
(GloVe, 50) and hidden size and no CRF, with random weights, in an environment of its own, at its documented batch size
and at 256. `decoding` is the share of prediction spent in the constrained search. Last, one
document of 200,000 words: words a second and peak memory of the process. Wanted: window and bilstm as fast as spaCy at
no lower F1, bilstm 3 times Flair, decoding at most 5 %.
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
    """All in turn."""
    data = tagged("ncbi_disease")
    told = {"data": data, "seed": 1, "repeats": REPEATS}
    rows: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(ROUNDS):
            for name in ("window", "bilstm"):
                file = str(ROOT / "pipelines" / "ner" / f"{name}.yaml")
                command = python(str(PEERS / "nlpipe_tagging.py"), json.dumps({**told, "file": file}))
                rows.setdefault(name, []).append(run(command))
            spacy = python(str(PEERS / "spacy_ner.py"), json.dumps({**told, "epochs": 10}))
            rows.setdefault("spaCy ner", []).append(run(spacy))
            found = run([str(flair()), str(PEERS / "flair_tagger.py"), _for_flair(Path(folder), data)])
            for size in (32, 256):
                rows.setdefault(f"Flair, batches of {size}", []).append({**found, "rate": found[f"rate_{size}"]})
        document = run(python(str(PEERS / "nlpipe_long_document.py"), str(ROOT / "pipelines" / "ner" / "bilstm.yaml")))
    table = [["", "words/s", "F1", "decoding", "trained in s"]]
    for name, found in rows.items():
        cells = [f"{middle(found, 'rate'):,.0f}"]
        for key, form in (("f1", ".3f"), ("decoding", ".1%"), ("fit", ".0f")):
            cells.append(format(middle(found, key), form) if key in found[0] else "")
        table.append([name, *cells])
    table.append(
        ["bilstm, 200,000 words in one", f"{document['rate']:,.0f}", "", f"peak {document['peak_mb']:,.0f} MB", ""]
    )
    return {"table": table, "runs": {**rows, "document": [document]}}


def _for_flair(folder: Path, given: dict[str, Any]) -> str:
    """The sentences, types and vectors that Flair's side needs."""
    data = load_dataset(given)
    sentences = data.test.inputs.words  # type: ignore[attr-defined]
    seen = {word.lower() for split in (data.train, data.test) for words in split.inputs.words for word in words}  # type: ignore[attr-defined]
    words, vectors = read_vectors("glove_6b_50d", lambda word, place: word in seen)
    np.save(folder / "vectors.npy", np.asarray(vectors, dtype=np.float32))
    told = {
        "sentences": sentences, "types": sorted({tag[2:] for tag in data.labels if tag != "O"}), "words": list(words),
        "vectors": str(folder / "vectors.npy"), "hidden": 128, "repeats": REPEATS,
    }  # fmt: skip
    (folder / "flair.json").write_text(json.dumps(told), encoding="utf-8")
    return str(folder / "flair.json")
