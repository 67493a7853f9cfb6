"""Labels and numbers between files and answers: one spelling, or a word about it."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import nlpipe
from nlpipe.cli.app import app
from nlpipe.datasets.load import load_dataset, sorted_labels
from nlpipe.errors import DataError
from nlpipe.labels import clean_label
from nlpipe.runs.result import Result

pytestmark = pytest.mark.usefixtures("unmeasured")


def write_csv(path: Path, rows: list[tuple[str, str]], header: tuple[str, str] | None = ("text", "label")) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([header] if header else [])
        writer.writerows(rows)
    return path


def rows(one: str, other: str, count: int = 40) -> list[tuple[str, str]]:
    return [(f"good film {i}", one) if i % 2 else (f"dull film {i}", other) for i in range(count)]


def run(folder: Path, **data: object) -> Result:
    content = {"data": {"task": "classification", **data}, "representation": "bow", "head": "naive_bayes"}
    (folder / "pipeline.yaml").write_text(json.dumps(content, default=str))
    return nlpipe.run(folder / "pipeline.yaml", out=folder / "runs")


def test_labels_that_training_spells_otherwise_are_an_error(tmp_path: Path) -> None:
    train, test = write_csv(tmp_path / "train.csv", rows("1.0", "0.0")), write_csv(tmp_path / "t.csv", rows("1", "0"))
    with pytest.raises(DataError, match=r"t.csv:2: no training example has the label '0'.*did you mean '0.0'\?"):
        run(tmp_path, train=train, test=test)


def test_entity_types_of_test_alone_are_an_error_too(tmp_path: Path) -> None:
    (tmp_path / "train.conll").write_text("".join(f"Anna{i} B-PER\nlives O\n\n" for i in range(20)))
    (tmp_path / "test.conll").write_text("Anna B-per\nlives O\n\n" * 3)
    data = {"task": "tagging", "train": str(tmp_path / "train.conll"), "test": str(tmp_path / "test.conll")}
    with pytest.raises(DataError, match=r"test.conll:1: no training example has the entity type 'per'.*mean 'PER'"):
        load_dataset(data)


def test_some_unseen_labels_and_labels_that_look_alike_are_told(tmp_path: Path) -> None:
    train = write_csv(tmp_path / "train.csv", [*rows("good", "bad"), ("a fine day", "Good")])
    test = write_csv(tmp_path / "test.csv", [*rows("good", "bad", 10), ("what", "ugly"), ("a film", "badly")])
    told = "\n".join(run(tmp_path, train=train, test=test).ledger["warnings"])
    assert "train: 1 pairs of labels differ in case alone" in told and "'Good' and 'good'" in told
    assert "test: 2 labels do not occur in the training split" in told and "test.csv:12: 'ugly'" in told


def test_one_number_spelt_in_two_ways_is_told(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    labels = ["1", "1.0", "0", "0"] * 10
    path.write_text("\n".join(f'{{"text": "word {i}", "label": {label}}}' for i, label in enumerate(labels)))
    assert "'1' and '1.0'" in "\n".join(run(tmp_path, train=path).ledger["warnings"])


@pytest.mark.parametrize("number", ["9" * 5000, "1e400", "0.10000000000000000000001", "-0.0"])
def test_numbers_are_labels_as_they_are_spelt(tmp_path: Path, number: str) -> None:
    path = tmp_path / "train.jsonl"
    lines = [f'{{"text": "one {i}", "label": {number}}}\n{{"text": "two {i}", "label": 7}}\n' for i in range(20)]
    path.write_text("".join(lines))
    assert set(load_dataset({"task": "classification", "train": str(path)}).labels) == {number, "7"}


@pytest.mark.parametrize("name", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("field", ["text", "label"])
def test_what_is_no_number_in_json_is_refused(tmp_path: Path, name: str, field: str) -> None:
    path = tmp_path / "train.jsonl"
    bad = json.dumps({"text": "a", "label": "x"} | {field: 0}).replace("0", name)
    path.write_text('{"text": "b", "label": "y"}\n' + bad + "\n")
    with pytest.raises(DataError, match=r"train.jsonl:2: -?\w+ is not a number in JSON"):
        load_dataset({"task": "classification", "train": str(path)})


def test_the_order_of_labels_does_not_depend_on_the_process() -> None:
    assert sorted_labels({"10", "9", "1.0", "1"}) == ("1", "1.0", "9", "10")
    code = (
        "from nlpipe.datasets.load import sorted_labels\n"
        "print(sorted_labels({'nan', '1', '2', 'inf', '10', '1.0', 'infinity', '١'}))"
    )
    orders = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("0", "1", "2", "3")
    }  # fmt: skip
    assert len(orders) == 1


@pytest.mark.parametrize("label", ["two\nlines", "a\ttab", "line\u2028separator", "carriage\rreturn", "next\x85line"])
def test_one_line_out_for_each_line_in_whatever_the_label(tmp_path: Path, label: str) -> None:
    result = run(tmp_path, train=write_csv(tmp_path / "train.csv", rows(label, "plain")))
    answer = CliRunner().invoke(app, ["predict", str(result.folder), "good film", "dull film", "good"])
    assert len(answer.stdout.splitlines()) == 3
    assert [len(line.split("\t")) for line in answer.stdout.split("\n")[:3]] == [2, 2, 2]


@pytest.mark.parametrize("written", ["caf\u0065\u0301", " caf\u00e9\u200b", "\ufeffcaf\u00e9\n", "caf\u00e9\u00a0"])
def test_labels_that_look_the_same_are_the_same(tmp_path: Path, written: str) -> None:
    train = write_csv(tmp_path / "train.csv", rows("caf\u00e9", "bar"))
    test = write_csv(tmp_path / "test.csv", rows(written, "bar", 6))
    data = load_dataset({"task": "classification", "train": str(train), "test": str(test)})
    assert data.ledger["test"].counts["labels_unseen"] == 0
    named = load_dataset({"task": "classification", "train": str(test), "labels": ["caf\u00e9\u200b", "bar"]})
    assert named.labels == ("caf\u00e9", "bar")


def test_a_header_read_as_an_example_is_told(tmp_path: Path) -> None:
    train = write_csv(tmp_path / "train.csv", rows("a", "b"), header=("Sentence", "Label"))
    told = "\n".join(run(tmp_path, train=train, columns={"text": 0, "label": 1}).ledger["warnings"])
    assert "look like a header" in told and "train.csv:1: Sentence, Label" in told


@pytest.mark.parametrize(
    ("first", "told_of"),
    [
        (("review_text", "Category Name"), True),
        (("What they wrote", "sentiment"), True),  # the label is a heading and never comes again
        (("English", "label"), True),
        (("a fine text", "a"), False),
        (("what is a label", "b"), False),
    ],
)
def test_first_rows_that_look_like_headers(tmp_path: Path, first: tuple[str, str], told_of: bool) -> None:
    train = write_csv(tmp_path / "train.csv", rows("a", "b"), header=first)
    data = load_dataset({"task": "classification", "train": str(train), "columns": {"text": 0, "label": 1}})
    assert data.ledger["train"].counts.get("header_as_example", 0) == told_of
    assert all(f"{train}:1: " in place for place in data.ledger["train"].examples.get("header_as_example", []))


def test_a_label_that_is_called_like_a_column_is_no_header(tmp_path: Path) -> None:
    train = write_csv(tmp_path / "train.csv", rows("question", "answer"), header=None)
    data = load_dataset({"task": "classification", "train": str(train), "columns": {"text": 0, "label": 1}})
    assert "header_as_example" not in data.ledger["train"].counts


@pytest.mark.parametrize("again", ["text,label", "Text, Label", "\ufefftext,label", '"text","label"'])
@pytest.mark.parametrize("header", [True, False])
def test_headers_of_joined_files_are_told(tmp_path: Path, again: str, header: bool) -> None:
    examples = [",".join(row) for row in rows("a", "b")]
    lines = ["text,label"] * header + examples + [again] + examples
    (tmp_path / "train.csv").write_text("\n".join(lines))
    data = load_dataset(
        {"task": "classification", "train": str(tmp_path / "train.csv"), "columns": {"text": 0, "label": 1}}
        | {"header": header}
    )
    what = "headers_repeated" if header else "header_as_example"
    assert data.ledger["train"].counts[what] == 1
    assert data.ledger["train"].examples[what][0].startswith(f"{tmp_path / 'train.csv'}:{41 + header}: ")
    assert data.labels == (
        ("a", "b") if header else tuple(sorted({"a", "b", clean_label(again.split(",")[1].strip('"'))}))
    )


def test_a_second_header_is_left_out_and_told(tmp_path: Path) -> None:
    content = [*rows("a", "b"), ("text", "label"), *rows("a", "b", 10)]
    result = run(tmp_path, train=write_csv(tmp_path / "train.csv", content))
    assert "train.csv:42: text, label" in "\n".join(result.ledger["warnings"])
    assert load_dataset({"task": "classification", "train": str(tmp_path / "train.csv")}).labels == ("a", "b")


def test_numbers_in_a_card_say_how_to_write_the_label(tmp_path: Path) -> None:
    train = write_csv(tmp_path / "train.csv", rows("010", "1e3"))
    (tmp_path / "p.yaml").write_text(
        f"data: {{task: classification, train: {train}, labels: [010, 1e3]}}\nrepresentation: bow\nhead: majority\n"
    )
    answer = CliRunner().invoke(app, ["run", str(tmp_path / "p.yaml")])
    assert "write '010' in quotes" in str(answer.exception) and "write '1e3' in quotes" in str(answer.exception)


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12).filter(str.strip)
TABLES = st.lists(st.tuples(TEXTS, TEXTS.filter(clean_label)), min_size=6, max_size=15)


@settings(max_examples=60)
@given(TABLES, st.sampled_from(["csv", "tsv", "jsonl"]))
def test_what_is_written_is_read(table: list[tuple[str, str]], form: str) -> None:
    """Any text and label, quotes and line feeds included, comes back from each format that can hold it."""
    if form == "tsv":
        table = [(" ".join(t.split("\t")).replace("\n", " "), clean_label(label)) for t, label in table]
        table = [(text.replace("\r", " ") or "x", label) for text, label in table]
    table = [(f"{i} {text}", label) for i, (text, label) in enumerate(table)]
    assume(len({clean_label(label) for _, label in table}) > 1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"data.{form}"
        if form == "csv":
            write_csv(path, table)
        elif form == "tsv":
            content = "".join(f"{text}\t{label}\n" for text, label in table)
            path.write_text("text\tlabel\n" + content, encoding="utf-8", newline="")
        else:
            lines = [json.dumps({"text": text, "label": label}, ensure_ascii=False) for text, label in table]
            path.write_text("\n".join(lines), encoding="utf-8")
        data = load_dataset({"task": "classification", "train": str(path), "dev": str(path), "test": str(path)})
    assert data.test.inputs.strings == [text for text, _ in table]
    assert data.test.targets.values == [clean_label(label) for _, label in table]
