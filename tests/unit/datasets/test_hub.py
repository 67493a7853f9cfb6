"""The hub source on local data set directories: saved ones and folders of files."""

from __future__ import annotations

import sys

import pytest

from nlpipe.datasets import load_dataset
from nlpipe.errors import DataError, MissingExtra

CARD = {"task": "classification", "columns": {"text": "sentence", "label": "class"}}


def hub(path, **keys):
    return {**CARD, "source": {"kind": "hub", "path": str(path), **keys}}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    datasets = pytest.importorskip("datasets")
    folder = tmp_path_factory.mktemp("hub")
    features = datasets.Features(
        {"sentence": datasets.Value("string"), "class": datasets.ClassLabel(names=["bad", "good"])}
    )

    def part(name, count, secret=False):
        rows = {
            "sentence": [f"{name} {i}" for i in range(count)],
            "class": [-1 if secret else i % 2 for i in range(count)],
        }
        return datasets.Dataset.from_dict(rows, features=features)

    parts = {"train": part("train", 40), "validation": part("dev", 6), "test": part("test", 5, secret=True)}
    datasets.DatasetDict(parts).save_to_disk(str(folder / "saved"))
    return folder


def test_a_saved_directory_with_class_names(saved):
    data = load_dataset(hub("saved", dev="validation"), saved)
    assert data.dev.inputs.strings == [f"dev {i}" for i in range(6)]
    assert data.dev.targets.values == ["bad", "good"] * 3
    assert len(data.train) + len(data.test) == 40
    assert data.labels == ("bad", "good")


def test_a_folder_of_files(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "files"
    folder.mkdir()
    lines = "".join(f"words {i},{('no', 'yes')[i % 2]}\n" for i in range(30))
    (folder / "train.csv").write_text("sentence,class\n" + lines)
    data = load_dataset(hub("files"), tmp_path)
    assert len(data.train) == 24
    assert data.labels == ("no", "yes")


def test_faults(saved):
    with pytest.raises(DataError, match="has no split 'validaton'; did you mean 'validation'"):
        load_dataset(hub("saved", dev="validaton"), saved)
    with pytest.raises(DataError, match="there is no column 'sentense' for 'text'; did you mean 'sentence'"):
        load_dataset({**hub("saved"), "columns": {"text": "sentense", "label": "class"}}, saved)
    with pytest.raises(DataError, match=r"saved\[test\]:1: column 'class': the label is missing"):
        load_dataset(hub("saved", test="test"), saved)


def test_a_directory_that_is_no_data_set(tmp_path):
    pytest.importorskip("datasets")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"cannot load '.*/empty'"):
        load_dataset(hub("empty"), tmp_path)


def test_remote_code_is_never_run(tmp_path):
    pytest.importorskip("datasets")
    folder = tmp_path / "scripted"
    folder.mkdir()
    (folder / "scripted.py").write_text("import pathlib; pathlib.Path(__file__).with_name('ran').write_text('')")
    with pytest.raises(DataError):
        load_dataset(hub("scripted"), tmp_path)
    assert not (folder / "ran").exists()


def test_without_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingExtra, match=r'pip install "nlpipe\[hub\]"'):
        load_dataset(hub("x"), tmp_path)


@pytest.mark.parametrize("languages", [True, False])
def test_a_field_of_a_column(tmp_path, languages):
    datasets = pytest.importorskip("datasets")
    inner = (
        datasets.Translation(languages=["en", "de"])
        if languages
        else {"en": datasets.Value("string"), "de": datasets.Value("string")}
    )
    rows = {"translation": [{"en": "yes", "de": "ja"}, {"en": "no", "de": "nein"}]}
    part = datasets.Dataset.from_dict(rows, features=datasets.Features({"translation": inner}))
    datasets.DatasetDict({"train": part, "validation": part, "test": part}).save_to_disk(str(tmp_path / "pairs"))
    source = {"kind": "hub", "path": "pairs", "dev": "validation", "test": "test"}
    card = {
        "task": "translation",
        "source": source,
        "columns": {"source": "translation.en", "target": "translation.de"},
    }
    found = load_dataset(card, tmp_path)
    assert found.train.inputs.strings == ["yes", "no"]
    assert found.train.targets.strings == ["ja", "nein"]
    card["columns"] = {"source": "translation.en", "target": "translation.fr"}
    with pytest.raises(DataError, match=r"no column 'translation\.fr' for 'target'"):
        load_dataset(card, tmp_path)
