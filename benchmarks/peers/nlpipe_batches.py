"""A saved model in processor seconds: texts one at a time, and in batches. Arguments: a JSON file, the model."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from timing import print_processor_times

from nlpipe.pipeline import Pipeline


def main() -> None:
    """Load the model, then time all texts."""
    prepared = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    torch.set_num_threads(prepared["threads"])
    pipeline = Pipeline.load(sys.argv[2])
    print_processor_times(pipeline.predict, prepared["texts"], (256,))


if __name__ == "__main__":
    main()
