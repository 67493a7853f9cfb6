"""Fine-tune with `transformers.Trainer`, as its guide to text classification shows it. Arguments: options, a mode.

Options are a JSON file: model, train and dev (texts and labels), epochs, batch_size, lr, save (a folder). Modes:
`default`, `bf16`, or `best`, the Trainer's own best settings (bf16, batches of similar length).
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
)

THREADS = 2


def main() -> None:
    """Train; print examples per second and accuracy on dev."""
    options = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    best, bf16 = sys.argv[2] == "best", sys.argv[2] != "default"
    torch.set_num_threads(THREADS)
    tokenizer = AutoTokenizer.from_pretrained(options["model"])
    model = AutoModelForSequenceClassification.from_pretrained(options["model"], num_labels=2)

    def tokenize(examples: dict[str, list[str]]) -> dict[str, list[list[int]]]:
        return tokenizer(examples["text"], truncation=True, padding=False)  # type: ignore[no-any-return]

    splits = {name: Dataset.from_dict(options[name]).map(tokenize, batched=True) for name in ("train", "dev")}
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            num_train_epochs=options["epochs"],
            per_device_train_batch_size=options["batch_size"],
            per_device_eval_batch_size=64,
            learning_rate=options["lr"],
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
            bf16=bf16,
            train_sampling_strategy="group_by_length" if best else "random",
        )
        trainer = Trainer(
            model=model,
            args=arguments,
            train_dataset=splits["train"],
            eval_dataset=splits["dev"],
            processing_class=tokenizer,
            data_collator=DataCollatorWithPadding(tokenizer=tokenizer),
        )
        started = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - started
        predicted = trainer.predict(splits["dev"]).predictions.argmax(-1)
        if options["save"] and not bf16:
            trainer.save_model(options["save"])
    accuracy = float(np.mean(predicted == np.array(options["dev"]["label"])))
    print("\n" + json.dumps({"rate": options["epochs"] * len(splits["train"]) / seconds, "accuracy": accuracy}))


if __name__ == "__main__":
    main()
