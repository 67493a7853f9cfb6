"""What nlpipe 0.1.0 wrote is read: a saved model, made here from plain files as that version wrote them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import nlpipe
from nlpipe.errors import ModelError

WORDS = ["bad", "bore", "dull", "film", "fine", "fun", "good"]
COUNTS = {"neg": [2, 1, 1, 1, 0, 0, 0], "pos": [0, 0, 0, 1, 1, 1, 2]}
"""Of the words in 'bad film', 'dull bad bore' and in 'good film', 'fine good fun'."""
REGEX = {"name": "regex", "pattern": None, "lowercase": True, "form": None}
BOW = {
    "name": "bow", "ngrams": [1, 1], "unit": "word", "min_count": 1, "max_count": 1.0, "max_features": None,
    "select": None, "binary": False, "stop_words": None,
}  # fmt: skip
NAIVE_BAYES = {"name": "naive_bayes", "variant": "multinomial", "alpha": 1.0, "prior": "found", "class_weight": None}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Written by hand as nlpipe 0.1.0 writes it, word counts smoothed by one."""
    stages = [("tokenizer", REGEX), ("representation", BOW), ("head", NAIVE_BAYES)]
    manifest = {
        "format": 1, "name": "small", "task": "classification", "seed": 3, "trainer": {},
        "stages": [{"slot": slot, "stage": stage, "versions": {"": 1}} for slot, stage in stages],
    }  # fmt: skip
    (tmp_path / "model.json").write_text(json.dumps(manifest))
    (tmp_path / "1-representation.json").write_text(json.dumps({"width": 7, "levels": 1}))
    text = "".join(WORDS).encode()
    save_file(
        {
            "words": np.frombuffer(text, dtype=np.uint8),
            "ends": np.cumsum([len(word) for word in WORDS]),
            "columns.1": np.arange(7, dtype=np.int32),
        },
        tmp_path / "1-representation.safetensors",
    )
    (tmp_path / "2-head.json").write_text(json.dumps({"classes": ["neg", "pos"]}))
    weights = np.log([[(counts[i] + 1) / (sum(counts) + 7) for counts in COUNTS.values()] for i in range(7)])  # (7, 2)
    save_file({"weights": weights, "offsets": np.log([0.5, 0.5])}, tmp_path / "2-head.safetensors")
    return tmp_path


def test_a_saved_model_loads_and_answers_as_bayes_would(model: Path) -> None:
    predictions = nlpipe.Pipeline.load(model).predict(["a good bore", "film"])
    assert predictions.values.values == ["pos", "neg"]
    # good: 1/12 against 3/12, bore: 2/12 against 1/12; film: the same in both
    assert predictions.probabilities == pytest.approx(np.array([[2 / 5, 3 / 5], [1 / 2, 1 / 2]]))
    nlpipe.Pipeline.load(model).save(model / "again")
    again = nlpipe.Pipeline.load(model / "again").predict(["a good bore", "film"])
    assert (again.probabilities == predictions.probabilities).all()


@pytest.mark.parametrize("form", [None, 0, 2, "1"])
def test_a_model_of_another_format_says_so(model: Path, form: object) -> None:
    manifest = json.loads((model / "model.json").read_text())
    (model / "model.json").write_text(json.dumps({**manifest, "format": form}))
    with pytest.raises(ModelError, match=r"saved in format .*, this nlpipe reads format 1; run it again"):
        nlpipe.Pipeline.load(model)
