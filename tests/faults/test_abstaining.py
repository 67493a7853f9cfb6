"""Answers below a threshold say that they are unsure, and a threshold is chosen on dev or refused with a reason."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

from nlpipe.runs.abstention import find_threshold
from nlpipe.runs.result import Result
from tests.commands import complaint, nlpipe
from tests.unit.runs.finished_runs import finished_runs

TEXTS = ("a wonderful and moving film", "the film is")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    return finished_runs(tmp_path_factory.mktemp("runs"))


def answered(*words: object) -> str:
    done = nlpipe("predict", *words)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def test_an_answer_that_is_not_sure_enough_says_so(runs: dict[str, Result]) -> None:
    run = runs["classes"].folder
    records = [json.loads(line) for line in answered(run, *TEXTS, "--format", "jsonl").splitlines()]
    sure = [record["score"] for record in records]
    assert sure[0] != sure[1]
    between = sum(sure) / 2
    lines = answered(run, *TEXTS, "--threshold", between).splitlines()
    assert [line.split("\t")[0] == "unsure" for line in lines] == [value < between for value in sure]
    assert all(
        float(line.split("\t")[1]) == pytest.approx(value, abs=1e-4) for line, value in zip(lines, sure, strict=True)
    )
    marked = [
        json.loads(line) for line in answered(run, *TEXTS, "--threshold", between, "--format", "jsonl").splitlines()
    ]
    assert [each["unsure"] for each in marked] == [value < between for value in sure]
    assert [each["confidence"] for each in marked] == sure
    assert [each["predicted"] for each in marked] == [each["predicted"] for each in records]
    rows = list(csv.DictReader(io.StringIO(answered(run, *TEXTS, "--threshold", between, "--format", "csv"))))
    assert [row["unsure"] for row in rows] == [json.dumps(value < between) for value in sure]


def test_the_least_and_the_largest_threshold(runs: dict[str, Result]) -> None:
    run = runs["classes"].folder
    assert "unsure" not in answered(run, *TEXTS, "--threshold", 0)
    assert answered(run, *TEXTS, "--threshold", 1).count("unsure") == 2


@pytest.mark.parametrize("value", ["1.5", "-0.1", "nan"])
def test_a_threshold_out_of_range_is_refused(runs: dict[str, Result], value: str) -> None:
    said = complaint("predict", runs["classes"].folder, "x", f"--threshold={value}")
    assert f"--threshold: invalid value {value}" in said and "from 0 to 1" in said


def test_a_head_without_probabilities_has_no_confidence(runs: dict[str, Result]) -> None:
    run = runs["entities"].folder
    assert "'perceptron' gives no probabilities" in complaint("predict", run, "x", "--threshold", 0.5)
    assert "gives no probabilities, so that its answers have no confidence; choose another head" in complaint(
        "threshold", run, "--accuracy", 0.9
    )


def test_forms_that_cannot_say_unsure_are_refused(runs: dict[str, Result]) -> None:
    said = complaint("predict", runs["entities"].folder, "x", "--threshold", 0.5, "--format", "conll")
    assert "not for --format conll" in said


def test_translations_are_not_right_or_wrong(runs: dict[str, Result]) -> None:
    run = runs["texts"].folder
    assert "texts, which are not right or wrong" in complaint("threshold", run, "--accuracy", 0.9)
    assert answered(run, "xyzzy", "--threshold", 1).startswith("unsure\t")


def with_dev(folder: Path, run: Path, right: list[bool], confidence: list[float]) -> Path:
    """A copy of a run whose answers to dev and test have these confidences."""
    shutil.copytree(run, folder)
    for name in ("predictions.jsonl", "predictions_dev.jsonl"):
        lines = [
            json.dumps(
                {"id": str(i), "gold": "positive", "predicted": "positive" if good else "negative", "score": sure}
            )
            for i, (good, sure) in enumerate(zip(right, confidence, strict=True))
        ]
        (folder / name).write_text("\n".join(lines) + "\n")
    return folder


def test_a_threshold_for_an_accuracy(runs: dict[str, Result], tmp_path: Path) -> None:
    """Of 1,000 answers the surest 700 are right, the others are not."""
    confidence = [0.2 + 0.0008 * i for i in range(1000)]
    run = with_dev(tmp_path / "run", runs["classes"].folder, [i >= 300 for i in range(1000)], confidence)
    found = find_threshold(run, 0.95)
    assert found.chosen is not None and found.chosen.bound >= 0.95
    assert found.chosen.coverage == 0.7 and found.test is not None and found.test.right == 700
    said = nlpipe("threshold", run, "--accuracy", 0.95).stdout.decode().splitlines()
    assert said[0] == f"threshold {found.chosen.threshold:g}"
    assert [line.split(":")[0] for line in said[1:]] == ["dev", "bound", "test", "note"]
    assert "700 of 1,000 answers (70.0%) reach it" in said[1] and "95 % for the 20 thresholds tried together" in said[2]


def test_an_accuracy_that_is_not_reached_says_how_many_items_would_do(runs: dict[str, Result], tmp_path: Path) -> None:
    run = with_dev(tmp_path / "few", runs["classes"].folder, [True] * 30, [0.9] * 30)
    said = nlpipe("threshold", run, "--accuracy", 0.95)
    assert said.returncode == 0 and said.stdout.startswith(b"no threshold: none of 20 on 30 dev items")
    assert b"about 117 dev items would be needed" in said.stdout  # 0.95 ** 117 < 0.05 / 20 < 0.95 ** 116
    wrong = with_dev(tmp_path / "wrong", runs["classes"].folder, [False] * 30, [0.9] * 30)
    assert b"no number of items would do" in nlpipe("threshold", wrong, "--accuracy", 0.95).stdout


@pytest.mark.parametrize("options", [("--accuracy", 1), ("--accuracy", 0), ("--accuracy", 0.9, "--confidence", 95)])
def test_shares_out_of_range_are_refused(runs: dict[str, Result], options: tuple[object, ...]) -> None:
    assert "expected a number above 0 and below 1" in complaint("threshold", runs["classes"].folder, *options)


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    assert "no such folder" in complaint("threshold", tmp_path / "none", "--accuracy", 0.9)
