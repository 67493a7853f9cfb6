"""init: names of columns first, exports of annotation tools by their keys, and a message for what is not read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import nlpipe
from nlpipe.cli.app import app
from nlpipe.datasets.starter import Wanted, init_spec
from nlpipe.errors import DataError
from nlpipe.spec import read_pipeline


def data(path: Path, **wanted: str) -> dict[str, Any]:
    spec = read_pipeline(_written(path, init_spec(path, folder=path.parent, wanted=Wanted(**wanted))))
    assert isinstance(spec.data, dict)
    return spec.data


def _written(path: Path, text: str) -> Path:
    file = path.with_name(f"{path.stem}_starter.yaml")
    file.write_text(text)
    return file


def table(path: Path, heading: str, rows: int = 40, delimiter: str = ",") -> Path:
    """Texts with a channel of three values and a category of four."""
    lines = [f"mail{i % 3}{delimiter}please help with thing {i}{delimiter}cat{i % 4}" for i in range(rows)]
    path.write_text("\n".join([heading.replace(",", delimiter), *lines]) + "\n")
    return path


def test_names_come_before_numbers_of_values(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", "channel,message,category")
    assert data(path)["columns"] == {"text": "message", "label": "category"}
    assert "Other columns that could be the label: channel (3 values)" in init_spec(path)
    assert data(path, label="channel")["columns"]["label"] == "channel"
    with pytest.raises(DataError, match="no column 'chanel'; there are: channel, message, category"):
        init_spec(path, wanted=Wanted(label="chanel"))


def test_an_empty_label_makes_no_translation(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("text,label\n" + "".join(f"some words {i},{'' if i == 3 else 'ab'[i % 2]}\n" for i in range(30)))
    assert data(path)["task"] == "classification"
    assert "1 of the first 30 rows have no label" in init_spec(path)


def test_three_rows_make_no_translation(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("text,label\ngood,a\nbad,b\nfine,a\n")
    assert data(path)["columns"] == {"text": "text", "label": "label"}
    assert "3 rows are too few" in init_spec(path)


def test_a_named_delimiter_is_read(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", "channel,message,category", delimiter=";")
    path.write_text("sep=;\n" + path.read_text())
    assert data(path)["columns"] == {"text": "message", "label": "category"}
    file = _written(path, init_spec(path, folder=tmp_path))
    assert nlpipe.run(file, out=tmp_path / "runs").metrics["primary"] == "accuracy"


@pytest.mark.parametrize(
    ("record", "columns"),
    [
        ({"text": "Anna left", "label": [[0, 4, "PER"]]}, {"text": "text", "entities": "label"}),
        (
            {"text": "Anna left", "entities": [{"id": 1, "label": "PER", "start_offset": 0, "end_offset": 4}]},
            {"text": "text", "entities": "entities"},
        ),
        (
            {"text": "Anna left", "spans": [{"start": 0, "end": 4, "label": "PER"}], "answer": "accept"},
            {"text": "text", "entities": "spans"},
        ),
    ],
)
def test_exports_of_annotation_tools_are_tagging(
    tmp_path: Path, record: dict[str, Any], columns: dict[str, str]
) -> None:
    path = tmp_path / "export.jsonl"
    records = [{**record, "text": f"{record['text']} {i}"} for i in range(20)]
    if "answer" in record:
        records.append({**record, "answer": "reject"})
    path.write_text("\n".join(map(json.dumps, records)))
    found = data(path)
    assert (found["task"], found["columns"]) == ("tagging", columns)
    loaded = nlpipe.load_dataset(found)
    assert "B-PER" in loaded.labels
    assert sum(map(len, (loaded.train, loaded.dev, loaded.test))) == 20


def test_accepted_labels_alone_are_examples(tmp_path: Path) -> None:
    path = tmp_path / "export.jsonl"
    answers = ["accept", "accept", "reject"]
    records = [{"text": f"words {i}", "label": "ab"[i % 2], "answer": answers[i % 3]} for i in range(60)]
    path.write_text("\n".join(map(json.dumps, records)))
    found = data(path)
    assert (found["columns"], found["where"]) == ({"text": "text", "label": "label"}, {"answer": "accept"})


def test_parts_of_speech_of_conllu(tmp_path: Path) -> None:
    path = tmp_path / "t.conllu"
    path.write_text(
        "".join(
            f"# text = a\n1\tword{i}\t_\tNOUN\t_\t_\t0\t_\t_\t_\n2\tis\t_\tVERB\t_\t_\t0\t_\t_\t_\n\n"
            for i in range(20)
        )
    )
    assert data(path)["columns"] == {"token": 1, "tag": 3}


@pytest.mark.parametrize("name", ["t.json", "t.xlsx", "t.parquet"])
def test_what_is_not_read_says_how_to_convert_it(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("[]")
    with pytest.raises(DataError, match=r"is not read; (write|save|convert)"):
        init_spec(tmp_path / name)


def test_label_studio_says_how_to_export(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text(json.dumps({"data": {"text": "a"}, "annotations": [{"result": []}]}) + "\n")
    with pytest.raises(DataError, match=r"Label Studio.*export it as CoNLL"):
        init_spec(tmp_path / "t.jsonl")


def test_a_comparison_stands_beside_the_pipeline_and_runs(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", "channel,message,category")
    answer = CliRunner().invoke(app, ["init", str(path), "-o", str(tmp_path / "start.yaml")])
    assert answer.stdout.split() == [str(tmp_path / "start.yaml"), str(tmp_path / "start_compare.yaml")]
    comparison = nlpipe.compare(tmp_path / "start_compare.yaml", out=tmp_path / "runs")
    assert {row.name for row in comparison.rows} == {"start", "majority", "bow_nb"}
    assert not comparison.failures


def test_a_named_delimiter_is_read_from_a_pipe_too(tmp_path: Path) -> None:
    """A pipe can be read once: looking at its first line must not take it away."""
    path = table(tmp_path / "t.csv", "channel,message,category")
    run = nlpipe.run(_written(path, init_spec(path, folder=tmp_path)), out=tmp_path / "runs").folder
    for text in ("message\nplease help with thing 3\n", "sep=;\nchannel;message\nmail;please help with thing 3\n"):
        words = [sys.executable, "-m", "nlpipe", "predict", str(run), "--input", "csv"]
        done = subprocess.run(words, input=text, text=True, capture_output=True, check=True)
        assert done.stdout.startswith("cat")
        assert len(done.stdout.splitlines()) == 1


def test_lines_after_a_named_delimiter_keep_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('sep=;\ntext;label\ngood;a\nbad;b\n"open;a\nmore;b\n')
    with pytest.raises(DataError, match=r"t\.csv:5: a quote opens here"):
        nlpipe.load_dataset({"task": "classification", "train": str(path)})
