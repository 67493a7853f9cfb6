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
from nlpipe.datasets.starter import init_spec
from nlpipe.datasets.starter_file import Wanted
from nlpipe.errors import DataError, NlpipeWarning
from nlpipe.spec import read_pipeline

pytestmark = pytest.mark.usefixtures("unmeasured")


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
    with pytest.warns(NlpipeWarning, match="1 of 30 rows has no label, at which a run stops"):
        assert data(path)["task"] == "classification"


@pytest.mark.parametrize("heading", ["text,label\n", ""])
def test_three_rows_make_no_translation(tmp_path: Path, heading: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(heading + "a good one,a\nbad,b\nfine,a\n")
    with pytest.warns(NlpipeWarning, match="3 rows are too few to learn from"):
        assert list(data(path)["columns"].values()) == (["text", "label"] if heading else [0, 1])


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


@pytest.mark.parametrize("name", ["t.xlsx", "t.ods", "t.zip", "t.pkl", "t.txt", "t.iob", "t.tmx"])
def test_what_is_not_read_says_how_to_convert_it(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("[]")
    with pytest.raises(DataError, match=r"is not read; (write|save|convert|unpack|name|words)"):
        init_spec(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"text": {"0": "a"}, "label": {"0": "b"}}, "pandas writes examples with to_json"),
        ({"data": [{"text": "a"}]}, "write the examples of 'data' alone"),
        ([["Anna left", {"entities": []}]], "t.json:1: a list, not an object"),
        ([{"text": "a", "label": "x"}, 3], "t.json:1: a Number, not an object"),
    ],
)
def test_json_that_holds_no_examples_is_told(tmp_path: Path, content: Any, message: str) -> None:
    (tmp_path / "t.json").write_text(json.dumps(content))
    with pytest.raises(DataError) as caught:
        init_spec(tmp_path / "t.json")
    assert message in str(caught.value)


@pytest.mark.parametrize("indent", [None, 1])
def test_arrays_are_read_like_lines(tmp_path: Path, indent: int | None) -> None:
    records = [{"text": f"words {i} \u2028", "label": i % 2 + 0.50} for i in range(40)]
    path = tmp_path / "t.json"
    path.write_text(json.dumps(records, indent=indent))
    path.with_suffix(".jsonl").write_text("\n".join(map(json.dumps, records)))
    one, other = (nlpipe.load_dataset(data(tmp_path / name)) for name in ("t.json", "t.jsonl"))
    assert one.digest == other.digest
    assert one.labels == ("0.5", "1.5")
    path.write_text('[\n {"text": "a", "label": "x"},\n {"text": "b" "label": "y"}]')
    with pytest.raises(DataError, match=r"t\.json:3:15: not JSON"):
        nlpipe.load_dataset({"task": "classification", "train": str(path)})


def test_label_studio_is_read_as_its_json_min(tmp_path: Path) -> None:
    def task(i: int) -> dict[str, Any]:
        span = {"start": 0, "end": 4, "text": "Anna", "labels": ["PER"]}
        result = [{"from_name": "ner", "to_name": "text", "type": "labels", "value": span}] if i % 3 else []
        topic = {"from_name": "topic", "type": "choices", "value": {"choices": ["ab"[i % 2]]}}
        annotations = [{"was_cancelled": True, "result": []}, {"result": [*result, topic]}] if i else []
        return {"id": i, "data": {"text": f"Anna left {i}"}, "annotations": annotations}

    path = tmp_path / "t.json"
    path.write_text(json.dumps([task(i) for i in range(31)]))
    found = data(path)
    assert (found["task"], found["columns"]) == ("tagging", {"text": "text", "entities": "ner"})
    loaded = nlpipe.load_dataset(found)
    splits = (loaded.train, loaded.dev, loaded.test)
    assert sum(map(len, splits)) == 30
    assert sum(len(entities) for split in splits for entities in split.targets.entities) == 20  # type: ignore[attr-defined]
    assert loaded.ledger["train"].counts["not_annotated"] == 1
    found = data(path, task="classification")
    assert found["columns"] == {"text": "text", "label": "topic"}
    assert nlpipe.load_dataset(found).labels == ("a", "b")
    with pytest.raises(DataError, match="there is no 'nre'; did you mean 'ner'"):
        nlpipe.load_dataset({**found, "task": "tagging", "columns": {"text": "text", "entities": "nre"}})


def test_parquet_is_read(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    import pyarrow
    import pyarrow.parquet

    content = pyarrow.table({
        "message": [f"words number {i}" for i in range(40)], "category": [i % 2 for i in range(40)],
        "channel": ["mail", "web", "mail", "chat"] * 10,
    })  # fmt: skip
    pyarrow.parquet.write_table(content, tmp_path / "t.parquet")
    found = data(tmp_path / "t.parquet")
    assert found["columns"] == {"text": "message", "label": "category"}
    run = nlpipe.run(_written(tmp_path / "t.parquet", init_spec(tmp_path / "t.parquet", folder=tmp_path)), out=tmp_path)
    answer = CliRunner().invoke(app, ["predict", str(run.folder), "--file", str(tmp_path / "t.parquet")])
    assert len(answer.stdout.splitlines()) == 40
    (tmp_path / "t.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(DataError, match=r"t\.parquet: not a parquet file"):
        init_spec(tmp_path / "t.parquet")


TEXTS = [f"please help with thing {i}" for i in range(40)]


@pytest.mark.parametrize(
    ("name", "header", "row", "columns"),
    [
        (
            "t.csv",
            "Ticket ID,Channel,Ticket Text,Ticket Category",
            "{i},{b},{t},{c}",
            ("Ticket Text", "Ticket Category"),
        ),
        ("t.csv", "text|label", "{t}, again|{c}", ("text", "label")),
        ("t.csv", "text\tlabel", "{t}, again\t{c}", ("text", "label")),
        ("t.csv", '"text";"label, rating"', '"{t}, again";"{c}"', ("text", "label, rating")),
        ("t.csv", "message,content,type", "{b},{t},{c}", ("content", "type")),
        ("t.csv", "title,body,intent,priority", "{c}{i},{t},{c},{b}", ("body", "intent")),
        ("t.csv", "v1,v2,,,", "{c},{t},,,", ("v2", "v1")),
        ("t.csv", ",text,label", "{i},{t},{c}", ("text", "label")),
        ("t.csv", "text,score,language", "{t},0.{i}17,{b}", ("text", "language")),
        ("t.csv", None, "{t},{c}", (0, 1)),
        ("t.csv", None, "{c},{t}", (1, 0)),
    ],
)
def test_columns_are_chosen_by_name_then_by_values(
    tmp_path: Path, name: str, header: str | None, row: str, columns: tuple[str | int, str | int]
) -> None:
    lines = [row.format(i=i, t=text, b=("mail", "web")[i % 2], c=f"cat{i % 4}") for i, text in enumerate(TEXTS)]
    path = tmp_path / name
    path.write_text("\n".join([*([header] if header else []), *lines]) + "\n")
    found = data(path)
    assert tuple(found["columns"].values()) == columns
    loaded = nlpipe.load_dataset(found)
    assert sum(map(len, (loaded.train, loaded.dev, loaded.test))) == 40


def test_names_tell_a_source_and_a_target(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id,source,target\n" + "".join(f"{i},word {i},Wort {i}\n" for i in range(30)))
    found = data(path)
    assert (found["task"], found["columns"]) == ("translation", {"source": "source", "target": "target"})


@pytest.mark.parametrize(
    ("record", "columns", "where"),
    [
        ({"text": "{t}", "label": ["{c}"]}, {"text": "text", "label": "label"}, None),
        (
            {"text": "{t}", "options": [{"id": "a"}], "accept": ["{c}"], "answer": "accept"},
            {"text": "text", "label": "accept"},
            {"answer": "accept"},
        ),
    ],
)
def test_exports_with_lists_of_one_label_are_classification(
    tmp_path: Path, record: dict[str, Any], columns: dict[str, str], where: dict[str, str] | None
) -> None:
    path = tmp_path / "t.jsonl"
    lines = [json.dumps(record).replace("{t}", text).replace("{c}", "ab"[i % 2]) for i, text in enumerate(TEXTS)]
    path.write_text("\n".join(lines))
    found = data(path)
    assert (found["columns"], found.get("where")) == (columns, where)
    assert nlpipe.load_dataset(found).labels == ("a", "b")


def test_several_labels_and_one_label_are_told(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    lines = [{"text": text, "label": ["a", "b"] if i == 5 else ["ab"[i % 2]]} for i, text in enumerate(TEXTS)]
    path.write_text("\n".join(map(json.dumps, lines)))
    with pytest.warns(NlpipeWarning, match="1 of 40 rows have several labels"):
        found = data(path)
    with pytest.raises(DataError, match=r"t\.jsonl:6: .*2 labels, and a text has one here"):
        nlpipe.load_dataset(found)
    path.write_text("\n".join(json.dumps({"text": text, "label": "URGENT", "answer": "accept"}) for text in TEXTS))
    with pytest.raises(DataError, match="every row has the label 'URGENT'; --label answer learns whether"):
        init_spec(path)


def test_the_column_of_entities_is_found(tmp_path: Path) -> None:
    words = "".join(
        f"1\tAnna{i}\t_\tPROPN\t_\t_\t0\t_\t_\tB-PER\n2\tleft\t_\tVERB\t_\t_\t0\t_\t_\tO\n\n" for i in range(20)
    )
    (tmp_path / "t.conllu").write_text(words)
    assert data(tmp_path / "t.conllu")["columns"] == {"token": 1, "tag": 9}
    assert "Other columns that could be the tag: 3 (2 values)" in init_spec(tmp_path / "t.conllu")
    assert data(tmp_path / "t.conllu", label="3")["columns"] == {"token": 1, "tag": 3}
    (tmp_path / "t.conll").write_text("".join(f"Anna{i} B-PER x{i}\nleft O y{i}\n\n" for i in range(20)))
    assert data(tmp_path / "t.conll")["columns"] == {"token": 0, "tag": 1}


def test_numbers_of_words_are_no_words(tmp_path: Path) -> None:
    """A card without columns read the first column of CoNLL-U, which numbers the words."""
    path = tmp_path / "t.conllu"
    path.write_text("1\tAnna\t_\tPROPN\t_\t_\t0\t_\t_\t_\n2\tleft\t_\tVERB\t_\t_\t0\t_\t_\t_\n\n" * 3)
    with pytest.raises(DataError, match=r"t\.conllu:1: column 0 numbers the words.*columns: \{token: 1, tag: 3\}"):
        nlpipe.load_dataset({"task": "tagging", "train": str(path)})


def test_the_encoding_is_an_option(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(
        ("text;label\n" + "".join(f"{text} \xe9;{'ab'[i % 2]}\n" for i, text in enumerate(TEXTS))).encode("cp1252")
    )
    assert data(path, encoding="cp1252")["encoding"] == "cp1252"
    with pytest.raises(DataError, match="write its encoding"):
        init_spec(path)


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
