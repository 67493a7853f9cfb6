"""Translating Multi30k's test_2016_flickr: sentences per second, beside CTranslate2 (float32) and JoeyNMT 2.3.

nlpipe translates twice: by its own network, and by CTranslate2 as `nlpipe predict` does where that is installed. All
have the converted weights of one run of `pipelines/translation/transformer.yaml` and translate the same sentences from
short to long; whole processes alternate. nlpipe's time includes tokenising and joining, the others' does not. JoeyNMT
gets fewer sentences, because it is slow. The notes give the share of translations that equal CTranslate2's, for greedy
search and beam 5 without a length penalty (the two define it differently), and their BLEU. The last rows show the time
per token of greedy search that is forced to generate 10 and 1,000 tokens. Targets: as `nlpipe predict` does it, 0.5
times CTranslate2's speed for one sentence, 0.8 times for greedy batches of 64, 1.0 times at beam 5; by its own network
5 times JoeyNMT's at beam 5 and batches of 64, and at 1,000 tokens at most 1.5 times the time per token.

The run is the newest runs/transformer-*, or the one that NLPIPE_TRANSLATION_RUN names.
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
from benchmarks.processes import ROOT, middle, multi30k, ratio, run
from nlpipe.datasets.load import load_dataset
from nlpipe.predictions import Predictions
from nlpipe.tasks import task_named
from nlpipe.wire import Text

PEERS = ROOT / "benchmarks" / "peers"
SETTINGS = [
    *([5, size, count] for size, count in ((1, 100), (4, 200), (16, 400), (64, 1000), (128, 1000))),
    *([1, size, count] for size, count in ((1, 200), (4, 400), (16, 1000), (64, 1000), (128, 1000))),
]
"""Beam, batch size, sentences."""
JOEYNMT_SETTINGS = [[5, 64, 128], [1, 1, 10], [1, 64, 128]]
"""The same for JoeyNMT."""
LENGTHS = [10, 1000]
ROUNDS = 2

Runs = dict[str, list[dict[str, Any]]]


def measure() -> dict[str, Any]:
    """Run all three alternately, twice; then compute shares and ratios."""
    folder, other = str(trained()), str(translation())
    rows: Runs = {"nlpipe": [], "with CTranslate2": [], "CTranslate2": [], "JoeyNMT": []}
    with tempfile.TemporaryDirectory() as name:
        directory, texts = f"{name}/export/1-head.ctranslate2", f"{name}/texts.json"
        test = load_dataset(multi30k()).test
        short_first = np.argsort([len(text) for text in test.inputs.strings], kind="stable")  # type: ignore[attr-defined]
        test = test.take(short_first.tolist())
        Path(texts).write_text(json.dumps(test.inputs.strings), encoding="utf-8")  # type: ignore[attr-defined]
        run([other, "-m", "nlpipe", "export", f"{folder}/model", f"{name}/export", "--to", "ctranslate2", "--force"])
        answers = {side: f"{name}/{side}.json" for side in ("nlpipe", "with CTranslate2", "CTranslate2")}
        for i in range(ROUNDS):
            options = {"sentences": texts, "ways": SETTINGS, "lengths": LENGTHS, "threads": THREADS}
            given = {side: {**options, "answers": None if i else path} for side, path in answers.items()}
            joeynmt_options = json.dumps({**options, "ways": JOEYNMT_SETTINGS})
            for side, more in (
                ("nlpipe", {"runtime": "nlpipe"}), ("with CTranslate2", {"runtime": "ctranslate2", "lengths": []}),
            ):  # fmt: skip
                our_options = json.dumps({**given[side], **more})
                rows[side].append(run([other, str(PEERS / "nlpipe_decoding.py"), folder, our_options]))
            their_options = json.dumps(given["CTranslate2"])
            rows["CTranslate2"].append(
                run([other, str(PEERS / "ctranslate2_decoding.py"), folder, directory, their_options])
            )
            command = [other, "-W", "ignore", str(PEERS / "joeynmt_decoding.py"), folder, joeynmt_options]
            rows["JoeyNMT"].append(run(command))
        mine, by_it, its = (json.loads(Path(path).read_text(encoding="utf-8")) for path in answers.values())
    metric = task_named("translation").metrics(())[0]
    notes = [f"{THREADS} threads; weights of the run {Path(folder).name}."]
    for setting, translations in by_it.items():
        same = [a == b for a, b in zip(translations, mine[setting], strict=True)]
        notes.append(f"With CTranslate2 as with its own network, {setting}: {sum(same) / len(same):.1%}.")
    for setting, translations in mine.items():
        same = [a == b for a, b in zip(translations, its[setting.partition(",")[0]], strict=True)]
        bleu = metric(test.targets, Predictions(Text(translations)))["bleu"]
        notes.append(f"Equal to CTranslate2's, {setting}: {sum(same) / len(same):.1%} (BLEU {bleu:.2f}).")
    notes.append(f"JoeyNMT's greedy translations equal nlpipe's: {middle(rows['JoeyNMT'], 'equal'):.0%}.")
    return {"table": _table(rows), "notes": " ".join(notes), "runs": rows}


def _table(rows: Runs) -> list[list[str]]:
    ours, taken, fast, slow = rows.values()
    titles = ["", "nlpipe", "nlpipe with CTranslate2", "CTranslate2", "nlpipe / CTranslate2", "with / CTranslate2"]
    table = [[*titles, "JoeyNMT", "nlpipe / JoeyNMT"]]
    for beam, size, _ in SETTINGS:
        key, name = f"rate {beam} {size}", f"beam {beam}" if beam > 1 else "greedy"
        cells = [
            f"{name}, batches of {size}, sentences/s",
            *(f"{middle(runs, key):,.1f}" for runs in (ours, taken, fast)),
            *(f"{ratio(runs, fast, key):.2f}" for runs in (ours, taken)),
        ]
        known = key in slow[0]
        cells += [f"{middle(slow, key):,.1f}", f"{ratio(ours, slow, key):.1f}"] if known else ["", ""]
        table.append(cells)
    shown = [f"{1000 * middle(runs, 'seconds 1 1'):.1f}" for runs in (ours, taken, fast, slow)]
    table.append(["greedy, one sentence, p50, ms", *shown[:3], "", "", shown[3], ""])
    for length in LENGTHS:
        shown = [f"{1e6 * middle(runs, f'token {length}'):,.0f}" for runs in (ours, fast)]
        table.append([f"a token of {length:,}, microseconds", shown[0], "", shown[1], "", "", "", ""])
    short, long = (f"token {length}" for length in LENGTHS)
    growth = [f"{middle(runs, long) / middle(runs, short):.2f}" for runs in (ours, fast)]
    table.append(["cost at 1,000 / cost at 10", growth[0], "", growth[1], "", "", "", ""])
    for row in table:
        print("  ".join(row), flush=True)
    return table


def trained() -> Path:
    """The folder of the run whose weights are used."""
    named = os.environ.get("NLPIPE_TRANSLATION_RUN")
    folders = [Path(named)] if named else sorted((ROOT / "runs").glob("transformer-*"), key=lambda p: p.stat().st_mtime)
    if not folders:
        sys.exit("there is no run of pipelines/translation/transformer.yaml; run it, or set NLPIPE_TRANSLATION_RUN")
    return folders[-1]
