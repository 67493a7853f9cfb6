"""The command: what it prints, its exit status, and that what a user can mend never shows a traceback."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest
import yaml

from tests.commands import complaint, nlpipe

ROOT = Path(__file__).resolve().parents[3]
PIPELINE = """\
data: sample_reviews
tokenizer: regex
representation: tfidf
head: logistic_regression
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cli")
    (path / "small.yaml").write_text(PIPELINE)
    return path


@pytest.fixture(scope="module")
def run(folder: Path) -> Path:
    done = nlpipe("run", folder / "small.yaml", "--out", folder / "runs")
    assert done.returncode == 0, done.stderr.decode()
    return Path(done.stdout.decode().splitlines()[-1])


def test_run_prints_its_folder_as_the_last_line(run: Path) -> None:
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["primary"] in metrics["scores"]


def test_predict_answers_arguments(run: Path) -> None:
    lines = nlpipe("predict", run, "a wonderful film", "a dreadful bore").stdout.decode().splitlines()
    assert len(lines) == 2
    label, score = lines[0].split("\t")
    assert label in ("positive", "negative")
    assert 0.5 <= float(score) <= 1


def test_predict_answers_every_line_of_standard_input_in_order(run: Path) -> None:
    text = "good\n\n   \nline\u2028separator\nbad\r\n\0\nlast without newline"
    done = nlpipe("predict", run, "--format", "jsonl", stdin=text)
    records = [json.loads(line) for line in done.stdout.decode().split("\n")[:-1]]
    assert [record["text"] for record in records] == [
        "good",
        "",
        "   ",
        "line\u2028separator",
        "bad",
        "\0",
        "last without newline",
    ]


def test_predict_reads_json_lines(run: Path, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"text": "good"}\n{"text": "bad"}\n')
    done = nlpipe("predict", run, "--file", tmp_path / "in.jsonl")
    assert len(done.stdout.decode().splitlines()) == 2
    (tmp_path / "bad.jsonl").write_text('{"text": "good"}\n{"body": "bad"}\n')
    assert "bad.jsonl:2: no field 'text'" in complaint("predict", run, "--file", tmp_path / "bad.jsonl")


def test_predict_tells_the_line_that_is_not_utf8(run: Path) -> None:
    told = complaint("predict", run, stdin=b"good\nab\xff\n")
    assert "standard input:2: byte 3 of the line (0xff) is not utf-8" in told


def test_predict_of_no_model_is_told(tmp_path: Path) -> None:
    assert "there is no saved pipeline here" in complaint("predict", tmp_path, "text")


def test_a_reader_that_goes_away_is_no_error(run: Path) -> None:
    command = f"yes good | head -n 20000 | {sys.executable} -m nlpipe predict {run} | head -n 1"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert b"Traceback" not in done.stderr
    assert len(done.stdout.splitlines()) == 1


def test_check_says_what_it_found(folder: Path) -> None:
    done = nlpipe("check", folder / "small.yaml")
    assert done.returncode == 0
    assert "tfidf" in done.stdout.decode()


def test_every_fault_of_a_file_is_told_at_its_place(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(
        "data: sample_reviews\nrepresentation: {name: tfidf, ngram: 2}\nhead: logreg\nseed: abc\n"
    )
    said = complaint("check", tmp_path / "bad.yaml")
    assert "bad.yaml:2:31: representation.ngram" in said
    assert "did you mean 'ngrams'?" in said
    assert "bad.yaml:3:7: head" in said
    assert "bad.yaml:4:7: seed" in said


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert "nowhere.yaml" in complaint("run", tmp_path / "nowhere.yaml")


def test_an_unknown_card_is_told_with_the_nearest(folder: Path) -> None:
    assert "did you mean 'sample_reviews'?" in complaint("run", folder / "small.yaml", "data=sample_review")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "empty"),
        ("text,label\ngood\n", ":2"),
        ("body,label\ngood,a\n", "text"),
        ("text,label\n" + "good,a\n" * 20, "one label"),
    ],
)
def test_bad_data_is_told(folder: Path, tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "data.csv").write_text(content)
    said = complaint(
        "run", folder / "small.yaml", f"data={{task: classification, format: csv, train: {tmp_path}/data.csv}}"
    )
    assert "data.csv" in said
    assert words in said


def test_list_show_and_schema(folder: Path) -> None:
    assert "tfidf" in nlpipe("list", "representation").stdout.decode()
    shown = nlpipe("show", "tfidf").stdout.decode()
    assert "Tokens → Vectors" in shown
    assert "ngrams" in shown
    assert "did you mean 'tfidf'?" in complaint("show", "tfdif")
    schema = json.loads(nlpipe("schema").stdout)
    jsonschema.validate(yaml.safe_load(PIPELINE), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**yaml.safe_load(PIPELINE), "haed": "x"}, schema)


def test_init_makes_a_file_that_runs(tmp_path: Path) -> None:
    rows = "".join(
        f'"what a {word} thing number {i}",{label}\n'
        for i in range(40)
        for word, label in [("good", "yes"), ("bad", "no")]
    )
    (tmp_path / "mine.csv").write_text("id_text,verdict\n" + rows)
    done = nlpipe("init", tmp_path / "mine.csv", "-o", tmp_path / "mine.yaml")
    assert done.returncode == 0, done.stderr.decode()
    ran = nlpipe("run", tmp_path / "mine.yaml", "--out", tmp_path / "runs", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr.decode()
    assert json.loads((Path(ran.stdout.decode().strip()) / "metrics.json").read_text())["scores"]["accuracy"] == 1
    assert "exists already" in complaint("init", tmp_path / "mine.csv", "--output", tmp_path / "mine.yaml")


def test_data_commands() -> None:
    assert "rotten_tomatoes" in nlpipe("data", "list").stdout.decode()
    assert "sha256" in nlpipe("data", "show", "rotten_tomatoes").stdout.decode()
    assert nlpipe("data", "fetch", "sample_reviews").stdout.decode().startswith("sample_reviews: train ")


def test_compare_sets_pipelines_side_by_side_and_keeps_a_failure_as_a_row(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("representation: bow\nhead: naive_bayes\n")
    (tmp_path / "b.yaml").write_text("representation: {name: bow, min_count: 1000}\nhead: naive_bayes\n")
    (tmp_path / "both.yaml").write_text(
        "compare: Two\ndata: sample_reviews\npipelines: [a.yaml, b.yaml]\nseeds: [1, 2]\n"
    )
    done = nlpipe("compare", tmp_path / "both.yaml", "--out", tmp_path / "runs", cwd=tmp_path)
    assert done.returncode == 1, done.stderr.decode()
    said = done.stdout.decode()
    assert "failed: b, seed 1: no features" in said
    (compared,) = (tmp_path / "runs").glob("comparison-two-*")
    found = json.loads((compared / "comparison.json").read_text())
    assert [row["name"] for row in found["rows"]] == ["a", "b"]
    assert len(found["rows"][0]["runs"]) == 1  # no seed changes it
    assert found["rows"][0]["low"] <= found["rows"][0]["score"] <= found["rows"][0]["high"]
    assert "| a |" in (compared / "table.md").read_text()
    shown = next(line for line in said.splitlines() if line.strip().startswith("nlpipe predict"))
    model = shown.split()[2]
    assert nlpipe("predict", model, "fine").returncode == 0


def test_light_commands_import_nothing_heavy(folder: Path, run: Path) -> None:
    program = (
        "import sys; sys.argv[1:] = sys.argv[1:]\n"
        "from nlpipe.__main__ import main\n"
        "try:\n    main()\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'transformers', 'gensim', 'spacy', 'tokenizers', 'datasets'} & set(sys.modules)\n"
        "sys.stderr.write('HEAVY ' + ' '.join(sorted(heavy)))"
    )
    for words in (
        ["run", folder / "small.yaml", "--out", folder / "again"],
        ["predict", run, "good"],
        ["check", folder / "small.yaml"],
        ["list"],
    ):
        done = subprocess.run(
            [sys.executable, "-c", program, *map(str, words)],
            capture_output=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert done.stderr.decode().endswith("HEAVY "), words


def test_a_narrow_table_keeps_names_and_scores_whole(tmp_path: Path) -> None:
    (tmp_path / "a_pipeline_with_a_name.yaml").write_text("representation: bow\nhead: naive_bayes\n")
    (tmp_path / "b.yaml").write_text("representation: bow\nhead: majority\n")
    words = [sys.executable, "-m", "nlpipe", "compare", "a_pipeline_with_a_name.yaml", "b.yaml", "data=sample_reviews"]
    program = f"import pty, sys; sys.exit(pty.spawn({words!r}) >> 8)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80", "TERM": "xterm"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=False, env=environment, cwd=tmp_path
    )
    said = done.stdout.decode()
    assert done.returncode == 0, said
    row = next(line for line in said.splitlines() if "a_pipeline_with_a_name" in line and "│" in line)
    assert re.search(r"0\.\d{3}.*0\.\d{3} – .\.\d{3}", row)
    assert "…" not in row


def test_an_interruption_is_told(folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "nlpipe", "predict", str(next((folder / "runs").iterdir()))]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"interrupted" in said
    assert b"Traceback" not in said


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_cannot_be_written_is_told(run: Path) -> None:
    command = f"{sys.executable} -m nlpipe predict {run} good > /dev/full"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 2
    assert b"No space left on device" in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_terminal_that_is_not_utf8_is_no_error(run: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"}
    words = [sys.executable, "-m", "nlpipe", "predict", str(run), "été", "--format", "jsonl"]
    done = subprocess.run(words, capture_output=True, check=False, env=environment)
    assert json.loads(done.stdout.decode())["text"] == "été"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["train", "p.yaml"], "there is no command 'train'; did you mean 'run'?"),
        (["eval"], "there is no command 'eval'; did you mean 'evaluate'?"),
        (["infer"], "there is no command 'infer'; did you mean 'predict'?"),
        (["comapre"], "there is no command 'comapre'; did you mean 'compare'?"),
        (["p.yaml"], "there is no command 'p.yaml'; did you mean 'nlpipe run p.yaml'?"),
        (["data", "shwo"], "there is no command 'shwo'; did you mean 'show'?"),
        (
            ["xyzzy"],
            "there is no command 'xyzzy'; known: ",
        ),
    ],
)
def test_an_unknown_command_suggests_one(typed: list[str], meant: str) -> None:
    assert f"error: {meant}" in complaint(*typed)


def test_version_and_help() -> None:
    assert re.fullmatch(r"nlpipe \d+\.\d+\.\d+\n", nlpipe("--version").stdout.decode())
    for words in (["-h"], ["run", "-h"], ["data", "-h"], ["data", "list", "-h"]):
        done = nlpipe(*words)
        assert done.returncode == 0 and "Usage: nlpipe" in done.stdout.decode()


def test_options_that_take_one_of_a_few_words_suggest(run: Path) -> None:
    assert "invalid value 'json' for --format; did you mean 'jsonl'?" in complaint(
        "predict", run, "x", "--format", "json"
    )
    assert "invalid value 'gguf' for --to; known: arpa, ctranslate2, onnx, transformers" in complaint(
        "export", run, "x", "--to", "gguf"
    )


def test_no_file_and_a_seed_out_of_range_are_told(folder: Path) -> None:
    assert "name a comparison, or pipelines" in complaint("compare", "seeds=[1]")
    assert "name a pipeline or a comparison" in complaint("check", "seed=1")
    assert "expected a number from 0 to" in complaint("run", folder / "small.yaml", "--seed", "99999999999")


def test_a_training_size_beyond_the_data_is_told(folder: Path) -> None:
    said = "train_sizes: 5,000 is more than the 72 training examples of sample_reviews; give at most 72"
    assert said in complaint("compare", folder / "small.yaml", "train_sizes=[10, 5000]", "--out", folder / "sizes")
    failing = "representation.min_count=1000"
    done = nlpipe("compare", folder / "small.yaml", "train_sizes=[10]", failing, "--out", folder / "sizes")
    assert "error: every run failed" in done.stderr.decode() and done.returncode == 1
    done = nlpipe("compare", folder / "small.yaml", "train_sizes=[10]", "--out", folder / "sizes")
    assert done.returncode == 0, done.stderr.decode()
