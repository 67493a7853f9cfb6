"""A saved pipeline: processor milliseconds of single texts, texts per processor second in batches, and its answers.

python nlpipe_texts.py PREPARED.json MODEL ANSWERS.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from timing import print_processor_times


def main() -> None:
    """Load, answer, time."""
    texts = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["texts"]
    from nlpipe.pipeline import Pipeline

    pipeline = Pipeline.load(sys.argv[2])
    Path(sys.argv[3]).write_text(json.dumps(pipeline.predict(texts).labels), encoding="utf-8")
    print_processor_times(pipeline.predict, texts, (256, 1024))


main()
