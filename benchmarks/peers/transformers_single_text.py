"""The vectors of one text at a time by `transformers`. Arguments: a JSON file of texts, a model's folder, a dtype."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from timing import print_latency
from transformers import AutoModel, AutoTokenizer


def main() -> None:
    """Load tokenizer and model, then time each text."""
    prepared = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    torch.set_num_threads(prepared["threads"])
    tokenizer = AutoTokenizer.from_pretrained(sys.argv[2])
    model = AutoModel.from_pretrained(sys.argv[2], dtype=getattr(torch, sys.argv[3])).eval()

    @torch.inference_mode()
    def vectors(text: str) -> torch.Tensor:
        output: torch.Tensor = model(**tokenizer(text, return_tensors="pt", truncation=True)).last_hidden_state
        return output

    print_latency(vectors, prepared["test"])


if __name__ == "__main__":
    main()
