"""Cross-validation, choosing on dev, and items that belong to groups."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import nlpipe
from nlpipe.cli.app import app
from nlpipe.compare import comparison
from nlpipe.compare.comparison import plan
from nlpipe.compare.execute import orders_of
from nlpipe.compare.gather import reopen
from nlpipe.compare.plan import hash_of
from nlpipe.compare.worker import carry_out
from nlpipe.datasets.folds import check_folds, fold_of, pool_of
from nlpipe.datasets.load import load_dataset
from nlpipe.errors import DataError, NlpipeWarning, SpecError
from nlpipe.spec import read_comparison
from nlpipe.tuning import search
from nlpipe.wire import Labels, Text

pytestmark = pytest.mark.usefixtures("unmeasured")

LR: dict[str, Any] = {"name": "lr", "representation": "tfidf", "head": "logistic_regression"}
BAYES: dict[str, Any] = {"name": "bayes", "representation": "bow", "head": "naive_bayes"}


@pytest.fixture(autouse=True)
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """No costs in use, which take a process for each pipeline and are not what is tested here."""
    monkeypatch.setattr(comparison, "measure", lambda *_: None)


def table(path: Path, count: int, groups: int = 0, first: int = 0) -> str:
    lines = ["text,label,doc"]
    for i in range(first, first + count):
        good = i % 3 > 0
        words = f"{'good fine' if good else 'dull poor'} film {i} {['warm', 'cold'][(i // 2) % 2]}"
        lines.append(f"{words},{'pos' if good else 'neg'},d{i % groups if groups else i}")
    path.write_text("\n".join(lines) + "\n")
    return str(path)


@pytest.mark.parametrize("given_test", [False, True])
def test_every_example_is_in_one_fold_and_labels_keep_their_shares(tmp_path: Path, given_test: bool) -> None:
    files = {"train": table(tmp_path / "a.csv", 90)}
    if given_test:
        files["test"] = table(tmp_path / "t.csv", 30, first=500)
    dataset = load_dataset({"task": "classification", **files})
    folds = [fold_of(dataset, 5, number) for number in range(5)]
    texts: Counter[str] = Counter()
    for fold in folds:
        assert isinstance(fold.test.inputs, Text) and isinstance(fold.test.targets, Labels)
        texts.update(fold.test.inputs.strings)
        assert len(fold.test) == 18 and abs(fold.test.targets.values.count("neg") - 6) <= 1
        parts = [set(getattr(fold, name).inputs.strings) for name in ("train", "dev", "test")]
        assert sum(map(len, parts)) == 90 == len(set.union(*parts))
    assert len(texts) == 90 and set(texts.values()) == {1}
    assert not any("film 5" in text and given_test and int(text.split()[3]) >= 500 for text in texts)
    assert len({fold.digest for fold in folds}) == 5 and folds[1].name.endswith(", fold 2 of 5")
    again = fold_of(dataset, 5, 6)
    assert again.name.endswith("fold 2 of 5, repeat 2") and again.digest != folds[1].digest
    assert fold_of(dataset, 5, 1).digest == folds[1].digest


def test_groups_stay_together(tmp_path: Path) -> None:
    data = {"task": "classification", "train": table(tmp_path / "a.csv", 60, groups=12), "group": "doc"}
    dataset = load_dataset(data)
    seen: list[str] = []
    for number in range(4):
        fold = fold_of(dataset, 4, number)
        assert fold.test.groups and fold.train.groups and fold.dev.groups
        assert not set(fold.test.groups) & {*fold.train.groups, *fold.dev.groups}
        seen += sorted(set(fold.test.groups))
    assert sorted(seen) == sorted(f"d{i}" for i in range(12))
    with pytest.raises(DataError, match="12 groups are too few for 13 folds"):
        check_folds(dataset, 13)
    assert len(pool_of(dataset)) == 60


def test_too_few_examples_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    table(path, 20)
    path.write_text(path.read_text() + "film alone,rare,d\n")
    data = {"task": "classification", "train": str(path)}
    with pytest.raises(DataError, match="the label 'rare' has one example, which is in one fold"):
        nlpipe.compare({"data": data, "folds": 3, "pipelines": [LR, BAYES]}, out=tmp_path / "runs")
    table(path, 20)
    with pytest.raises(DataError, match="20 different examples are too few for 30 folds; give fewer folds"):
        nlpipe.compare({"data": data, "folds": 30, "pipelines": [LR, BAYES]}, out=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()
    path.write_text(path.read_text() + "film alone,rare,d\nfilm beside,rare,e\n")
    with pytest.warns(NlpipeWarning, match="'rare' has 2 examples, fewer than the 3 folds: some folds have none of it"):
        check_folds(load_dataset(data), 3)


def test_a_cross_validation_ends_in_an_approximate_verdict(tmp_path: Path) -> None:
    data = {"task": "classification", "train": table(tmp_path / "a.csv", 60)}
    spec = {"data": data, "folds": 3, "repeats": 2, "tolerance": 0.3, "pipelines": [LR, BAYES]}
    found = nlpipe.compare(spec, out=tmp_path / "runs")
    assert [len(row.results) for row in found.rows] == [6, 6]
    evidence = found.verdict.evidence
    assert evidence is not None and (evidence.items, evidence.folds) == (6, 3)
    scores = {row.name: [result.score for result in row.results] for row in found.rows}
    difference = np.array(scores["lr"]) - np.array(scores["bayes"])
    assert abs(evidence.difference[0, 1]) == pytest.approx(abs(difference.mean()))
    assert evidence.variance[0, 1] == pytest.approx(difference.var(ddof=1) * (1 / 6 + 1 / 2))
    said = str(found.verdict)
    assert "This rests on 3 folds, 6 in all, which share training examples" in said and "approximate" in said
    assert "60 items in 3 folds" in found.table() and "± folds" in found.table()
    assert reopen(found.folder).verdict.record() == found.verdict.record()


def test_chosen_on_dev_test_is_told_of_the_chosen_alone(tmp_path: Path) -> None:
    files = {
        name: table(tmp_path / f"{name}.csv", n, first=f)
        for name, n, f in (("train", 60, 0), ("dev", 40, 100), ("test", 30, 200))
    }
    spec = {
        "data": {"task": "classification", **files},
        "choose": "dev",
        "tolerance": 0.5,
        "cost": "fit_s",
        "pipelines": [LR, BAYES],
    }
    found = nlpipe.compare(spec, out=tmp_path / "runs")
    assert found.verdict.evidence is not None and found.verdict.evidence.items == 40
    for row in found.rows:
        assert row.score == pytest.approx(row.results[0].metrics["dev"]["accuracy"]) and row.dev is None
    assert found.chosen is not None
    test = found.chosen.results[0].score
    assert found.verdict.sentences[1] == (
        f"Chosen on dev; on test, which is looked at once and for it alone, it scores {test:.4f}."
    )
    assert "dev accuracy" in found.columns() and "accuracy" not in found.columns() and "40 dev items" in found.table()
    assert "best " in repr(found) and ", dev accuracy 1.000" in repr(found)


def marked(path: Path, count: int, mark: str, copies: int = 0) -> str:
    """Examples whose texts name their split, some of them twice, with different labels, and a very long one."""
    lines = ["text,label,doc"]
    for i in range(count):
        words = " ".join(f"{mark}{i}x{j}" for j in range(6))
        lines.append(f"{'good fine' if i % 2 else 'dull poor'} {words},{'pos' if i % 2 else 'neg'},d{i}")
    lines += [f"{line.split(',')[0]},{'pos' if ',neg,' in line else 'neg'},e" for line in lines[1 : 1 + copies]]
    lines.append(f"{mark} " * 400 + ",pos,f")
    path.write_text("\n".join(lines) + "\n")
    return str(path)


@pytest.mark.parametrize("how", [{"choose": "dev"}, {"folds": 3}])
def test_texts_and_scores_of_a_test_split_that_is_not_looked_at_are_nowhere(
    tmp_path: Path, how: dict[str, Any]
) -> None:
    files = {
        name: marked(tmp_path / f"{name}.csv", count, f"of{name}", copies)
        for name, count, copies in (("train", 60, 3), ("dev", 40, 2), ("test", 30, 4))
    }
    one = (tmp_path / "train.csv").read_text().splitlines()[1]
    for name in ("dev", "test"):  # stands in two splits
        (tmp_path / f"{name}.csv").write_text((tmp_path / f"{name}.csv").read_text() + one + "\n")
    comparison_file = tmp_path / "c.json"
    pipelines = [LR, {**LR, "name": "flat", "head": {"name": "logistic_regression", "C": 0.001}}]
    comparison_file.write_text(json.dumps(
        {"data": {"task": "classification", **files}, "train_sizes": [20, 50], "cost": "fit_s", "tolerance": 0.6,
         "seeds": [1, 2], "pipelines": pipelines, **how}
    ))  # fmt: skip
    done = CliRunner().invoke(app, ["compare", str(comparison_file), "--out", str(tmp_path / "runs")])
    assert done.exit_code == 0, done.output
    (folder,) = (path.parent for path in (tmp_path / "runs").glob("*/comparison.json"))
    written = [path.read_text(encoding="utf-8") for path in folder.iterdir()]
    audit = (folder / "audit.json").read_text(encoding="utf-8")
    assert not any("oftest" in text for text in [done.output, *written])
    assert "Equal inputs with different labels: 9" in audit and "oftrain" in audit and "ofdev" in audit
    assert "of test in train" in audit and "Examples of test are counted here and not quoted." in audit
    assert "oftrain" in (folder / "report.html").read_text(encoding="utf-8")
    if "choose" in how:  # and its scores: one, of the chosen one with the most training data
        found = reopen(folder)
        scores = {f"{run.score:.4f}" for row in found.rows for run in row.results}
        assert len(scores) > 1
        for line in done.output.splitlines():
            if "s to fit" in line:
                assert "dev accuracy 0." in line
        told = [verdict for verdict in found.verdicts.values() if "on test" in str(verdict)]
        assert [verdict is found.verdict for verdict in told] == [True]


def test_items_of_a_group_count_as_one(tmp_path: Path) -> None:
    files = {"train": table(tmp_path / "a.csv", 60), "test": table(tmp_path / "t.csv", 40, groups=10, first=300)}
    spec = {"data": {"task": "classification", "group": "doc", **files}, "pipelines": [LR, BAYES]}
    found = nlpipe.compare(spec, out=tmp_path / "runs")
    assert found.verdict.evidence is not None and found.verdict.evidence.items == 10 and found.facts.test_size == 40
    record = json.loads((found.rows[0].results[0].folder / "predictions.jsonl").read_text().splitlines()[0])
    assert record["group"] == "d0"
    with pytest.raises(DataError, match="nowhere"):
        load_dataset({"task": "classification", "group": "nowhere", **files})


def test_what_folds_exclude_has_its_place(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("")
    text = "data: sample_reviews\nfolds: 3\nchoose: dev\n"
    text += "pipelines: [{head: majority, representation: bow}, {predictions: a.jsonl}]\n"
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(SpecError) as caught:
        read_comparison(tmp_path / "c.yaml")
    said = str(caught.value)
    assert "c.yaml:2:8: folds: folds take the place of dev and test" in said
    assert "answers from elsewhere are to the test split; leave out folds" in said
    assert "c.yaml:3:9: choose: answers from elsewhere are to the test split, which is not looked at here" in said
    (tmp_path / "c.yaml").write_text(
        "data: sample_reviews\nrepeats: 3\npipelines: [{head: majority, representation: bow}]\n"
    )
    with pytest.raises(SpecError, match="there are no folds to repeat"):
        read_comparison(tmp_path / "c.yaml")


SEARCHED: dict[str, Any] = {**LR, "tune": {"trials": 3, "head.C": [0.001, 1, 100], "representation": ["bow", "tfidf"]}}


@pytest.mark.parametrize("inner", [None, 2])
def test_a_search_in_a_fold_never_sees_the_fold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inner: int | None
) -> None:
    data = {
        "task": "classification",
        "train": table(tmp_path / "a.csv", 60),
        "test": table(tmp_path / "t.csv", 9, first=90),
    }
    spec = read_comparison({"data": data, "folds": 3, "tune": {"folds": inner}, "pipelines": [SEARCHED, BAYES]})
    made = plan(spec, tmp_path / "runs")
    searched: list[list[str]] = []
    fit = search.fit_and_score

    def watched(spec: Any, data: Any, *rest: Any) -> Any:
        searched.append([t for d in data for s in (d.dataset.train, d.dataset.dev, d.scored) for t in s.inputs.strings])
        return fit(spec, data, *rest)

    monkeypatch.setattr(search, "fit_and_score", watched)
    job = next(job for job in made.jobs if job.spec.name == "lr" and job.fold == 1)
    (order,) = orders_of([job], tmp_path / "runs")
    message, trials = carry_out(order, lambda text: None), len(searched)
    assert trials >= 2
    fold = fold_of(load_dataset(data), 3, 1)
    assert isinstance(fold.test.inputs, Text) and isinstance(fold.train.inputs, Text)
    for texts in searched:
        assert not set(texts) & set(fold.test.inputs.strings)
        assert set(texts) == {*fold.train.inputs.strings, *fold.dev.inputs.strings}  # type: ignore[attr-defined]
    assert message["tune_seconds"] > 0
    carry_out(order, lambda text: None)
    assert len(searched) == trials  # nothing is done twice


def test_a_comparison_in_folds_searches_in_each(tmp_path: Path) -> None:
    data = {"task": "classification", "train": table(tmp_path / "a.csv", 60)}
    spec = {"data": data, "folds": 2, "pipelines": [SEARCHED, BAYES]}
    found = nlpipe.compare(spec, out=tmp_path / "runs")
    assert not found.failures and len(list((tmp_path / "runs").glob("tune-lr-*/tuned.yaml"))) == 2
    (row,) = (row for row in found.rows if row.name == "lr")
    assert "tune s" in found.columns() and (row.costs or {})["tune_seconds"] > 0
    assert "Options of lr were searched anew in each fold, on its training and dev parts alone" in found.table()
    assert reopen(found.folder).table() == found.table()
    other = {**SEARCHED, "tune": {**SEARCHED["tune"], "head.C": [0.001, 1, 10]}}
    assert hash_of(plan(read_comparison(spec)).jobs, "") != hash_of(
        plan(read_comparison({**spec, "pipelines": [other, BAYES]})).jobs, ""
    )
