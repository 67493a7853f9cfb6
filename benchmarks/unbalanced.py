"""The classical classifiers with the options of their shipped files, on unbalanced and on many classes: dev scores.

`programs`: which of six programs an interface string is from (7:1); `modules`: from which catalogue file of them, among
those with at least 20 strings. `entities`: the type of each entity of WNUT 2017 (6 classes). `negative`: SST-2 with
one negative sentence of ten kept in both splits. One cell: accuracy / macro F1 / seconds to fit.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, f1_score

import nlpipe
from benchmarks.processes import ROOT, sst2, tagged
from nlpipe.datasets.card_finder import find_card
from nlpipe.datasets.load import load_dataset
from nlpipe.datasets.sources import rows
from nlpipe.tag_schemes import to_spans
from nlpipe.tasks.task import Ledger
from nlpipe.wire import Tags, Tokens

Examples = tuple[list[str], list[str]]
"""Texts and their labels."""

SETTINGS: list[tuple[str, list[str]]] = [
    ("bow_nb", []),
    ("bow_nb", ["head.variant=complement"]),
    ("tfidf_logreg", []),
    ("tfidf_logreg", ["head.class_weight=auto"]),
    ("tfidf_svm", []),
    ("nbsvm", ["head.beta=0.25"]),
    ("nbsvm", []),
    ("hashing_logreg", []),
]


def measure() -> dict[str, Any]:
    """Fit each pipeline on each set and score it on the set's dev split."""
    catalogues = interface_strings()
    sets = {
        "programs": split([(text, path.partition("/")[0]) for text, path in catalogues]),
        "modules": split(frequent(catalogues, 20)),
        "entities": entity_types(),
        "negative": few_negative(),
    }
    table = []
    for name, overrides in SETTINGS:
        cells = [cell(name, overrides, train, dev) for train, dev in sets.values()]
        table.append([name, ", ".join(overrides), *cells])
        print("  ".join(table[-1]), flush=True)
    sizes = (f"{name}: {len(t[0]):,} / {len(d[0]):,}, {len(set(t[1]))} classes" for name, (t, d) in sets.items())
    return {"table": [["pipeline", "changed", *sets], *table], "notes": "Train / dev: " + "; ".join(sizes) + "."}


def cell(name: str, overrides: list[str], train: Examples, dev: Examples) -> str:
    """Accuracy, macro F1 and seconds of a pipeline."""
    pipeline = nlpipe.load(ROOT / "pipelines" / "sentiment" / f"{name}.yaml", overrides)
    started = time.perf_counter()
    pipeline.fit(*train)
    seconds = time.perf_counter() - started
    predicted = pipeline.predict(dev[0]).values.values
    macro = f1_score(dev[1], predicted, average="macro", zero_division=0)
    return f"{accuracy_score(dev[1], predicted):.3f} / {macro:.3f} / {seconds:.1f}"


def interface_strings() -> list[tuple[str, str]]:
    """The English strings of the six programs, each with the path of its catalogue; those of two catalogues are left
    out."""
    card = find_card("software_strings_en_de", ROOT)
    found: dict[str, set[str]] = {}
    for row in rows(card, "train", {"source": "source", "target": "target"}, Ledger()) or ():
        found.setdefault(row.fields["source"], set()).add(row.path.rpartition(":")[2])
    return [(text, min(paths)) for text, paths in sorted(found.items()) if len(paths) == 1]


def frequent(examples: list[tuple[str, str]], least: int) -> list[tuple[str, str]]:
    """Those whose label at least ``least`` examples have."""
    counts = Counter(label for _, label in examples)
    return [(text, label) for text, label in examples if counts[label] >= least]


def split(examples: list[tuple[str, str]]) -> tuple[Examples, Examples]:
    """Nine tenths for training and one for scoring, drawn with seed 13."""
    order = np.random.default_rng(13).permutation(len(examples)).tolist()
    cut = len(order) // 10
    return columns([examples[i] for i in order[cut:]]), columns([examples[i] for i in order[:cut]])


def columns(examples: list[tuple[str, str]]) -> Examples:
    """Texts and labels."""
    return [text for text, _ in examples], [label for _, label in examples]


def entity_types() -> tuple[Examples, Examples]:
    """The words of each entity of WNUT 2017's training and dev splits, with its type."""
    data = load_dataset(tagged("wnut17"), ROOT)
    both = []
    for part in (data.train, data.dev):
        assert isinstance(part.inputs, Tokens) and isinstance(part.targets, Tags)
        examples = []
        for b, tags in enumerate(part.targets.values):
            words = part.inputs.words[b]
            examples += [(" ".join(words[start:end]), kind) for start, end, kind in to_spans(tags)]
        both.append(columns(examples))
    return both[0], both[1]


def few_negative() -> tuple[Examples, Examples]:
    """SST-2's training and dev splits with every tenth negative sentence."""
    data = load_dataset(sst2(), ROOT)
    both = []
    for part in (data.train, data.dev):
        pairs = list(zip(part.inputs.strings, part.targets.values, strict=True))  # type: ignore[attr-defined]
        both.append(columns([p for p in pairs if p[1] == "1"] + [p for p in pairs if p[1] == "0"][::10]))
    return both[0], both[1]
