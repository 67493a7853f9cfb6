"""A run's folder: what is in it, that it is not done twice, and that nothing is left of one that failed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from sklearn.metrics import accuracy_score, f1_score

import nlpipe
from nlpipe.datasets.load import load_dataset
from nlpipe.errors import DataError, NlpipeError, SpecError
from nlpipe.runs import fit as fit_step
from nlpipe.runs import run as run_step
from nlpipe.runs.fit import sample
from nlpipe.runs.identity import files_named
from nlpipe.runs.records import FILES
from nlpipe.runs.result import Result
from nlpipe.threads import thread_count

PIPELINE = """
data: sample_reviews
tokenizer: regex
representation: tfidf
head: logistic_regression
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(PIPELINE)
    return path


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    folder = tmp_path_factory.mktemp("run")
    (folder / "small.yaml").write_text(PIPELINE)
    return nlpipe.run(folder / "small.yaml", out=folder / "runs")


def test_the_folder_holds_what_the_design_says(result: Result) -> None:
    assert all((result.folder / name).is_file() for name in FILES)
    assert (result.folder / "model" / "model.json").is_file()
    assert result.metrics["split"] == "test"
    assert result.metrics["primary"] == "accuracy"
    assert set(result.metrics["definitions"]) == set(result.scores)
    for name, score in result.metrics["definitions"].items():
        assert score["full_name"].startswith(f"{name}: ")
        assert score["higher_is_better"] == (name not in {"log_loss", "calibration_error"})
        assert score["unit"] == {"log_loss": "nats", "matthews_correlation": "correlation"}.get(name, "share")


def test_scores_are_those_of_the_predictions_on_disk(result: Result) -> None:
    records = list(result.records())
    gold, predicted = [r["gold"] for r in records], [r["predicted"] for r in records]
    assert result.score == pytest.approx(accuracy_score(gold, predicted))
    assert result.scores["f1_macro"] == pytest.approx(f1_score(gold, predicted, average="macro"))
    assert gold == load_dataset("sample_reviews", Path()).test.targets.values


def test_the_saved_pipeline_gives_the_predictions_on_disk(result: Result) -> None:
    test = load_dataset("sample_reviews", Path()).test
    assert result.pipeline().predict(test.inputs).values.values == [r["predicted"] for r in result.records()]


def test_costs_are_measured(result: Result) -> None:
    assert result.costs["fit_seconds"] > 0
    assert 0 < result.costs["latency_p50_seconds"] <= result.costs["latency_p95_seconds"] < 1
    assert result.costs["texts_per_second"] > 100
    assert 20e6 < result.costs["peak_memory_bytes"] < 2e9
    assert result.costs["model_bytes"] == sum(p.stat().st_size for p in (result.folder / "model").iterdir())
    assert result.costs["threads"] >= 1


def test_the_resolved_file_run_again_gives_the_same_predictions(result: Result, tmp_path: Path) -> None:
    again = nlpipe.run(result.folder / "pipeline.yaml", out=tmp_path)
    assert (again.folder / "predictions.jsonl").read_bytes() == (result.folder / "predictions.jsonl").read_bytes()
    assert again.folder.name.rpartition("-")[2] == result.folder.name.rpartition("-")[2]


def test_the_same_run_is_not_done_twice_unless_asked(file: Path, tmp_path: Path) -> None:
    said: list[str] = []
    first = nlpipe.run(file, out=tmp_path / "runs", report=said.append)
    stamp = (first.folder / "metrics.json").stat().st_mtime_ns
    assert nlpipe.run(file, out=tmp_path / "runs", report=said.append).folder == first.folder
    assert (first.folder / "metrics.json").stat().st_mtime_ns == stamp
    assert said[-1] == "done before"
    nlpipe.run(file, out=tmp_path / "runs", again=True)
    assert (first.folder / "metrics.json").stat().st_mtime_ns > stamp


@pytest.mark.parametrize("change", ["seed=4", "head.C=3", "data=sample_questions"])
def test_another_seed_option_or_data_is_another_run(file: Path, result: Result, tmp_path: Path, change: str) -> None:
    other = nlpipe.run(file, [change], out=tmp_path / "runs")
    assert other.folder.name != result.folder.name


TAGGING = """
data: sample_entities
tokenizer: {name: regex, lowercase: false}
representation: {name: window, gazetteers: [%s]}
head: {name: perceptron, epochs: 1}
"""


def test_a_changed_file_that_an_option_names_is_another_run(tmp_path: Path) -> None:
    names = tmp_path / "places.txt"
    (tmp_path / "tag.yaml").write_text(TAGGING % names)
    folders = []
    for held in ("Oslo\n", "Oslo\nRome\n", "Oslo\n"):
        names.write_text(held)
        folders.append(nlpipe.run(tmp_path / "tag.yaml", out=tmp_path / "runs").folder)
    assert folders[0] == folders[2] != folders[1]


def test_a_changed_folder_that_an_option_names_is_another_run(tmp_path: Path) -> None:
    model = tmp_path / "model"
    (model / "nested").mkdir(parents=True)
    (model / "config.json").write_text("{}")
    first = files_named({"representation": {"model": str(model)}})
    assert list(first) == [str(model)] and files_named([str(model)]) == first
    (model / "config.json").write_text("{ }")
    assert files_named({"model": str(model)}) != first


def test_files_that_options_name_lie_beside_the_pipeline_file_and_are_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "places.txt").write_text("Oslo\n")
    (tmp_path / "tag.yaml").write_text(TAGGING % "lists/places.txt")
    monkeypatch.chdir(tmp_path / "lists")
    folder = nlpipe.run(tmp_path / "tag.yaml", out=tmp_path / "runs").folder
    assert nlpipe.run(folder / "pipeline.yaml", out=tmp_path / "again").folder.name.endswith(folder.name[-12:])
    (tmp_path / "tag.yaml").write_text(TAGGING % "places.txt")
    with pytest.raises(SpecError, match=r"no file 'places\.txt' in .*; it is in the working directory"):
        nlpipe.run(tmp_path / "tag.yaml", out=tmp_path / "runs")
    (tmp_path / "tag.yaml").write_text(TAGGING % "gone.txt")
    with pytest.raises(
        DataError, match=r"gone\.txt cannot be read: No such file or directory; the path is relative to"
    ):
        nlpipe.run(tmp_path / "tag.yaml", out=tmp_path / "runs")


def test_the_ledger_counts_test_sentences_that_the_tokenizer_splits_otherwise(tmp_path: Path) -> None:
    sentences = [f"Ann{i}\tB-PER\nleft\tO\n" for i in range(20)]
    (tmp_path / "train.conll").write_text("\n".join(sentences))
    (tmp_path / "test.conll").write_text("Ann1\tB-PER\nleft\tO\n\nthe\tO\nU.S.\tB-LOC\n\ndo\tO\nn't\tO\n")
    (tmp_path / "tag.yaml").write_text(
        "data: {task: tagging, train: train.conll, test: test.conll}\ntokenizer: regex\nhead: dictionary\n"
    )
    told = nlpipe.run(tmp_path / "tag.yaml", out=tmp_path / "runs").ledger["test"]
    assert told["counts"]["split_otherwise"] == 1  # n't is one word of the tokenizer's too
    assert told["examples"]["split_otherwise"] == ["the U.S."]


def test_entities_that_are_lost_are_told_when_the_run_ends(tmp_path: Path) -> None:
    rows = [{"text": f"Anna{i} left", "entities": [[0, len(f"Anna{i}"), "PER"]]} for i in range(20)]
    rows[3]["entities"] += [[0, 2, "LOC"], [6, 7, "LOC"]]
    (tmp_path / "notes.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "tag.yaml").write_text(
        "data: {task: tagging, train: notes.jsonl, columns: {text: text, entities: entities}}\n"
        "tokenizer: regex\nhead: dictionary\n"
    )
    warned = nlpipe.run(tmp_path / "tag.yaml", out=tmp_path / "runs").ledger["warnings"]
    warned = [line for line in warned if "same answer" not in line]  # the names in test are new to the dictionary
    assert len(warned) == 1
    assert warned[0].startswith(
        "train: 2 entities whose ends are not those of words have no tags and count as missed, the first "
    )


def test_a_run_of_which_no_word_is_known_says_so(tmp_path: Path) -> None:
    texts = tmp_path / "reviews.csv"
    texts.write_text("text,label\n" + "".join(f"a{i} b{i},x\nc{i} d{i},y\n" for i in range(40)))
    (tmp_path / "vectors.vec").write_text("elsewhere 1.0 2.0\n")
    (tmp_path / "p.yaml").write_text(
        "data: {task: classification, train: reviews.csv}\ntokenizer: regex\n"
        "representation: {name: static, vectors: vectors.vec}\nencoder: mean\nhead: logistic_regression\n"
    )
    found = nlpipe.run(tmp_path / "p.yaml", out=tmp_path / "runs").ledger
    assert found["train"]["counts"]["tokens"] == found["train"]["counts"]["out_of_vocabulary"] == 128  # 2 x 64
    assert [said for said in found["warnings"] if "not one of" in said] == [
        f"{split}: not one of {count} words is known to the representation"
        for split, count in (("train", 128), ("dev", 16), ("test", 16))
    ]


def test_a_failing_fit_leaves_nothing(file: Path, tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("text,label\n" + "a b,x\nc d,y\n" * 30)
    data = f"data={{task: classification, format: csv, train: {tmp_path}/one.csv}}"
    out = tmp_path / "runs"
    with pytest.raises(DataError, match="2 different examples of 2 labels are too few"):
        nlpipe.run(file, [data], out=out)
    (tmp_path / "one.csv").write_text("text,label\n" + "".join(f"a{i},x\nb{i},y\n" for i in range(30)))
    with pytest.raises(DataError, match="no features"):
        nlpipe.run(file, [data, "representation.min_count=1000"], out=out)
    assert list(out.iterdir()) == []


def test_one_class_only_is_told_before_fitting(file: Path, tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("text,label\n" + "".join(f"word{i},x\n" for i in range(30)))
    with pytest.raises(DataError, match="x"):
        nlpipe.run(
            file, [f"data={{task: classification, format: csv, train: {tmp_path}/one.csv}}"], out=tmp_path / "runs"
        )


def test_a_full_disk_while_writing_leaves_nothing(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fit_step, "write_json", full)
    with pytest.raises(NlpipeError, match="No space left on device"):
        nlpipe.run(file, out=tmp_path / "runs")
    assert list((tmp_path / "runs").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_killed_leaves_nothing_that_looks_like_a_result_and_goes_on(
    file: Path, tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = textwrap.dedent("""
        import sys, time
        from pathlib import Path
        from nlpipe.runs import costs
        def slow(*_):
            Path(FLAG).touch()
            time.sleep(60)
        costs.measure_model = slow
        sys.argv[1:] = ["run", sys.argv[1], "--out", sys.argv[2]]
        from nlpipe.__main__ import main
        main()
    """).replace("FLAG", repr(str(tmp_path / "fitted")))
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(file), str(tmp_path / "runs")], stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "fitted").exists():
        assert time.monotonic() < deadline, "the run never came to measuring"
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [".unfinished"]
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert "Traceback" not in said
    monkeypatch.setattr(run_step, "fit", None)  # what was fitted is not fitted again
    reports: list[str] = []
    done = nlpipe.run(file, out=tmp_path / "runs", report=reports.append)
    assert reports == ["fitted before: going on from there", "measuring its costs"]  # it had answered before
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [done.folder.name]
    assert sorted(path.name for path in done.folder.iterdir()) == sorted([*FILES, "model", "predictions_dev.jsonl"])
    monkeypatch.undo()
    other = nlpipe.run(file, out=tmp_path / "others")
    for name in ("metrics.json", "predictions.jsonl", "items.safetensors", "ledger.json", "pipeline.yaml"):
        assert (done.folder / name).read_bytes() == (other.folder / name).read_bytes()


def test_a_smaller_sample_is_part_of_a_larger_one() -> None:
    train = load_dataset("sample_reviews", Path()).train
    small, large = sample(train, 10, 3), sample(train, 30, 3)
    assert len(small) == 10
    assert set(small.inputs.strings) <= set(large.inputs.strings)
    assert sample(train, 10, 4).inputs.strings != small.inputs.strings


def test_the_environment_names_versions_threads_and_data(result: Result) -> None:
    told = result.environment
    assert told["data"] == "sample_reviews"
    assert told["packages"]["scikit-learn"]
    assert told["threads"] == thread_count()
    json.dumps(told)


def test_a_result_is_short_in_print(result: Result, tmp_path: Path) -> None:
    assert repr(result) == f"Result(accuracy {result.score:.4f} on test, {result.folder})"
    assert repr(Result(tmp_path)) == f"Result({tmp_path})"
