"""Prediction reads what training reads, and answers every input once, in order."""

from __future__ import annotations

import csv
import gzip
import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import nlpipe
from nlpipe import Pipeline, heads, representations, tokenizers
from nlpipe.cli.app import app
from nlpipe.errors import NlpipeError, NlpipeWarning

ROWS = [("good fun", "pos"), ("dull, bore", "neg"), ('a "fine" film', "pos"), ("no fun", "neg")] * 5


def command(*arguments: Any, given: str | bytes | None = None) -> Any:
    return CliRunner().invoke(app, ["predict", *map(str, arguments)], input=given)


def answered(*arguments: Any, given: str | bytes | None = None) -> str:
    done = command(*arguments, given=given)
    assert done.exception is None, done.exception
    return str(done.stdout)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on a table with the text in the column 'review', separated by semicolons, in cp1252."""
    folder = tmp_path_factory.mktemp("run")
    lines = ["id;review;stars"] + [
        f'{i};"{i} {text.replace(chr(34), chr(34) * 2)} caf\u00e9";{label}' for i, (text, label) in enumerate(ROWS)
    ]
    (folder / "data.csv").write_text("\n".join(lines) + "\n", encoding="cp1252")
    content = {
        "data": {
            "task": "classification", "train": "data.csv", "columns": {"text": "review", "label": "stars"},
            "encoding": "cp1252", "delimiter": ";",
        },
        "representation": "bow", "head": "naive_bayes",
    }  # fmt: skip
    (folder / "p.yaml").write_text(json.dumps(content))
    return nlpipe.run(folder / "p.yaml", out=folder / "runs").folder


def test_a_file_like_that_of_training_needs_no_options(trained: Path) -> None:
    data = trained.parent.parent / "data.csv"
    lines = answered(trained, "--file", data).splitlines()
    assert [line.split("\t")[0] for line in lines] == [label for _, label in ROWS]


def test_csv_comes_back_with_its_answers(trained: Path) -> None:
    table = list(
        csv.DictReader(io.StringIO(answered(trained, "--file", trained.parent.parent / "data.csv", "--format", "csv")))
    )
    assert list(table[0]) == ["id", "review", "stars", "predicted", "score"]
    assert [(row["id"], row["predicted"]) for row in table] == [(str(i), label) for i, (_, label) in enumerate(ROWS)]
    assert table[0]["review"] == "0 good fun caf\u00e9"


@pytest.mark.parametrize("name", ["x.csv", "x.tsv", "x.jsonl", "x.csv.gz", "x.txt", "cr.csv"])
def test_other_formats_are_read_by_the_same_column(trained: Path, tmp_path: Path, name: str) -> None:
    texts = ["good fun", "dull bore"]
    content = {
        "csv": "review,other\n" + "".join(f"{text},1\n" for text in texts),
        "tsv": "other\treview\n" + "".join(f"1\t{text}\n" for text in texts),
        "jsonl": "".join(json.dumps({"review": text}) + "\n" for text in texts),
        "txt": "".join(f"{text}\n" for text in texts),
    }[name.removesuffix(".gz").rpartition(".")[2]]
    content = content.replace("\n", "\r") if name == "cr.csv" else content
    data = gzip.compress(content.encode()) if name.endswith(".gz") else content.encode()
    (tmp_path / name).write_bytes(data)
    delimiter = ["--delimiter", ","] if "csv" in name else []
    lines = answered(trained, "--file", tmp_path / name, *delimiter).splitlines()
    assert [line.split("\t")[0] for line in lines] == ["pos", "neg"]


def test_another_column_is_named_by_field_and_a_missing_one_says_so(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("body;n\ngood fun;1\n")
    done = command(trained, "--file", tmp_path / "x.csv")
    assert isinstance(done.exception, NlpipeError)
    assert "no column 'review'" in str(done.exception) and "--field" in str(done.exception)
    assert answered(trained, "--file", tmp_path / "x.csv", "--field", "body").startswith("pos")
    assert len(answered(trained, "--file", tmp_path / "x.csv", "--field", "0").splitlines()) == 2  # no header then


def test_words_that_are_split_already_are_kept(tmp_path: Path) -> None:
    words = [["New York", "is", "big"], ["I", "left"]] * 5
    tags = [["B-LOC", "O", "O"], ["O", "O"]] * 5
    stages = [tokenizers.Regex(lowercase=False), representations.Window(), heads.Perceptron()]
    model = Pipeline(stages, "tagging").fit(words, tags).save(tmp_path / "model")
    (tmp_path / "x.conll").write_text("New York\tO\nis\tO\nbig\tO\n\nI\tO\nleft\tO\n")
    assert answered(model, "--file", tmp_path / "x.conll").splitlines() == ["New York/LOC 0-8", ""]
    conll = answered(model, "--file", tmp_path / "x.conll", "--format", "conll")
    assert conll == "New York\tO\tB-LOC\nis\tO\tO\nbig\tO\tO\n\nI\tO\tO\nleft\tO\tO\n\n"
    (tmp_path / "x.jsonl").write_text('{"tokens": ["New York", "is", "big"]}\n["I", "left"]\n')
    assert answered(model, "--file", tmp_path / "x.jsonl").splitlines() == ["New York/LOC 0-8", ""]
    tokens = json.loads(answered(model, "--words", "--format", "jsonl", "it's big"))
    assert tokens["text"] == "it's big"


def test_conll_has_words_as_they_are_written(tmp_path: Path) -> None:
    stages = [tokenizers.Regex(lowercase=True), representations.Window(), heads.Perceptron()]
    model = Pipeline(stages, "tagging").fit([["Oslo", "is"]] * 4, [["B-LOC", "O"]] * 4).save(tmp_path / "model")
    assert answered(model, "--format", "conll", "Oslo  is").splitlines() == ["Oslo\tB-LOC", "is\tO", ""]


def test_columns_of_tables_hold_the_fields_of_their_name(trained: Path) -> None:
    lines = ['{"id": 1, "review": "good fun", "n": 1.50, "x": null}', '{"review": "dull", "new": 5, "id": 2}']
    with pytest.warns(NlpipeWarning, match="the field 'new' is not one of the first object"):
        done = answered(trained, "--input", "jsonl", "--format", "csv", given="\n".join(lines))
    table = list(csv.DictReader(io.StringIO(done)))
    assert [(row["id"], row["review"], row["n"], row["x"]) for row in table] == [
        ("1", "good fun", "1.50", ""), ("2", "dull", "", "")
    ]  # fmt: skip
    assert [row["predicted"] for row in table] == ["pos", "neg"]


def test_numbers_and_fields_of_the_input_are_kept(trained: Path) -> None:
    line = '{"id": 7, "review": "good fun", "price": 1.50, "predicted": "mine"}\n'
    done = answered(trained, "--input", "jsonl", "--format", "jsonl", given=line)
    assert done.startswith('{"id": 7, "review": "good fun", "price": 1.50, "predicted": "mine", ')
    assert json.loads(done)["predicted_answered"] == "pos"


def test_messages_without_a_translation_are_answered(trained: Path, tmp_path: Path) -> None:
    content = 'msgid ""\nmsgstr "A: b"\n\nmsgid "good fun"\nmsgstr ""\n\n#, fuzzy\nmsgid "dull bore"\nmsgstr "x"\n'
    (tmp_path / "x.po").write_text(content)
    rows = list(csv.DictReader(io.StringIO(answered(trained, "--file", tmp_path / "x.po", "--format", "csv"))))
    assert [(row["msgid"], row["msgstr"], row["predicted"]) for row in rows] == [
        ("good fun", "", "pos"), ("dull bore", "x", "neg")
    ]  # fmt: skip


def test_every_row_has_an_answer_also_one_like_the_header(trained: Path) -> None:
    with pytest.warns(NlpipeWarning, match="standard input:3: review, n: this looks like a header"):
        done = answered(trained, "--input", "csv", "--delimiter", ",", given="review,n\ngood fun,1\nreview,n\ndull,2\n")
    assert len(done.splitlines()) == 3


def test_a_task_without_annotations_is_answered(trained: Path) -> None:
    line = '{"data": {"body": "good fun"}, "annotations": []}\n'
    assert answered(trained, "--input", "jsonl", "--field", "body", given=line).startswith("pos")


def test_delimiters_have_names_and_are_one_character(trained: Path) -> None:
    for name in ("tab", "\\t", "\t"):
        done = answered(trained, "--input", "csv", "--delimiter", name, given="review\tn\ngood fun\t1\n")
        assert done.startswith("pos")
    for wrong in ("", ";;", '"', "\n"):
        done = command(trained, "--input", "csv", "--delimiter", wrong, given="review;n\ngood fun;1\n")
        assert isinstance(done.exception, NlpipeError) and "delimiter" in str(done.exception)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[" * 100_000 + b"]" * 100_000, "x.jsonl:1: nested too deep"),
        (b'{"review": "\\ud800"}', "x.jsonl:1: holds half of a surrogate pair"),
        (b'{"review": NaN}', "x.jsonl:1: NaN is not a number"),
        (b'{"review": 5, "x": [}', "x.jsonl:1:21: not JSON"),
        (b'{"review": null}', "x.jsonl:1: None is not a text"),
        (b'"a"\n["a", "b"]', "x.jsonl:2: a list of words, where the lines before hold texts"),
        (b'{"other": "a"}', "x.jsonl:1: no field 'review'; there are: other"),
        (b'{"review": "caf\xe9"}', "x.jsonl:1: byte 16 of the line"),
    ],
)
def test_bad_lines_are_told(trained: Path, tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "x.jsonl").write_bytes(content + b"\n")
    done = command(trained, "--file", tmp_path / "x.jsonl", "--encoding", "utf-8")
    assert isinstance(done.exception, NlpipeError) and message in str(done.exception)


def test_answers_before_a_bad_line_are_written(trained: Path) -> None:
    done = command(trained, "--input", "jsonl", given='"good fun"\n"dull"\n{\n')
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["pos", "neg"]
    assert "standard input:3" in str(done.exception)


def test_slow_standard_input_is_answered_line_by_line(trained: Path) -> None:
    called = [sys.executable, "-m", "nlpipe", "predict", str(trained)]
    with subprocess.Popen(called, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        for text, label in [("good fun", "pos"), ("dull bore", "neg")]:
            process.stdin.write(text + "\n")
            process.stdin.flush()
            assert process.stdout.readline().startswith(label)  # the input is still open
        process.stdin.close()
        assert process.wait(timeout=20) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="has no sh")
@pytest.mark.parametrize("closed", ["<&-", ">&-"])
def test_standard_streams_may_be_closed_from_the_beginning(trained: Path, closed: str) -> None:
    called = [sys.executable, "-m", "nlpipe", "predict", str(trained), *(["good fun"] if closed == ">&-" else [])]
    done = subprocess.run(["sh", "-c", f'exec "$@" {closed}', "sh", *called], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


TEXTS = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), max_size=15), min_size=1, max_size=8
)


@settings(max_examples=40)
@given(TEXTS, st.sampled_from(["csv", "tsv", "jsonl", "txt"]))
def test_files_are_answered_as_lists_are(texts: list[str], form: str) -> None:
    model = Pipeline([tokenizers.Characters(), representations.BagOfWords(), heads.NaiveBayes()])
    model.fit(["abc", "xyz", "123", "..."] * 3, ["a", "b", "c", "d"] * 3)
    if form == "tsv":
        texts = [text.replace("\t", " ") for text in texts]
    texts = [text.removeprefix("\ufeff") for text in texts]
    if form in ("csv", "tsv"):
        texts = [text for text in texts if text] or ["a"]  # a blank line of one column is no record
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"data.{form}"
        with path.open("w", encoding="utf-8", newline="") as file:
            if form == "csv":
                csv.writer(file).writerows([["text"], *([text] for text in texts)])
            elif form == "jsonl":
                file.writelines(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts)
            else:
                file.writelines(f"{text}\n" for text in (["text", *texts] if form == "tsv" else texts))
        saved = model.save(Path(folder) / "model")
        lines = answered(saved, "--file", path).split("\n")[:-1]
    expected = model.predict(texts)
    assert [line.split("\t")[0] for line in lines] == expected.labels
