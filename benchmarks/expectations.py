"""Write the expected score and time at the head of each example pipeline, from the folder of a comparison.

nlpipe compare pipelines/ner/compare.yaml
python -m benchmarks.expectations ner runs/comparison-…
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks.processes import ROOT
from nlpipe.runs.environment import processor


def main() -> None:
    """For each row of the comparison, replace the comment at the head of its file."""
    comparison = json.loads((Path(sys.argv[2]) / "comparison.json").read_text(encoding="utf-8"))
    machine = processor()
    for row in comparison["rows"]:
        if row["score"] is None:
            print(f"{row['name']} failed, so its file is not changed: {row['errors']}")
            continue
        path = ROOT / "pipelines" / sys.argv[1] / f"{row['name']}.yaml"
        body = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
        costs = row["costs"]
        comment = [
            f"# Expect on {comparison['data']}: {comparison['primary']} {row['score']:.3f} "
            f"({row['low']:.3f} to {row['high']:.3f}),",
            f"# {costs['fit_seconds']:.1f} s to fit, threads: {costs['threads']:.0f} ({machine['name']}).",
        ]
        path.write_text("\n".join([*comment, *body]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
