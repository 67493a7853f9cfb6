"""Comparisons from the file to the verdict, on small data: what is run, what is left, what a fault leaves intact."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import nlpipe
from nlpipe.cli.app import app
from nlpipe.compare import comparison
from nlpipe.compare.comparison import plan
from nlpipe.compare.gather import reopen
from nlpipe.compare.plan import is_neural, jobs_of, uses_seed, with_baseline
from nlpipe.errors import NlpipeError, NlpipeWarning
from nlpipe.spec import read_comparison, read_pipeline

pytestmark = pytest.mark.usefixtures("unmeasured")

GOOD, DULL = ("good fine fun warm great", "dull poor bad cold weak")
TFIDF: dict[str, Any] = {"representation": "tfidf", "head": "logistic_regression"}
BAYES: dict[str, Any] = {"name": "bayes", "representation": "bow", "head": "naive_bayes"}
SVM: dict[str, Any] = {"name": "svm", "representation": "tfidf", "head": "linear_svm"}
NEURAL: dict[str, Any] = {
    "name": "neural", "representation": {"name": "embedding", "dim": 4}, "encoder": "mean", "head": "classifier",
    "trainer": {"epochs": 1},
}  # fmt: skip


def rows(count: int, start: int = 0) -> str:
    lines = []
    for i in range(start, start + count):
        for label, words in (("a", GOOD.split()), ("b", DULL.split())):
            lines.append(f"film {i} {words[i % 5]} {words[(i * 3 + 1) % 5]} {['dull', 'good'][i % 2]},{label}")
    return "text,label\n" + "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("data")
    for name, (count, start) in {"train": (40, 0), "dev": (20, 100), "test": (60, 200)}.items():
        (folder / f"{name}.csv").write_text(rows(count, start))
    files = {name: str(folder / f"{name}.csv") for name in ("train", "dev", "test")}
    return {"task": "classification", **files}


@pytest.fixture(scope="module")
def compared(data: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> nlpipe.compare.results.Comparison:  # type: ignore[name-defined]
    """Two deterministic pipelines and one that draws random numbers, with three seeds."""
    out = tmp_path_factory.mktemp("compared") / "runs"
    return nlpipe.compare(
        {"compare": "T", "data": data, "seeds": 3, "pipelines": [{"name": "lr", **TFIDF}, BAYES, SVM]}, out=out
    )


def test_pipelines_that_no_seed_changes_are_run_once(compared: Any) -> None:
    assert {row.name: len(row.results) for row in compared.rows} == {"lr": 1, "bayes": 1, "svm": 3}
    evidence = compared.verdict.evidence
    assert not evidence.unknown.any() and sorted(evidence.seeds) == [1, 1, 3]


@pytest.mark.parametrize(
    ("pipeline", "seed", "neural"),
    [(TFIDF, False, False), (BAYES, False, False), (SVM, True, False), (NEURAL, True, True)],
)
def test_who_uses_a_seed(pipeline: dict[str, Any], seed: bool, neural: bool) -> None:
    spec = read_pipeline(pipeline)
    assert (uses_seed(spec), is_neural(spec)) == (seed, neural)


def test_a_sample_of_the_training_split_is_drawn_with_every_seed(data: dict[str, Any]) -> None:
    spec = read_comparison(
        {"data": data, "seeds": 2, "train_sizes": [10, "all"], "pipelines": [{"name": "lr", **TFIDF}]}
    )
    assert [(job.train_size, job.seed) for job in jobs_of(spec)] == [(10, 13), (10, 14), (None, 13)]


def test_a_classical_baseline_is_added_where_there_is_none(data: dict[str, Any]) -> None:
    spec = read_comparison({"data": data, "pipelines": [NEURAL, {**NEURAL, "name": "tfidf_logreg"}]})
    whole, added = with_baseline(spec, "classification")
    assert added == "tfidf_logreg_baseline" and whole.pipelines[-1].name == added
    assert whole.pipelines[-1].data == spec.data
    same, none = with_baseline(read_comparison({"data": data, "pipelines": [NEURAL, BAYES]}), "classification")
    assert none is None and len(same.pipelines) == 2


def test_the_folder_holds_all_that_the_verdict_rests_on(compared: Any) -> None:
    record = json.loads((compared.folder / "verdict.json").read_text())
    assert record["chosen"] == compared.verdict.chosen and record["sentences"] == list(compared.verdict.sentences)
    again = reopen(compared.folder)
    assert again.table() == compared.table() and again.verdict.record() == compared.verdict.record()
    assert (compared.folder / "table.md").read_text() == again.table() + "\n"


def test_a_damaged_run_is_a_row_and_the_rest_stands(compared: Any, tmp_path: Path) -> None:
    shutil.copytree(compared.folder.parent, tmp_path / "runs")
    folder = tmp_path / "runs" / compared.folder.name
    runs = {row.name: [tmp_path / "runs" / result.folder.name for result in row.results] for row in compared.rows}
    (runs["svm"][1] / "items.safetensors").write_bytes(b"rubbish")
    shutil.rmtree(runs["bayes"][0])
    again = reopen(folder)
    by_name = {row.name: row for row in again.rows}
    assert by_name["bayes"].score is None and "there is no such file" in by_name["bayes"].errors[0]
    assert len(by_name["svm"].results) == 2 and "damaged" in by_name["svm"].errors[0]
    assert "Of svm 1 of 3 runs failed; the others count." in again.verdict.sentences
    (folder / "comparison.json").write_text('{"rows": []}')
    with pytest.raises(NlpipeError, match="not as this version of nlpipe writes it"):
        reopen(folder)


def test_runs_that_answered_other_items_are_left_out(compared: Any, tmp_path: Path) -> None:
    shutil.copytree(compared.folder.parent, tmp_path / "runs")
    path = tmp_path / "runs" / compared.folder.name / "comparison.json"
    record = json.loads(path.read_text())
    record["facts"]["digest"] = "other"
    path.write_text(json.dumps(record))
    assert "is of other data than" in reopen(path.parent).failures[0]
    record["facts"] |= {"test_size": 7, "digest": ""}
    path.write_text(json.dumps(record))
    again = reopen(path.parent)
    assert again.verdict is None and "has answers to 120 items, the data has 7" in again.failures[0]


def test_one_test_item_is_no_verdict(data: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("text,label\nfilm good,a\n")
    spec = {"data": {**data, "test": str(tmp_path / "one.csv")}, "pipelines": [{"name": "lr", **TFIDF}, BAYES]}
    found = nlpipe.compare(spec, out=tmp_path / "runs")
    assert found.verdict.sentences == ("No verdict: one item, or one fold, shows nothing.",)
    assert all(row.score is not None and row.low is None for row in found.rows)


def test_a_pipeline_that_fails_for_every_seed_leaves_the_others(data: dict[str, Any], tmp_path: Path) -> None:
    failing = {"name": "failing", "representation": {"name": "tfidf", "min_count": 9999}, "head": "linear_svm"}
    spec = tmp_path / "c.json"
    spec.write_text(json.dumps({"data": data, "seeds": 2, "pipelines": [failing, {"name": "lr", **TFIDF}, BAYES]}))
    done = CliRunner().invoke(app, ["compare", str(spec), "--out", str(tmp_path / "runs")])
    assert done.exit_code == 1 and "failed: failing, seed 14" in done.output
    assert "Without failing: every run failed, so that the verdict is about the others alone." in done.output
    assert "the same command does the failed runs again, and keeps the others" in done.output
    assert "is the cheapest pipeline that is shown" in done.output or "No verdict" in done.output


def test_the_exit_status_tells_of_the_verdict_where_one_is_required(data: dict[str, Any], tmp_path: Path) -> None:
    spec = tmp_path / "c.json"
    spec.write_text(json.dumps({"data": data, "pipelines": [{"name": "lr", **TFIDF}, BAYES]}))
    command = ["compare", str(spec), "--out", str(tmp_path / "runs"), "--require-verdict"]
    assert CliRunner().invoke(app, [*command, "tolerance=0.9"]).exit_code == 0
    assert CliRunner().invoke(app, [*command, "budget.latency_ms=0.000001"]).exit_code == 3
    assert CliRunner().invoke(app, [*command[:-1], "budget.latency_ms=0.000001"]).exit_code == 0
    for suffix, start in ((".md", "# c"), (".csv", "pipeline,"), (".tex", "% needs")):
        path = tmp_path / f"table{suffix}"
        assert CliRunner().invoke(app, [*command[:-1], "--table", str(path)]).exit_code == 0
        assert path.read_text().startswith(start)
    wrong = CliRunner().invoke(app, [*command, "--table", "table.txt"])
    assert isinstance(wrong.exception, NlpipeError) and "ends in .md, .csv, .tex" in str(wrong.exception)
    wrong = CliRunner().invoke(app, [*command, "tolerance=2"])
    assert isinstance(wrong.exception, NlpipeError) and "did you mean 0.02?" in str(wrong.exception)


def test_the_verdict_rests_on_items_that_are_not_in_training(data: dict[str, Any], tmp_path: Path) -> None:
    lines = Path(data["train"]).read_text().splitlines()
    flipped = [line[:-1] + {"a": "b", "b": "a"}[line[-1]] for line in lines[1:13]]  # which no pipeline gets right
    test = Path(data["test"]).read_text() + "\n".join(flipped) + "\n"
    (tmp_path / "test.csv").write_text(test)
    pipelines = [{"name": "lr", **TFIDF}, BAYES]
    found = nlpipe.compare(
        {"data": {**data, "test": str(tmp_path / "test.csv")}, "pipelines": pipelines}, out=tmp_path / "runs"
    )
    assert found.facts.test_size == 132 and len(found.facts.leaked) >= 12
    kept = 132 - len(found.facts.leaked)
    assert found.verdict.evidence is not None and found.verdict.evidence.items == kept
    assert f"the verdict rests on the other {kept}" in found.verdict.sentences[1]
    clean = nlpipe.compare({"data": data, "pipelines": pipelines}, out=tmp_path / "runs")
    expected = {row.name: row.clean if row.clean is not None else row.score for row in clean.rows}
    for row in found.rows:
        assert row.clean == pytest.approx(expected[row.name]) and row.score != row.clean
    shown = list(found.columns())
    assert shown[1:5] == ["accuracy", "clean items", "interval on clean", "may lose"] and "95 % interval" not in shown
    assert reopen(found.folder).table() == found.table()


def test_where_all_of_test_is_in_training_there_is_no_verdict(data: dict[str, Any], tmp_path: Path) -> None:
    spec = {"data": {**data, "test": data["train"]}, "pipelines": [{"name": "lr", **TFIDF}, BAYES]}
    found = nlpipe.compare(spec, out=tmp_path / "runs")
    assert found.verdict.sentences == ("No verdict: of 80 test items, 0 do not stand in the training split too.",)
    assert found.chosen is None and all(row.score is not None for row in found.rows)


def test_pipelines_are_tuned_before_they_are_compared(data: dict[str, Any], tmp_path: Path) -> None:
    tuned = {"name": "lr", **TFIDF, "tune": {"trials": 2, "head.C": [0.001, 10.0]}}
    found = nlpipe.compare({"data": data, "pipelines": [tuned, BAYES]}, out=tmp_path / "runs")
    (row,) = (row for row in found.rows if row.name == "lr")
    written = (row.results[0].folder / "pipeline.yaml").read_text()
    assert "tune" not in written and ("C: 10.0" in written or "C: 0.001" in written)
    assert list((tmp_path / "runs").glob("tune-lr-*/tuned.yaml"))
    (entry,) = (row for row in found.records() if row["name"] == "lr")
    assert entry["costs"]["tune_seconds"] > 0 and "tune s" in found.columns()
    text = "Options of lr were searched on training and dev alone: at most 2 trials for each, scored on dev."
    assert text in found.table()
    made = plan(read_comparison({"data": data, "pipelines": [tuned, BAYES]}), tmp_path / "runs", tuning=False)
    assert [job.spec.tune for job in made.jobs] == [None, None]  # what was searched before is read


FULL = "No space left on device"


@pytest.fixture
def small(data: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The arguments of a comparison of two pipelines, whose costs in use are not measured."""
    monkeypatch.setattr(comparison, "measure", lambda *_: None)
    (tmp_path / "c.json").write_text(json.dumps({"data": data, "pipelines": [{"name": "lr", **TFIDF}, BAYES]}))
    return ["compare", str(tmp_path / "c.json"), "--out", str(tmp_path / "runs")]


def test_what_is_advised_for_a_report_is_what_hindered_it(small: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise NlpipeError(f"report.html: {FULL}")

    with monkeypatch.context() as patch:
        patch.setattr("nlpipe.report.comparison_page.write_page", full)
        with pytest.warns(NlpipeWarning, match=f"report.html was not written: .*{FULL}"):
            done = CliRunner().invoke(app, small)
    assert done.exit_code == 0 and "no report: the warning above says why; once that is mended:" in done.output
    assert "pip install" not in done.output
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "jinja2", None)
        done = CliRunner().invoke(app, small)
        assert 'for a report: pip install "nlpipe[report]", then ' in done.output and "no report" not in done.output


def test_a_comparison_that_cannot_be_written_says_that_the_runs_are_kept(
    small: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, FULL)

    with monkeypatch.context() as patch:
        patch.setattr(comparison, "write_json", full)
        done = CliRunner().invoke(app, small)
    said = str(done.exception)
    assert isinstance(done.exception, NlpipeError) and FULL in said
    assert "the runs that are done are kept: the same command goes on to the table and the verdict" in said
    kept = sorted(path.name for path in (tmp_path / "runs").iterdir() if not path.name.startswith("."))
    assert [name.partition("-")[0] for name in kept] == ["bayes", "lr"]
    assert CliRunner().invoke(app, small).exit_code == 0


def test_costs_that_cannot_be_written_are_unknown_and_the_verdict_stands(
    small: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise NlpipeError(f"costs.json: {FULL}")

    monkeypatch.setattr(comparison, "measure", full)
    with pytest.warns(NlpipeWarning, match=r", seed 13: its costs in use are not known: costs.json: No space"):
        done = CliRunner().invoke(app, [*small, "tolerance=0.9"])
    assert done.exit_code == 0 and "would qualify, but the latency was not measured" in done.output
