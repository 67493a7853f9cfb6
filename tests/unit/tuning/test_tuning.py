"""The search: the same each time, resumed after a kill, fair about failures, and never near the test split."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

import nlpipe
from nlpipe.cli.app import app
from nlpipe.datasets.dataset import Dataset
from nlpipe.datasets.folds import inner_folds
from nlpipe.datasets.load import load_dataset
from nlpipe.errors import DataError, NlpipeError
from nlpipe.spec import read_pipeline
from nlpipe.training.history import Epoch
from nlpipe.tuning import search as search_module
from nlpipe.tuning import study as study_module
from nlpipe.tuning.search import Tuned, tune, tuned, tuned_before
from nlpipe.tuning.summary import as_table, what_mattered
from nlpipe.tuning.trial import Scored

FILE = {
    "name": "reviews",
    "data": "sample_reviews",
    "representation": "tfidf",
    "head": "logistic_regression",
    "tune": {"trials": 12, "head.C": [0.01, 100, "log"], "representation.ngrams": [[1, 1], [1, 2]]},
}


@pytest.fixture(scope="module")
def data() -> Dataset:
    return load_dataset("sample_reviews")


def settings(result: Tuned) -> list[Any]:
    return [(trial.settings, trial.score, trial.state) for trial in result.trials]


def fake(monkeypatch: pytest.MonkeyPatch, score: Any) -> list[Any]:
    """Score each pipeline by ``score`` instead of fitting it; the specs that were scored."""
    scored: list[Any] = []

    def instead(spec: Any, data: Any, report: Any, after_epoch: Any) -> Scored:
        scored.append(spec)
        return Scored(score(spec), 1.5, 0, ())

    monkeypatch.setattr(search_module, "fit_and_score", instead)
    return scored


def regularisation(spec: Any) -> float:
    return float(spec.stages[-1].options["C"])


class Untouchable:
    """A split that must not be read."""

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(f"the test split was read: {name}")

    def __len__(self) -> int:
        raise AssertionError("the test split was read")


def test_a_search_is_repeatable_and_never_reads_the_test_split(data: Dataset, tmp_path: Path) -> None:
    spec = read_pipeline(FILE)
    sealed = replace(data, test=Untouchable())  # type: ignore[arg-type]
    first = tune(spec, sealed, tmp_path / "a", trials=4)
    second = tune(spec, sealed, tmp_path / "b", trials=4)
    assert settings(first) == settings(second)
    assert first.spec == second.spec
    assert first.trials[0].settings == {"head.C": 1.0, "representation.ngrams": [1, 1]}  # the file's own
    best = max(trial.score for trial in first.trials if trial.score is not None)
    assert first.best.score == best

    # the score that it reports is that of its pipeline, fitted by other means
    fitted = nlpipe.load(first.folder / "tuned.yaml").fit(data.train.inputs, data.train.targets)
    answers = fitted.predict(data.dev.inputs).values.values
    assert np.mean(np.array(answers) == np.array(data.dev.targets.values)) == pytest.approx(best)
    assert read_pipeline(first.folder / "tuned.yaml") == first.spec
    told = (first.folder / "tuned.yaml").read_text()
    assert "# nlpipe tune: 4 trials" in told
    assert f"{best:.4f} on dev" in told


def test_another_seed_gives_other_trials(monkeypatch: pytest.MonkeyPatch, data: Dataset, tmp_path: Path) -> None:
    fake(monkeypatch, regularisation)
    spec = read_pipeline(FILE)
    assert settings(tune(spec, data, tmp_path)) != settings(tune(replace(spec, seed=14), data, tmp_path))


def test_a_killed_search_goes_on_as_if_it_had_not_been(
    monkeypatch: pytest.MonkeyPatch, data: Dataset, tmp_path: Path
) -> None:
    spec = read_pipeline(FILE)
    scored = fake(monkeypatch, lambda spec: -abs(np.log(regularisation(spec) / 3)))
    whole = tune(spec, data, tmp_path / "whole")
    assert len(scored) == 12

    def killed(spec: Any) -> float:
        if len(scored) % 4 == 0:
            raise KeyboardInterrupt
        return float(-abs(np.log(regularisation(spec) / 3)))

    scored = fake(monkeypatch, killed)
    for _ in range(10):
        try:
            resumed = tune(spec, data, tmp_path / "killed")
        except KeyboardInterrupt:
            journal = next((tmp_path / "killed").glob("tune-*/journal.jsonl"))
            with journal.open("a") as file:
                file.write('{"op_code": 4, "half a li')
            (journal.parent / "journal.jsonl.lock").symlink_to(journal)
            continue
        break
    assert settings(resumed) == settings(whole)
    assert resumed.spec == whole.spec
    assert sum(trial.fit_seconds for trial in resumed.trials) == 12 * 1.5 == resumed.fit_seconds
    again = len(scored)
    assert tune(spec, data, tmp_path / "killed").trials == resumed.trials
    assert len(scored) == again
    assert len(tune(spec, data, tmp_path / "killed", trials=5).trials) == 5


def test_a_journal_that_cannot_be_written_keeps_the_trials(
    monkeypatch: pytest.MonkeyPatch, data: Dataset, tmp_path: Path
) -> None:
    scored = fake(monkeypatch, regularisation)
    spec, tell = read_pipeline(FILE), study_module.Study.tell

    def full(self: Any, *arguments: Any) -> None:
        if len(scored) == 3:
            raise OSError(28, "No space left on device")  # as Optuna gives it, without the file's name
        tell(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(study_module.Study, "tell", full)
        with pytest.raises(NlpipeError, match=r"journal.jsonl: No space .*; the trials that have ended are kept"):
            tune(spec, data, tmp_path)
    said: list[str] = []
    assert len(tune(spec, data, tmp_path, report=said.append).trials) == 12
    assert said[0] == "2 trials done before: going on from there"


def test_it_finds_better_values_than_chance(monkeypatch: pytest.MonkeyPatch, data: Dataset, tmp_path: Path) -> None:
    """On a smooth score with its maximum at C = 3; random search needs luck to come as near in 30 trials."""
    fake(monkeypatch, lambda spec: -abs(np.log(regularisation(spec) / 3)))
    result = tune(read_pipeline(FILE), data, tmp_path, trials=30)
    assert abs(np.log(regularisation(result.spec) / 3)) < 0.15
    # a draw that is even on the log scale is ((ln 300)² + (ln 100/3)²) / (2 ln 10⁴) = 2.43 away on average
    proposed = [abs(np.log(trial.settings["head.C"] / 3)) for trial in result.trials[15:]]
    assert np.mean(proposed) < 0.7 * 2.43
    assert result.importances["head.C"] > 0.8
    assert sum(result.importances.values()) == pytest.approx(1.0)
    assert what_mattered(result).startswith("what mattered (share): head.C")


def test_few_choices_are_each_tried_once(monkeypatch: pytest.MonkeyPatch, data: Dataset, tmp_path: Path) -> None:
    scored = fake(monkeypatch, regularisation)
    file = FILE | {"tune": {"head.C": [1, 3, 10], "representation.ngrams": [[1, 1], [1, 2]]}}
    result = tune(read_pipeline(file), data, tmp_path)
    assert len(scored) == len(result.trials) == 6
    assert {json.dumps(trial.settings) for trial in result.trials} == {
        json.dumps({"head.C": c, "representation.ngrams": n}) for c in (1, 3, 10) for n in ([1, 1], [1, 2])
    }
    assert result.spec.stages[-1].options["C"] == 10


def test_repeated_values_are_not_fitted_again(monkeypatch: pytest.MonkeyPatch, data: Dataset, tmp_path: Path) -> None:
    scored = fake(monkeypatch, regularisation)
    file = FILE | {"tune": {"trials": 3, "head.C": [1, 2], "head.max_iter": [100, 101, "int"]}}
    result = tune(read_pipeline(file), data, tmp_path, trials=25)
    assert len(result.trials) == 25
    assert len(scored) <= 4
    assert {trial.fit_seconds for trial in result.trials if trial.repeats is not None} == {0.0}
    assert result.fit_seconds == 1.5 * len(scored)


def test_a_failed_trial_is_a_line(monkeypatch: pytest.MonkeyPatch, data: Dataset, tmp_path: Path) -> None:
    def score(spec: Any) -> float:
        if regularisation(spec) > 1:
            raise NlpipeError("too large")
        return regularisation(spec)

    fake(monkeypatch, score)
    lines: list[str] = []
    result = tune(read_pipeline(FILE), data, tmp_path, report=lines.append)
    failed = [trial for trial in result.trials if trial.state == "failed"]
    assert 0 < len(failed) < 12
    assert {trial.error for trial in failed} == {"too large"}
    assert sum("failed: too large" in text for text in lines) == len(failed)
    assert f"{len(failed)} failed" in as_table(result).caption
    assert [json.loads(text)["state"] for text in (result.folder / "trials.jsonl").read_text().splitlines()] == [
        trial.state for trial in result.trials
    ]


def test_only_failures_are_an_error(monkeypatch: pytest.MonkeyPatch, data: Dataset, tmp_path: Path) -> None:
    def score(spec: Any) -> float:
        raise NlpipeError("no such thing")

    fake(monkeypatch, score)
    with pytest.raises(NlpipeError, match=r"all 12 trials failed: no such thing$"):
        tune(read_pipeline(FILE), data, tmp_path)
    assert not list(tmp_path.glob("tune-*/tuned.yaml"))


def test_a_score_of_which_less_is_better(monkeypatch: pytest.MonkeyPatch, data: Dataset, tmp_path: Path) -> None:
    fake(monkeypatch, regularisation)
    monkeypatch.setattr(search_module, "primary_score", lambda dataset: ("loss", False))
    result = tune(read_pipeline(FILE), data, tmp_path)
    assert result.best.score == min(trial.score for trial in result.trials if trial.score is not None)
    assert float(as_table(result).lines[0].cells[1]) == pytest.approx(result.best.score, abs=1e-4)


def test_without_tune_nothing_is_searched(data: Dataset, tmp_path: Path) -> None:
    spec = read_pipeline({key: value for key, value in FILE.items() if key != "tune"})
    assert tuned(spec, data, tmp_path) is spec
    with pytest.raises(NlpipeError, match="no 'tune' in this file"):
        tune(spec, data, tmp_path)


NEURAL = {
    "name": "neural", "data": "sample_reviews", "representation": {"name": "embedding", "dim": 4}, "encoder": "mean",
    "head": "classifier", "trainer": {"epochs": 4, "device": "cpu"},
    "tune": {"trials": 8, "trainer.lr": [0.0001, 0.1, "log"]},
}  # fmt: skip


def test_trainings_below_the_median_are_stopped(monkeypatch: pytest.MonkeyPatch, data: Dataset, tmp_path: Path) -> None:
    def instead(spec: Any, data: Any, report: Any, after_epoch: Any) -> Scored:
        lr = spec.trainer["lr"]
        for epoch in range(1, 5):
            after_epoch(Epoch(epoch, 1, 0.5, lr * epoch, lr, 0.1, 1, 1.0, 1.0, 0))
        return Scored(lr * 4, 1.5, 4, ())

    monkeypatch.setattr(search_module, "fit_and_score", instead)
    result = tune(read_pipeline(NEURAL), data, tmp_path, trials=16)
    whole: list[float] = []
    for trial in (
        result.trials
    ):  # the median rule, by hand: after epoch 2, among trials that were not stopped, five of them at least
        lr = trial.settings["trainer.lr"]
        stopped = len(whole) >= 5 and lr * 2 < np.median(whole) * 2
        whole += [] if stopped else [lr]
        assert (trial.state, trial.epochs) == (("pruned", 2) if stopped else ("complete", 4))
        assert trial.score == pytest.approx(lr * trial.epochs)
    assert {trial.state for trial in result.trials} == {"pruned", "complete"}
    assert "stopped early" in as_table(result).caption


def test_epochs_are_told_to_the_search(monkeypatch: pytest.MonkeyPatch, data: Dataset, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr(
        study_module, "is_worse_than_most", lambda trial, epoch, score: trial.number == 1 and epoch == 2
    )
    result = tune(read_pipeline(NEURAL), data, tmp_path, trials=2)
    first, second = result.trials
    assert (first.state, first.epochs) == ("complete", 4)
    assert (second.state, second.epochs) == ("pruned", 2)
    assert second.fit_seconds > 0
    assert second.score is not None
    assert result.best == first


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("p.yaml").write_text(
        "data: sample_reviews\nrepresentation: bow\nhead: naive_bayes\ntune: {head.alpha: [0.5, 1, 2]}\n"
    )
    done = CliRunner().invoke(app, ["tune", "p.yaml"])
    assert done.exit_code == 0, done.output
    written = Path(done.stdout.splitlines()[-1])
    assert written.name == "tuned.yaml"
    assert "head.alpha" in done.stderr
    assert read_pipeline(written).name == "p"
    ran = CliRunner().invoke(app, ["run", "p.yaml"])
    assert "the file's own values are run; 'nlpipe tune' searches" in ran.stderr
    assert "tune: 20 trials over head.alpha (3 values)" in CliRunner().invoke(app, ["check", "p.yaml"]).stdout


def test_a_run_does_not_load_optuna() -> None:
    code = (
        "import nlpipe, sys; nlpipe.load({'data': 'sample_reviews', 'representation': 'bow', 'head': 'naive_bayes'});"
    )
    code += "import nlpipe.cli.app; print('optuna' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_the_example_of_the_documentation_is_a_search() -> None:
    text = (Path(__file__).parents[3] / "docs" / "tuning.md").read_text(encoding="utf-8")
    program = text.partition("```yaml\n")[2].partition("```")[0]
    spec = read_pipeline(yaml.safe_load(program))
    assert spec.tune is not None
    assert str(spec.tune).startswith("20 trials over head.C (0.01 to 100, log); representation.min_count (1 to 5,")


def test_without_optuna_the_extra_is_named(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("data: sample_reviews\nrepresentation: bow\nhead: naive_bayes\ntune: {head.alpha: [0.5, 1]}\n")
    code = f"import sys; sys.modules['optuna'] = None; sys.argv = ['nlpipe', 'tune', {str(file)!r}]; "
    code += "import nlpipe.__main__; nlpipe.__main__.main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2
    assert "nlpipe tune needs the package 'optuna', which is not installed; pip install \"nlpipe[tune]\"" in done.stderr


def test_trials_are_scored_in_folds_of_training_and_dev(tmp_path: Path, data: Dataset) -> None:
    spec = read_pipeline(FILE, ["tune.folds=3"])
    sealed = replace(data, test=Untouchable())  # type: ignore[arg-type]
    result = tune(spec, sealed, tmp_path, trials=2)
    own = next(trial for trial in result.trials if trial.number == 1)
    scores, seen = [], 0
    for fold in inner_folds(sealed, 3):  # by other means: fit on the rest of each fold, and score it
        answers = nlpipe.load(FILE).fit_split(fold.train, fold.dev).predict(fold.test.inputs).values.values
        scores.append(np.mean(np.array(answers) == np.array(fold.test.targets.values)))
        seen += len(fold.test)
    assert own.score == pytest.approx(np.mean(scores))
    assert seen == len(data.train) + len(data.dev)
    assert "in 3 folds" in (result.folder / "tuned.yaml").read_text()
    assert as_table(result).headings[1] == "accuracy in 3 folds"
    again = tune(spec, sealed, tmp_path, trials=2)
    assert again.trials == result.trials
    assert tune(read_pipeline(FILE), sealed, tmp_path, trials=1).folder != result.folder
    assert tuned_before(replace(spec, tune=replace(spec.tune, trials=2)), sealed, tmp_path) == result.spec  # type: ignore[type-var]
    assert tuned_before(spec, sealed, tmp_path) is None  # it has more trials
    with pytest.raises(DataError, match="too few for 100 folds"):
        tune(read_pipeline(FILE, ["tune.folds=100"]), replace(data, train=data.train.take(range(40))), tmp_path)
