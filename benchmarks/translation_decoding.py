"""Translating Multi30k's test_2016_flickr: sentences a second, beside CTranslate2 (float32) and JoeyNMT 2.3.

All three have the weights of one run of `pipelines/translation/transformer.yaml`, converted, and the same sentences
from short to long; whole processes in turn. Ours counts tokenising and joining, theirs begin and end with tokens.
JoeyNMT has fewer sentences, for it takes long. `equal` is the share of translations that CTranslate2 has, too, for
greedy search and beam 5 without a length penalty (the two divide by different ones): as nlpipe is shipped, and in
float32, with their BLEU. Last, what a token costs in greedy search made to go on for 10 and for 1,000 tokens. Wanted: 5
times JoeyNMT at beam 5 and batches of 64, 0.35 times CTranslate2, one sentence in 40 ms, at 1,000 tokens at most 1.5
times the cost.

The run is the newest runs/transformer-*, or NLPIPE_TRANSLATION_RUN.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.environments import THREADS, translation
from benchmarks.processes import ROOT, middle, multi30k, python, ratio, run
from nlpipe.datasets.load import load_dataset
from nlpipe.stage import Predictions
from nlpipe.tasks import task_named
from nlpipe.wire import Text

PEERS = ROOT / "benchmarks" / "peers"
WAYS = [
    *([5, size, count] for size, count in ((1, 100), (4, 200), (16, 400), (64, 1000), (128, 1000))),
    *([1, size, count] for size, count in ((1, 200), (4, 400), (16, 1000), (64, 1000), (128, 1000))),
]
"""Beam, batch size, sentences."""
FEW = [[5, 64, 128], [1, 1, 10], [1, 64, 128]]
"""Those of JoeyNMT."""
LENGTHS = [10, 1000]
ROUNDS = 2

Runs = dict[str, list[dict[str, Any]]]


def measure() -> dict[str, Any]:
    """All in turn, twice; then the shares and ratios."""
    folder, other = str(trained()), str(translation())
    rows: Runs = {"nlpipe": [], "CTranslate2": [], "JoeyNMT": []}
    with tempfile.TemporaryDirectory() as name:
        directory, texts = f"{name}/ctranslate2", f"{name}/texts.json"
        test = load_dataset(multi30k()).test
        short_first = np.argsort([len(text) for text in test.inputs.strings], kind="stable")  # type: ignore[attr-defined]
        test = test.take(short_first.tolist())
        Path(texts).write_text(json.dumps(test.inputs.strings), encoding="utf-8")  # type: ignore[attr-defined]
        run([other, "-m", "nlpipe", "export", folder, directory, "--to", "ctranslate2"])
        answers = {side: f"{name}/{side}.json" for side in ("nlpipe", "CTranslate2")}
        for i in range(ROUNDS):
            told = {"sentences": texts, "ways": WAYS, "lengths": LENGTHS, "threads": THREADS}
            ours, theirs = (json.dumps({**told, "answers": None if i else path}) for path in answers.values())
            few = json.dumps({**told, "ways": FEW})
            rows["nlpipe"].append(run(python(str(PEERS / "nlpipe_decoding.py"), folder, ours)))
            rows["CTranslate2"].append(run([other, str(PEERS / "ctranslate2_decoding.py"), folder, directory, theirs]))
            command = [other, "-W", "ignore", str(PEERS / "joeynmt_decoding.py"), folder, few]
            rows["JoeyNMT"].append(run(command))
        mine, its = (json.loads(Path(path).read_text(encoding="utf-8")) for path in answers.values())
    metric = task_named("translation").metrics(())[0]
    said = [f"{THREADS} threads; sentences of the run {Path(folder).name}."]
    for way, texts_found in mine.items():
        same = [a == b for a, b in zip(texts_found, its[way.partition(",")[0]], strict=True)]
        bleu = metric(test.targets, Predictions(Text(texts_found)))["bleu"]
        said.append(f"Equal to CTranslate2's, {way}: {sum(same) / len(same):.1%} (bleu {bleu:.2f}).")
    said.append(f"JoeyNMT's greedy translations equal ours: {middle(rows['JoeyNMT'], 'equal'):.0%}.")
    return {"table": _table(rows), "said": " ".join(said), "runs": rows}


def _table(rows: Runs) -> list[list[str]]:
    ours, fast, slow = rows.values()
    table = [["", "nlpipe", "CTranslate2", "nlpipe / CTranslate2", "JoeyNMT", "nlpipe / JoeyNMT"]]
    for beam, size, _ in WAYS:
        key, name = f"rate {beam} {size}", f"beam {beam}" if beam > 1 else "greedy"
        cells = [f"{name}, batches of {size}, sentences/s", f"{middle(ours, key):,.1f}", f"{middle(fast, key):,.1f}"]
        cells.append(f"{ratio(ours, fast, key):.2f}")
        known = key in slow[0]
        cells += [f"{middle(slow, key):,.1f}", f"{ratio(ours, slow, key):.1f}"] if known else ["", ""]
        table.append(cells)
    shown = [f"{1000 * middle(found, 'seconds 1 1'):.1f}" for found in (ours, fast, slow)]
    table.append(["greedy, one sentence, p50, ms", *shown[:2], "", shown[2], ""])
    for length in LENGTHS:
        shown = [f"{1e6 * middle(found, f'token {length}'):,.0f}" for found in (ours, fast)]
        table.append([f"a token of {length:,}, microseconds", *shown, "", "", ""])
    short, long = (f"token {length}" for length in LENGTHS)
    grown = [f"{middle(found, long) / middle(found, short):.2f}" for found in (ours, fast)]
    table.append(["cost at 1,000 / cost at 10", *grown, "", "", ""])
    for row in table:
        print("  ".join(row), flush=True)
    return table


def trained() -> Path:
    """The run whose weights are used."""
    named = os.environ.get("NLPIPE_TRANSLATION_RUN")
    found = [Path(named)] if named else sorted((ROOT / "runs").glob("transformer-*"), key=lambda p: p.stat().st_mtime)
    if not found:
        sys.exit("no run of pipelines/translation/transformer.yaml; make one, or name it in NLPIPE_TRANSLATION_RUN")
    return found[-1]
