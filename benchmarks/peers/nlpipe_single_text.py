"""Predict one text at a time with a pipeline fitted here. Arguments: a JSON file of texts, a pipeline file, overrides.

It uses what any version of nlpipe has, so that two versions can be timed by setting PYTHONPATH.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from timing import print_latency

import nlpipe


def main() -> None:
    """Fit, then time each text."""
    prepared = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    pipeline = nlpipe.load(sys.argv[2], sys.argv[3:])
    pipeline.fit(prepared["texts"], prepared["labels"])
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(prepared["threads"])
    print_latency(lambda text: pipeline.predict([text]), prepared["test"])


if __name__ == "__main__":
    main()
