"""Saved models: damage is found, code is never run, files can be read by others."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from nlpipe import Pipeline, heads, representations, tokenizers
from nlpipe.errors import ModelError, NlpipeError
from nlpipe.pipeline.integrity import sealed
from nlpipe.runs.run import is_undamaged
from nlpipe.wire import Text

TEXTS = ["a good film", "a dull film", "good fun", "no fun"] * 3
LABELS = ["good", "bad", "good", "bad"] * 3


@pytest.fixture
def model(tmp_path: Path) -> Path:
    stages = [tokenizers.Regex(), representations.TfIdf(), heads.LogisticRegression()]
    return Pipeline(stages).fit(TEXTS, LABELS).save(tmp_path / "run" / "model")


def test_every_flipped_byte_is_found(model: Path) -> None:
    generator = random.Random(1)
    for path in sorted(model.iterdir()):
        content = path.read_bytes()
        for _ in range(40):
            place = generator.randrange(len(content))
            damaged = bytearray(content)
            damaged[place] ^= 1 << generator.randrange(8)
            path.write_bytes(damaged)
            try:
                Pipeline.load(model)
            except NlpipeError:
                continue
            assert path.name == "model.json"  # a blank of it that became another one
            assert json.loads(damaged) == json.loads(content)
        path.write_bytes(content)
    assert Pipeline.load(model).predict(["good"]).values.values == ["good"]


def test_missing_swapped_and_added_files_are_found(model: Path) -> None:
    one, other = sorted(model.glob("*.safetensors"))
    first, second = one.read_bytes(), other.read_bytes()
    other.write_bytes(first)
    with pytest.raises(ModelError, match=f"{other.name}: damaged"):
        Pipeline.load(model)
    other.unlink()
    with pytest.raises(ModelError, match=f"{other.name}: missing"):
        Pipeline.load(model)
    other.write_bytes(second)
    (model / "0-tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match=r"0-tokenizer\.json: not a file of this model"):
        Pipeline.load(model)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays: {**arrays, "weights": np.full_like(arrays["weights"], np.nan)}, "not numbers"),
        (lambda arrays: {**arrays, "weights": arrays["weights"].T.copy()}, "do not fit 2 classes"),
        (lambda arrays: {"weights": arrays["weights"]}, "'offsets' is missing"),
    ],
)
def test_weights_that_cannot_answer_are_refused(model: Path, change: object, message: str) -> None:
    path = model / "2-head.safetensors"
    save_file(change(load_file(path)), path)  # type: ignore[operator]
    manifest = json.loads((model / "model.json").read_text())
    (model / "model.json").write_text(json.dumps(sealed(model, manifest)))
    with pytest.raises(ModelError, match=message):
        Pipeline.load(model)


def test_a_run_is_done_only_while_its_model_is_whole(model: Path) -> None:
    assert is_undamaged(model.parent)
    path = model / "2-head.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    assert not is_undamaged(model.parent)


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_others_can_read_what_is_written(tmp_path: Path) -> None:
    stages = [tokenizers.Regex(), representations.TfIdf(), heads.LogisticRegression()]
    folder = Pipeline(stages).fit(TEXTS, LABELS).save(tmp_path / "model")
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o644}


def encoder_files(folder: Path) -> Path:
    pytest.importorskip("transformers")
    from tests.tiny_models import write_encoder

    return Path(write_encoder("bert", folder))


def fitted(folder: Path) -> Pipeline:
    """A fine-tuned encoder."""
    from nlpipe.encoders import Mean

    stages = [tokenizers.Regex(), representations.Bert(str(folder), trainable=True), Mean(), heads.Classifier()]
    return Pipeline(stages, trainer={"epochs": 1, "lr": 1e-4}).fit(TEXTS, LABELS)


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_a_directory_with_code_of_its_own_is_refused(tmp_path: Path, name: str) -> None:
    folder = encoder_files(tmp_path)
    content = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps({**content, "auto_map": {"AutoModel": "harm.Harm"}}))
    (folder / "harm.py").write_text("raise SystemExit('the code has run')\n")
    with pytest.raises(ModelError, match="'auto_map' names code"):
        fitted(folder)


@pytest.mark.parametrize("name", ["weights.bin", "../weights.safetensors", "/tmp/weights.safetensors"])
def test_an_index_that_leaves_the_directory_is_refused(tmp_path: Path, name: str) -> None:
    folder = encoder_files(tmp_path)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(ModelError, match="is not a safetensors file of this directory"):
        fitted(folder)


@pytest.mark.parametrize(
    ("name", "keys", "value"),
    [
        ("config.json", ["vocab_size"], 10**9),
        ("config.json", ["num_hidden_layers"], -1),
        ("tokenizer.json", ["model", "vocab", "zebra"], 10**9),
    ],
)
def test_sizes_beyond_any_model_are_refused(tmp_path: Path, name: str, keys: list[str], value: int) -> None:
    folder = encoder_files(tmp_path)
    content = json.loads((folder / name).read_text())
    place = content
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    (folder / name).write_text(json.dumps(content))
    with pytest.raises(ModelError, match="expected"):
        fitted(folder)


def test_a_saved_configuration_with_code_is_refused_without_asking(tmp_path: Path) -> None:
    folder = encoder_files(tmp_path)
    saved = fitted(folder).save(tmp_path / "saved")
    path = saved / "1-representation.json"
    state = json.loads(path.read_text())
    state["config"]["auto_map"] = {"AutoModel": "harm.Harm"}
    path.write_text(json.dumps(state))
    manifest = json.loads((saved / "model.json").read_text())
    (saved / "model.json").write_text(json.dumps(sealed(saved, manifest)))
    with pytest.raises(ModelError, match="'auto_map' names code"):
        Pipeline.load(saved)


def test_a_frozen_model_is_exported_bit_for_bit_after_it_has_answered(tmp_path: Path) -> None:
    folder = encoder_files(tmp_path)
    bert = representations.Bert(str(folder), precision="bf16")
    bert.build(0)
    bert.forward(tokenizers.Regex().forward(Text(TEXTS)))
    bert.export(tmp_path / "exported")
    before, after = load_file(folder / "model.safetensors"), load_file(tmp_path / "exported" / "model.safetensors")
    assert before.keys() == after.keys()
    for name, array in before.items():
        np.testing.assert_array_equal(after[name], array)
