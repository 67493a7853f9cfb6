"""Run the named benchmarks (all by default), write results/NAME.json for each, and make REPORT.md from these files."""

from __future__ import annotations

import importlib
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from nlpipe.runs.environment import processor

HERE = Path(__file__).parent
NAMES = [
    "verdict_simulation",
    "slice_simulation",
    "comparing",
    "large_comparison",
    "startup",
    "fuzz",
    "choose_classical",
    "classical_accuracy",
    "unbalanced",
    "choose_neural",
    "neural_accuracy",
    "choose_window",
    "ner_accuracy",
    "ner_raw",
    "tfidf_beside_script",
    "stream",
    "bulk",
    "distilled",
    "bilstm_speed",
    "products",
    "bert_speed",
    "single_text",
    "runtimes",
    "cascade",
    "serving",
    "ner_speed",
    "translation_baselines",
    "translation_training",
    "translation_decoding",
    "answer_lengths",
    "ngram_speed",
    "language_models",
    "character_models",
    "generating",
    "large_corpus",
    "masked_pretraining",
]


def main() -> None:
    """Run the benchmarks, record their results and write the report."""
    for name in sys.argv[1:] or NAMES:
        module = importlib.import_module(f"benchmarks.{name}")
        print(f"== {name}: {module.__doc__.strip().partition(chr(10))[0]}", flush=True)
        load = os.getloadavg()[0]
        results = module.measure()
        record = {
            "measured": datetime.now(UTC).isoformat(timespec="minutes"),
            "machine": processor(),
            "load_before": load,
            **results,
        }
        (HERE / "results").mkdir(exist_ok=True)
        (HERE / "results" / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    (HERE / "REPORT.md").write_text(report(), encoding="utf-8")


def report() -> str:
    """The text of REPORT.md: for each benchmark what it measures, the machine and a table."""
    parts = ["# Benchmarks\n\nWritten by `python -m benchmarks` from `benchmarks/results/*.json`; do not edit.\n"]
    for name in NAMES:
        path = HERE / "results" / f"{name}.json"
        if not path.exists():
            continue
        record = json.loads(path.read_text(encoding="utf-8"))
        if "machine" not in record:  # an interrupted benchmark, which continues from this file
            continue
        module = importlib.import_module(f"benchmarks.{name}")
        machine = record["machine"]
        parts.append(f"## {module.__doc__.strip()}\n")
        parts.append(
            f"`python -m benchmarks {name}`, {record['measured']}, {machine['name']}, {machine['cores']} cores.\n"
        )
        header, *rows = record["table"]
        parts.append("| " + " | ".join(header) + " |\n|" + "---|" * len(header))
        parts.extend("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows)
        if record.get("notes"):
            parts.append("\n" + record["notes"])
        parts.append("")
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    main()
