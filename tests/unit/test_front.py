# ruff: noqa: E501 - messages stand whole
"""One front: the same file gives the same by command and in Python, from whatever folder."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import nlpipe
from nlpipe.cli.app import app
from nlpipe.compare import plan
from nlpipe.datasets import load_dataset
from nlpipe.errors import NlpipeError, NlpipeWarning
from nlpipe.spec import ComparisonSpec, PipelineSpec

ROWS = "".join(f"some words number {i}\t{('good', 'bad')[i % 2]}\n" for i in range(40))
DATA = "data: {task: classification, train: %s, columns: {text: 0, label: 1}}\n"
STAGES = "representation: bow\nhead: naive_bayes\n"
SENTENCES = "".join(f"Anna\tB-PER\nleft\tO\n{i}\tO\n\n" for i in range(20))


@dataclass
class Reached(Exception):
    """What a front door handed to the machinery: a checked spec, and with what."""

    spec: PipelineSpec | ComparisonSpec
    digest: str
    rest: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Case:
    """A call in both ways.

    Args:
        files: path to content; the call is made in the folder ``here``.
        given: files and overrides as the command has them, overrides last.
        python: what stands for the files in Python; the command's by default.
        error: the whole message where it must be one.
    """

    command: str
    files: Mapping[str, str]
    given: list[str]
    python: Any = None
    error: str = ""
    check: Callable[[Any], bool] = field(default=lambda spec: True)


def train_file(spec: Any) -> str:
    return str(spec.data["train"])


CASES = {
    "a file in another folder": Case(
        "run", {"p.yaml": DATA % "d.tsv" + STAGES, "d.tsv": ROWS}, ["../p.yaml"],
        check=lambda spec: train_file(spec).endswith("/d.tsv") and spec.name == "p",
    ),
    "an override's path starts from the working directory": Case(
        "run", {"p.yaml": DATA % "d.tsv" + STAGES, "here/mine.tsv": ROWS}, ["../p.yaml", "data.train=mine.tsv"],
        check=lambda spec: train_file(spec).endswith("/here/mine.tsv"),
    ),
    "a file in the working directory is not one beside the pipeline": Case(
        "run", {"p.yaml": DATA % "d.tsv" + STAGES, "here/d.tsv": ROWS}, ["../p.yaml"],
        error="ROOT/d.tsv: there is no such file; d.tsv is in the working directory, but paths start from the file that "
        "names them",
    ),
    "data that an extended file names": Case(
        "run",
        {"bases/b.yaml": DATA % "d.tsv" + STAGES, "bases/d.tsv": ROWS, "p.yaml": "extend: bases/b.yaml\nseed: 3\n"},
        ["../p.yaml"],
        check=lambda spec: train_file(spec).endswith("/bases/d.tsv") and spec.seed == 3,
    ),
    "a card by its path": Case(
        "run",
        {"p.yaml": "data: cards/c.yaml\n" + STAGES, "cards/d.tsv": ROWS,
         "cards/c.yaml": "task: classification\ntrain: d.tsv\ncolumns: {text: 0, label: 1}\n"},
        ["../p.yaml"],
        check=lambda spec: spec.data.endswith("/cards/c.yaml"),
    ),
    "files in options, and those of a file that is extended": Case(
        "run",
        {"bases/b.yaml": "data: {task: tagging, train: t.conll}\nrepresentation: {name: window, gazetteers: [g.txt]}\n"
                         "head: logistic_regression\n",
         "bases/t.conll": SENTENCES, "bases/g.txt": "Anna\n", "p.yaml": "extend: bases/b.yaml\n"},
        ["../p.yaml"],
        check=lambda spec: spec.stages[1].options["gazetteers"][0].endswith("/bases/g.txt"),
    ),
    "overrides": Case(
        "run", {"p.yaml": DATA % "d.tsv" + STAGES, "d.tsv": ROWS},
        ["../p.yaml", "representation=tfidf", "head={name: logistic_regression, C: 6e-1}", "seed=5"],
        check=lambda spec: spec.stages[2].options["C"] == 0.6 and spec.seed == 5,
    ),
    "a mapping in Python": Case(
        "run", {"here/pipeline.yaml": DATA % "../d.tsv" + STAGES, "d.tsv": ROWS}, ["pipeline.yaml"],
        python={"data": {"task": "classification", "train": Path("../d.tsv"), "columns": {"text": 0, "label": 1}},
                "representation": "bow", "head": {"name": "naive_bayes"}},
    ),
    "an example that came with nlpipe": Case(
        "run", {}, ["pipelines/sentiment/bow_nb.yaml", "data=sample_reviews"],
        check=lambda spec: spec.name == "bow_nb",
    ),
    "several pipelines in a file": Case(
        "run", {"here/p.yaml": STAGES + "vary: {representation: [bow, tfidf]}\n"}, ["p.yaml", "data=sample_reviews"],
        error="p.yaml:3:1: vary: this file stands for 2 pipelines: compare them (nlpipe compare), or choose one with "
        "representation=…",
    ),
    "one of several pipelines": Case(
        "run", {"here/p.yaml": STAGES + "vary: {representation: [bow, tfidf]}\n"},
        ["p.yaml", "data=sample_reviews", "representation=tfidf"],
        check=lambda spec: spec.stages[1].name == "tfidf" and spec.name == "p",
    ),
    "a comparison to run": Case(
        "run", {"here/c.yaml": "pipelines: [p.yaml]\n"}, ["c.yaml"],
        error="c.yaml:1:1: pipelines: this file is a comparison (it has 'pipelines'), not a pipeline; compare it: "
        "nlpipe compare",
    ),
    "a data file to run": Case(
        "run", {"here/tickets.csv": "text,label\na,b\n"}, ["tickets.csv"],
        error="tickets.csv: this is a data file, not a pipeline; 'nlpipe init tickets.csv' makes a pipeline file to start "
        "from out of it",
    ),
    "a run's folder to run": Case(
        "run", {"here/runs/x/pipeline.yaml": STAGES}, ["runs/x"],
        error="runs/x: this is a run's folder; its file is runs/x/pipeline.yaml",
    ),
    "a file that is not there": Case(
        "run", {"here/tfidf.yaml": STAGES}, ["tfdif.yaml"],
        error="tfdif.yaml: there is no file 'tfdif.yaml' in '.'; did you mean 'tfidf.yaml'?",
    ),
    "no data": Case(
        "run", {"here/p.yaml": STAGES}, ["p.yaml"],
        error="p.yaml: no data: write 'data: CARD' in the file, or data=CARD on the command line",
    ),
    "a fault in inline data": Case(
        "run", {"here/p.yaml": "data: {task: clasification, train: d.tsv, colums: {}}\n" + STAGES}, ["p.yaml"],
        error="p.yaml:1:14: data.task: there is no task 'clasification'; did you mean 'classification'?\n"
        "p.yaml:1:43: data.colums: there is no such key; did you mean 'columns'?",
    ),
    "a card that is not there": Case(
        "run", {"here/p.yaml": "data: sample_review\n" + STAGES}, ["p.yaml"],
        error="p.yaml:1:7: data: there is no card 'sample_review'; did you mean 'sample_reviews'?",
    ),
    "a comparison's own data, in another folder": Case(
        "compare",
        {"c/c.yaml": DATA % "d.tsv" + "pipelines: [p/a.yaml, p/b.yaml]\n", "c/d.tsv": ROWS,
         "c/p/a.yaml": DATA % "other.tsv" + STAGES, "c/p/b.yaml": STAGES},
        ["../c/c.yaml"],
        check=lambda spec: {train_file(pipeline) for pipeline in spec.pipelines} == {train_file(spec)}
        and train_file(spec).endswith("/c/d.tsv"),
    ),
    "a comparison whose pipelines lie in an extended file's folder": Case(
        "compare",
        {"bases/c.yaml": "pipelines: [a.yaml]\ndata: sample_reviews\n", "bases/a.yaml": STAGES,
         "c.yaml": "extend: bases/c.yaml\nseeds: [1, 2]\n"},
        ["../c.yaml"],
        check=lambda spec: [p.name for p in spec.pipelines] == ["a"] and spec.seeds == (1, 2),
    ),
    "pipelines in two folders with the same data": Case(
        "compare",
        {"a/x.yaml": DATA % "../d.tsv" + STAGES, "b/y.yaml": DATA % "../a/../d.tsv" + STAGES, "d.tsv": ROWS},
        ["../a/x.yaml", "../b/y.yaml", "seeds=[1, 2]"],
        check=lambda spec: [p.name for p in spec.pipelines] == ["x", "y"] and train_file(spec).endswith("/d.tsv"),
    ),
    "pipelines in two folders with data of their own": Case(
        "compare",
        {"a/x.yaml": DATA % "d.tsv" + STAGES, "b/y.yaml": DATA % "d.tsv" + STAGES, "a/d.tsv": ROWS, "b/d.tsv": ROWS},
        ["../a/x.yaml", "../b/y.yaml"],
        error="comparison: data: 'x' and 'y' have different data (train: ROOT/a/d.tsv, ROOT/b/d.tsv); name the data of "
        "the comparison, 'data: CARD' in its file or data=CARD on the command line",
    ),
    "data on the command line for pipelines with others": Case(
        "compare",
        {"a/x.yaml": DATA % "d.tsv" + STAGES, "b/y.yaml": DATA % "d.tsv" + STAGES},
        ["../a/x.yaml", "../b/y.yaml", "data=sample_reviews"],
        check=lambda spec: spec.data == "sample_reviews",
    ),
    "files in the options of pipelines in two folders": Case(
        "compare",
        {f"{name}/{name}.yaml": "data: {task: tagging, train: ../t.conll}\n"
         "representation: {name: window, gazetteers: [g.txt]}\nhead: logistic_regression\n" for name in "ab"}
        | {"a/g.txt": "Anna\n", "b/g.txt": "Omar\n", "t.conll": SENTENCES},
        ["../a/a.yaml", "../b/b.yaml"],
        check=lambda spec: [p.stages[1].options["gazetteers"][0][-8:] for p in spec.pipelines] == ["/a/g.txt", "/b/g.txt"],
    ),
    "a file that varies": Case(
        "compare", {"p.yaml": DATA % "d.tsv" + STAGES + "vary: {representation: [bow, tfidf], encoder: [null, mean]}\n",
                    "d.tsv": ROWS},
        ["../p.yaml", "head.alpha=0.5"],
        check=lambda spec: [p.name for p in spec.pipelines] == ["p-bow-none", "p-tfidf-none"] and len(spec.left_out) == 2,
    ),
    "one pipeline to compare": Case(
        "compare", {"here/p.yaml": STAGES}, ["p.yaml", "data=sample_reviews", "seeds=[1, 2]"],
        check=lambda spec: spec.seeds == (1, 2),
    ),
    "a comparison that writes its pipelines out": Case(
        "compare",
        {"c/c.yaml": "data: sample_reviews\npipelines:\n  - {name: a, representation: bow, head: naive_bayes}\n"
                     "  - {extend: base.yaml, head: majority}\n  - base.yaml\n",
         "c/base.yaml": STAGES},
        ["../c/c.yaml"],
        check=lambda spec: [p.name for p in spec.pipelines] == ["a", "pipeline_2", "base"],
    ),
    "a comparison in Python": Case(
        "compare",
        {"here/comparison.yaml": "data: sample_reviews\npipelines: [../p.yaml, {name: b, extend: ../p.yaml, seed: 1}]\n",
         "p.yaml": STAGES},
        ["comparison.yaml"],
        python={"data": "sample_reviews", "pipelines": ["../p.yaml", {"name": "b", "extend": "../p.yaml", "seed": 1}]},
    ),
    "two comparisons": Case(
        "compare", {"here/c.yaml": "pipelines: [p.yaml]\n", "here/d.yaml": "pipelines: [p.yaml]\n"}, ["c.yaml", "d.yaml"],
        error="c.yaml: this file is a comparison; compare it alone\nd.yaml: this file is a comparison; compare it alone",
    ),
    "two pipelines of one name": Case(
        "compare", {"a/p.yaml": STAGES, "b/p.yaml": STAGES}, ["../a/p.yaml", "../b/p.yaml", "data=sample_reviews"],
        error="comparison: pipelines[1]: two pipelines are called 'p'; give one of them a 'name:'",
    ),
    "no file": Case(
        "compare", {}, ["seeds=[1]"], python=[], error="no file: name a comparison, or pipelines to compare",
    ),
    "no data to compare on": Case(
        "compare", {"here/p.yaml": STAGES}, ["p.yaml"],
        error="comparison: no data: say 'data: CARD' in the file, or data=CARD on the command line",
    ),
}  # fmt: skip


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the case's files, with the working directory ``here`` in it; nothing is fitted."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def run(spec: PipelineSpec, dataset: Any, *rest: Any, report: Any, **options: Any) -> None:
        raise Reached(spec, dataset.digest, (rest, options))

    def execute(jobs: Any, *rest: Any) -> None:
        data = compared[-1].data
        assert data is not None
        raise Reached(compared[-1], load_dataset(data).digest)

    compared: list[ComparisonSpec] = []

    def jobs_of(spec: ComparisonSpec) -> Any:
        compared.append(spec)
        return plan.jobs_of(spec)

    monkeypatch.setattr("nlpipe.runs.run.run", run)
    monkeypatch.setattr("nlpipe.compare.comparison.execute", execute)
    monkeypatch.setattr("nlpipe.compare.comparison.jobs_of", jobs_of)
    return tmp_path


def write(files: Mapping[str, str], root: Path) -> None:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content, encoding="utf-8")


def by_command(case: Case) -> Exception:
    """What stopped the command: its error, or that it reached the machinery."""
    error = CliRunner().invoke(app, [case.command, *case.given]).exception
    assert isinstance(error, Exception)
    return error


def in_python(case: Case) -> Exception:
    files = [text for text in case.given if "=" not in text]
    overrides = [text for text in case.given if "=" in text]
    source = (files if case.command == "compare" else files[0]) if case.python is None else case.python
    with warnings.catch_warnings(), pytest.raises((Reached, NlpipeError)) as caught:
        warnings.simplefilter("ignore", NlpipeWarning)  # of combinations that are left out: a test of their own
        getattr(nlpipe, case.command)(source, overrides)
    return caught.value


@pytest.mark.parametrize("name", CASES)
def test_the_same_by_command_and_in_python(name: str, root: Path) -> None:
    case = CASES[name]
    write(case.files, root)
    results = [by_command(case), in_python(case)]
    if case.error:
        assert [str(error) for error in results] == [case.error.replace("ROOT", str(root.resolve()))] * 2
        return
    command, python = results
    assert isinstance(command, Reached), command
    assert isinstance(python, Reached), python
    assert command == python
    assert case.check(command.spec), command.spec


def test_the_function_compare_and_its_package_have_one_name() -> None:
    """Importing the package must not hide the function, which the first call itself imports."""
    importlib.import_module("nlpipe.compare.table")
    assert callable(nlpipe.compare)
    with pytest.raises(NlpipeError, match="no file: name a comparison"):
        nlpipe.compare([])


def test_combinations_that_are_left_out_are_told_both_ways(root: Path) -> None:
    case = CASES["a file that varies"]
    write(case.files, root)
    said = "p-bow-mean is left out: encoder 'mean' takes Sequences, but representation 'bow' gives Vectors"
    assert said in CliRunner().invoke(app, ["compare", *case.given]).stderr
    with pytest.warns(NlpipeWarning) as caught, pytest.raises(Reached):
        nlpipe.compare("../p.yaml", ["head.alpha=0.5"])
    assert [str(warning.message).startswith(said) for warning in caught] == [True, False]


def test_a_run_by_command_is_the_run_in_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write({"p.yaml": DATA % "d.tsv" + STAGES, "d.tsv": ROWS}, tmp_path)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["run", "p.yaml", "head.alpha=0.5"])
    folder = Path(done.stdout.strip())
    messages: list[str] = []
    monkeypatch.chdir(tmp_path.parent)
    result = nlpipe.run(f"{tmp_path.name}/p.yaml", ["head.alpha=0.5"], out=tmp_path / "runs", report=messages.append)
    assert result.folder == tmp_path / folder
    assert messages == ["done before"]


def test_a_spec_is_found_from_any_folder(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a spec resolves to is read in another folder as the same spec, on the same data."""
    write(CASES["a file in another folder"].files, root)
    first = in_python(CASES["a file in another folder"])
    assert isinstance(first, Reached)
    monkeypatch.chdir("/")
    with pytest.raises(Reached) as again:
        nlpipe.run(first.spec.resolved())  # type: ignore[union-attr]
    assert again.value == first
