"""``tune:`` in pipeline and comparison files: what is read, and every fault with its place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nlpipe.errors import SpecError
from nlpipe.spec import json_schema, read_comparison, read_pipeline
from nlpipe.spec.search_space import Choices, Range
from nlpipe.spec.tune import names_to_try, own_settings, with_settings

FILE = """\
data: sample_reviews
representation: tfidf
head: logistic_regression
tune:
"""


def write(folder: Path, tune: str, name: str = "p.yaml") -> Path:
    path = folder / name
    path.write_text(FILE + tune)
    return path


def faults(folder: Path, tune: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        read_pipeline(write(folder, tune))
    return [line.removeprefix(f"{folder}/") for line in str(caught.value).splitlines()]


def test_ranges_and_choices(tmp_path: Path) -> None:
    text = """\
  trials: 7
  head: {C: [0.01, 100, log]}
  representation.ngrams: [[1, 1], [1, 2]]
  representation.min_count: [1, 32, log]
  head.max_iter: [100, 300, int]
  head.l1_ratio: [0, 1, linear]
  representation.max_count: [0.5, 1.0]
"""
    spec = read_pipeline(write(tmp_path, text))
    assert spec.tune is not None
    assert spec.tune.trials == 7
    assert {axis.key: axis.domain for axis in spec.tune.axes} == {
        "head.C": Range(0.01, 100, "log"),
        "representation.ngrams": Choices(([1, 1], [1, 2])),
        "representation.min_count": Range(1, 32, "log", integers=True),
        "head.max_iter": Range(100, 300, "linear", integers=True),
        "head.l1_ratio": Range(0, 1, "linear"),
        "representation.max_count": Choices((0.5, 1.0)),
    }
    assert spec.tune.size is None


def test_every_fault_has_its_place(tmp_path: Path) -> None:
    text = """\
  trials: 0
  head.D: [0.01, 100, log]
  head.tolerence: [0.01, 0.1]
  head.C: [0.01, x, -1]
  representation.min_count: [5, 1, int]
  representation.max_count: [0, 1, log]
  seed: [1, 2]
  representation.norm: l2
  head.max_iter: [100, 200, lgo]
"""
    said = faults(tmp_path, text)
    assert said[0] == "p.yaml:5:11: tune.trials: invalid value 0: expected a positive integer"
    assert said[1].startswith("p.yaml:6:3: tune.head.D: logistic_regression has no option 'D'; known: C,")
    assert said[2] == (
        "p.yaml:7:3: tune.head.tolerence: logistic_regression has no option 'tolerence'; did you mean 'tolerance'?"
    )
    assert said[3] == "p.yaml:8:18: tune.head.C: invalid value 'x': expected a positive number"
    assert said[4] == "p.yaml:8:21: tune.head.C: invalid value -1: expected a positive number"
    assert said[5] == (
        "p.yaml:9:29: tune.representation.min_count: the range ends at 1, which is not above its start 5"
    )
    assert said[6] == "p.yaml:10:29: tune.representation.max_count: a range with 'log' starts above 0, not at 0"
    assert said[7].startswith("p.yaml:11:3: tune.seed: 'seed' is not an option that can be searched")
    assert said[8].startswith("p.yaml:12:24: tune.representation.norm: invalid value 'l2': expected a range")
    assert said[9] == (
        "p.yaml:13:29: tune.head.max_iter: invalid value 'lgo': expected a positive integer; did you mean 'log'?"
    )
    assert len(said) == 10


@pytest.mark.parametrize(
    ("tune", "message"),
    [
        ("  trials: 3\n", "4:1: tune: nothing to search"),
        ("  head: [majority, naive_bayes]\n  head.C: [1, 2]\n", "'head.C' is part of 'head', which is searched too"),
        ("  head.C: [1, 2, 1]\n", "5:18: tune.head.C: the value 1 is given twice"),
        ("  head.C: [1.5, 9, int]\n", "a range with 'int' needs integers as its ends"),
        ("  [1]\n", "tune: invalid value [1]: expected a mapping"),
    ],
)
def test_searches_that_make_no_sense(tmp_path: Path, tune: str, message: str) -> None:
    assert message.replace("4:1", "5:3") in "\n".join(faults(tmp_path, tune))


def test_faults_of_the_file_itself_are_told_once(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("data: sample_reviews\nrepresentation: tfidf\nhead: {name: logistic_regression, C: x}\n"
                    "tune: {representation.min_count: [1, 2]}\n")  # fmt: skip
    with pytest.raises(SpecError) as caught:
        read_pipeline(path)
    assert len(caught.value.faults) == 1


def test_an_overridden_option_is_not_searched(tmp_path: Path) -> None:
    path = write(tmp_path, "  head.C: [1, 2]\n  head.max_iter: [100, 200]\n")
    spec = read_pipeline(path, ["head.C=5", "tune.trials=3"])
    assert spec.tune is not None
    assert [axis.key for axis in spec.tune.axes] == ["head.max_iter"]
    assert spec.tune.trials == 3


def test_a_run_is_the_same_with_and_without_tune(tmp_path: Path) -> None:
    tuned, plain = read_pipeline(write(tmp_path, "  head.C: [1, 2]\n")), read_pipeline(write(tmp_path, "  null\n"))
    assert tuned == plain
    assert tuned.resolved() == plain.resolved()


def test_settings_are_put_in(tmp_path: Path) -> None:
    spec = read_pipeline(
        write(tmp_path, "  head: [logistic_regression, naive_bayes]\n  tokenizer.lowercase: [true, false]\n")
    )
    assert spec.tune is not None
    assert own_settings(spec, spec.tune) == {"head": "logistic_regression", "tokenizer.lowercase": True}
    other = with_settings(spec, {"head": "naive_bayes", "tokenizer.lowercase": False})
    assert other.stages[-1].name == "naive_bayes"
    assert other.stages[0].options["lowercase"] is False
    assert other.tune is None
    outside = replace(
        spec.tune, axes=tuple(replace(a, domain=Choices(("nbsvm", "majority"))) for a in spec.tune.axes[:1])
    )
    assert own_settings(spec, outside) is None
    stronger = with_settings(spec, {"head": {"name": "logistic_regression", "C": 7}})
    assert own_settings(stronger, spec.tune) is None  # a bare name is the stage with its defaults


def test_a_search_as_plain_data_reads_as_the_same_search(tmp_path: Path) -> None:
    searched = "head.C: [0.1, 10, log], representation.ngrams: [[1, 1], [1, 2]], head.max_iter: [10, 1000, log]"
    searched += ", representation.min_count: [1, 5, int], head.tolerance: [0.1, 1, linear]"
    spec = read_pipeline(write(tmp_path, f"  {{trials: 3, folds: 4, {searched}}}\n"))
    assert spec.tune is not None
    again = read_pipeline({**spec.resolved(), "tune": spec.tune.plain()})
    assert again.tune == spec.tune
    assert str(spec.tune).startswith("3 trials in 4 folds over ")
    assert spec.tune.fits == 12


def test_stages_that_only_a_search_tries_are_known(tmp_path: Path) -> None:
    spec = read_pipeline(
        write(tmp_path, "  head: [naive_bayes, {name: nbsvm, C: 1}]\n  tokenizer: [regex, characters]\n")
    )
    names = names_to_try(spec)
    assert {("head", "naive_bayes"), ("head", "nbsvm"), ("tokenizer", "characters")} <= names


def test_folds_of_a_pipeline_belong_elsewhere(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"folds: a pipeline has no key 'folds'; 'tune: \{folds: ...\}' scores"):
        read_pipeline(write(tmp_path, "  {head.C: [1, 2]}\nfolds: 3\n"))
    assert faults(tmp_path, "  {folds: 1, head.C: [1, 2]}\n")[0].startswith("p.yaml:5:11: tune.folds: invalid value 1")


def test_pipelines_of_a_comparison_have_as_many_trials(tmp_path: Path) -> None:
    write(tmp_path, "  {trials: 3, head.C: [1, 2]}\n", "a.yaml")
    write(tmp_path, "  {trials: 9, folds: 4, head.C: [1, 2]}\n", "b.yaml")
    write(tmp_path, "  null\n", "c.yaml")
    comparison = tmp_path / "all.yaml"
    for text, trials, folds in (
        ("", 9, 4),
        ("tune: {trials: 4, folds: 2}\n", 4, 2),
        ("tune: {folds: null}\n", 9, None),
    ):
        comparison.write_text(f"pipelines: [a.yaml, b.yaml, c.yaml]\n{text}")
        pipelines = read_comparison(comparison).pipelines
        budgets = [spec.tune and (spec.tune.trials, spec.tune.folds) for spec in pipelines]
        assert budgets == [(trials, folds), (trials, folds), None]
    comparison.write_text("pipelines: [a.yaml]\ntune: {head.C: [1, 2]}\n")
    with pytest.raises(SpecError, match=r"all.yaml:2:8: tune.head.C: a comparison sets 'trials' and 'folds' alone"):
        read_comparison(comparison)


def test_the_schema_knows_it() -> None:
    import jsonschema

    def valid(tune: object) -> bool:
        file = {"head": "majority", "tune": tune}
        return bool(jsonschema.Draft202012Validator(json_schema()).is_valid(file))

    assert valid({"trials": 3, "folds": 5, "head.C": [0.01, 100, "log"], "representation": ["bow", "tfidf"]})
    assert not valid({"trials": 0})
    assert not valid({"folds": 1})
    assert not valid({"seed": [1, 2]})
    assert not valid({"head.C": 3})
