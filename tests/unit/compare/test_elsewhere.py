"""Answers from elsewhere: aligned by id or order, checked, scored as a pipeline's are, and judged with them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import nlpipe
from nlpipe.cli.app import app
from nlpipe.compare.elsewhere import items_of, take_in
from nlpipe.datasets.dataset import Dataset
from nlpipe.datasets.load import load_dataset
from nlpipe.errors import DataError, NlpipeError, SpecError
from nlpipe.runs.result import Result
from nlpipe.spec import read_comparison
from nlpipe.spec.given_answers import AnswersSpec
from nlpipe.wire import Labels, LabelSets, Tags, Text

pytestmark = pytest.mark.usefixtures("unmeasured")

BAYES: dict[str, Any] = {"name": "bayes", "representation": "bow", "head": "naive_bayes"}


@pytest.fixture(scope="module")
def reviews() -> Dataset:
    return load_dataset("sample_reviews")


def wrote(path: Path, lines: list[Any]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def gold(dataset: Dataset) -> list[dict[str, Any]]:
    assert isinstance(dataset.test.targets, Labels)
    items = items_of(dataset.test.inputs)
    return [{**item, "predicted": label} for item, label in zip(items, dataset.test.targets.values, strict=True)]


def take(path: Path, dataset: Dataset) -> Result:
    return Result(
        take_in(AnswersSpec("theirs", str(path), {"latency_ms": 12.0, "price_per_1000": 0.4}), dataset, path.parent)
    )


def test_by_id_in_any_order_and_by_order_without_ids(reviews: Dataset, tmp_path: Path) -> None:
    answers = gold(reviews)
    other = next(label for label in reviews.labels if label != answers[0]["predicted"])
    answers[0]["predicted"] = other
    expected = 1 - 1 / len(answers)
    shuffled = take(wrote(tmp_path / "a.jsonl", answers[::-1]), reviews)
    ordered = take(wrote(tmp_path / "b.jsonl", [answer["predicted"] for answer in answers]), reviews)
    (tmp_path / "c.csv").write_text("predicted,id\n" + "".join(f"{a['predicted']},{a['id']}\n" for a in answers[::-1]))
    (tmp_path / "d.txt").write_text("".join(f"{a['predicted']}\n" for a in answers))
    for result in (shuffled, ordered, take(tmp_path / "c.csv", reviews), take(tmp_path / "d.txt", reviews)):
        assert result.score == pytest.approx(expected)
        assert result.costs == {"latency_p50_seconds": pytest.approx(0.012), "price_per_1000": 0.4}
        assert [record["gold"] for record in result.records()] == [*reviews.test.targets.values]  # type: ignore[union-attr]
    assert shuffled.folder != ordered.folder


def test_probabilities_give_the_scores_that_need_them(reviews: Dataset, tmp_path: Path) -> None:
    answers = [{**each, "probabilities": {each["predicted"]: 0.9}} for each in gold(reviews)]
    assert take(wrote(tmp_path / "a.jsonl", answers), reviews).scores["log_loss"] == pytest.approx(0.10536, abs=1e-4)
    for wrong, said in (
        ({"x": 0.5}, "there is a probability of 'x'"),
        ({reviews.labels[0]: 2}, "expected a number from 0"),
    ):
        with pytest.raises(DataError, match=said):
            take(wrote(tmp_path / "b.jsonl", [{**answers[0], "probabilities": wrong}, *answers[1:]]), reviews)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda answers: answers[:-1], "1 items have no answer"),
        (lambda answers: [*answers, answers[3]], "1 items are answered twice"),
        (lambda answers: [*answers[:-1], {**answers[-1], "id": "other"}], "1 items have no answer"),
        (
            lambda answers: [*answers, {"id": "other", "predicted": "x"}],
            "1 ids are not those of test items, the first 'other'",
        ),
        (lambda answers: [{"predicted": "x"}, *answers[1:]], r":1: no 'id', where other lines have one"),
        (
            lambda answers: [a["predicted"] for a in answers[:-1]],
            r"answers to \d+ test items; 'nlpipe export-items' writes",
        ),
        (
            lambda answers: [{"text": a["text"], "predicted": a["predicted"]} for a in answers[::-1]],
            "in another order, or to other data",
        ),
        (lambda answers: [{**a, "predicted": None} for a in answers], ":1: 'predicted' is None; expected a label"),
        (lambda answers: [{**a, "predicted": "no label"} for a in answers], "no answer is a label of sample_reviews"),
        (lambda answers: [], "0 answers to"),
    ],
)
def test_what_does_not_fit_is_refused(reviews: Dataset, tmp_path: Path, damage: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        take(wrote(tmp_path / "a.jsonl", damage(gold(reviews))), reviews)
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


def test_unknown_labels_are_wrong_and_told(reviews: Dataset, tmp_path: Path) -> None:
    answers = gold(reviews)
    answers[0]["predicted"] = answers[0]["predicted"].upper()
    result = take(wrote(tmp_path / "a.jsonl", answers), reviews)
    assert result.score < 1 and "did you mean" in result.ledger["warnings"][0]
    (tmp_path / "b.jsonl").write_bytes(b"\xff\xfe\n")
    with pytest.raises(DataError, match=r"b\.jsonl"):
        take(tmp_path / "b.jsonl", reviews)


def test_tags_and_entities_of_a_tagger(tmp_path: Path) -> None:
    dataset = load_dataset({**TAGGED, **_tagged(tmp_path)})
    assert isinstance(dataset.test.targets, Tags)
    items = list(items_of(dataset.test.inputs))
    assert items[0]["text"] == "Anna Smith sees Rome" and items[0]["words"] == ["Anna", "Smith", "sees", "Rome"]
    tags = [
        {"id": item["id"], "predicted": tags} for item, tags in zip(items, dataset.test.targets.values, strict=True)
    ]
    assert take(wrote(tmp_path / "a.jsonl", tags), dataset).score == 1
    spans = [
        {"start": 0, "end": 10, "label": "PER"},
        {"start": 16, "end": 20, "label": "LOC"},
        {"start": 1, "end": 3, "label": "LOC"},
    ]
    entities = [{"id": items[0]["id"], "entities": spans}, {"id": items[1]["id"], "entities": []}]
    result = take(wrote(tmp_path / "b.jsonl", entities), dataset)
    assert result.scores["recall"] == pytest.approx(2 / 3) and result.scores["precision"] == 1
    assert "1 entities of the answers do not end where words do" in result.ledger["warnings"][0]
    for wrong, said in (({"predicted": ["O"]}, "1 tags for 4 words"), ({"predicted": {}}, "expected a list of tags"),
                        ({"entities": [[0, 99, "PER"]]}, "not inside a text of 20 characters")):  # fmt: skip
        with pytest.raises(DataError, match=said):
            take(wrote(tmp_path / "c.jsonl", [{"id": items[0]["id"], **wrong}, tags[1]]), dataset)


TAGGED: dict[str, Any] = {"task": "tagging"}


def _tagged(folder: Path) -> dict[str, str]:
    text = "Anna B-PER\nSmith I-PER\nsees O\nRome B-LOC\n\nPeter B-PER\nsleeps O\n\n"
    files = {}
    for name in ("train", "dev", "test"):
        files[name] = str(folder / f"{name}.conll")
        Path(files[name]).write_text(text)
    return files


def test_translations(tmp_path: Path) -> None:
    for name in ("train", "dev", "test"):
        (tmp_path / f"{name}.tsv").write_text("source\ttarget\na house\tein Haus\na cat\teine Katze\n")
    files = {name: str(tmp_path / f"{name}.tsv") for name in ("train", "dev", "test")}
    dataset = load_dataset({"task": "translation", **files})
    assert isinstance(dataset.test.targets, Text)
    (tmp_path / "theirs.txt").write_text("ein Haus\neine Katze\n")
    assert take(tmp_path / "theirs.txt", dataset).scores["exact_match"] == 100


def test_they_are_a_row_with_the_same_verdict(reviews: Dataset, tmp_path: Path) -> None:
    wrote(tmp_path / "theirs.jsonl", gold(reviews))
    answers = {"predictions": "theirs.jsonl", "name": "a service", "costs": {"latency_ms": 900}}
    file = tmp_path / "c.yaml"
    file.write_text(json.dumps({"data": "sample_reviews", "pipelines": [BAYES, answers], "tolerance": 0.9}))
    found = nlpipe.compare(file, out=tmp_path / "runs")
    by_name = {row.name: row for row in found.rows}
    assert by_name["a_service"].score == 1 and by_name["a_service"].dev is None
    assert found.verdict is not None and set(found.verdict.qualifies) == {"bayes", "a_service"}
    assert found.chosen is by_name["bayes"] and found.facts.cost == "latency_ms"
    cells = dict(zip(found.columns(), found.as_table().lines[0].cells, strict=True))
    assert (cells["latency ms"], cells["fit s"], cells["memory MB"]) == ("900.0", "–", "–")


def test_faults_in_the_file_have_their_place(tmp_path: Path) -> None:
    text = "data: sample_reviews\npipelines:\n  - {predictions: no.jsonl, nam: x, costs: {latency: 3, memory_mb: -1}}\n"
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(SpecError) as caught:
        read_comparison(tmp_path / "c.yaml")
    said = str(caught.value)
    assert "c.yaml:3:19: pipelines[0].predictions: there is no file 'no.jsonl'" in said
    assert "no key 'nam'; did you mean 'name'?" in said and "no 'latency'; did you mean 'latency_ms'?" in said
    assert "costs.memory_mb: invalid value -1" in said
    (tmp_path / "a.jsonl").write_text("")
    (tmp_path / "c.yaml").write_text("data: sample_reviews\npipelines:\n  - {predictions: a.jsonl}\n")
    with pytest.raises(SpecError, match="answers from elsewhere alone; add a pipeline"):
        read_comparison(tmp_path / "c.yaml")


def test_items_are_written_without_their_answers(reviews: Dataset, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["export-items", "sample_reviews"])
    items = [json.loads(line) for line in done.stdout.splitlines()]
    assert items == list(items_of(reviews.test.inputs)) and set(items[0]) == {"id", "text"}
    file = tmp_path / "c.yaml"
    file.write_text(json.dumps({"data": "sample_reviews", "pipelines": [BAYES]}))
    done = CliRunner().invoke(app, ["export-items", str(file), "--out", str(tmp_path / "items.jsonl")])
    assert done.stdout.startswith(f"{len(items)} items") and len(
        (tmp_path / "items.jsonl").read_text().splitlines()
    ) == len(items)
    file.write_text(json.dumps({"pipelines": [BAYES]}))
    assert isinstance(CliRunner().invoke(app, ["export-items", str(file)]).exception, NlpipeError)


def test_items_of_a_card_and_of_a_comparison_whose_answers_are_not_there_yet(reviews: Dataset, tmp_path: Path) -> None:
    file, card = tmp_path / "c.yaml", tmp_path / "card.yaml"
    file.write_text(json.dumps({"data": "sample_reviews", "pipelines": [BAYES, {"predictions": "none.jsonl"}]}))
    (tmp_path / "d.csv").write_text("text,label\n" + "".join(f"text {i},{'ab'[i % 2]}\n" for i in range(40)))
    card.write_text("task: classification\ntrain: d.csv\n")
    for asked, count in ((file, len(reviews.test)), (card, 4)):
        done = CliRunner().invoke(app, ["export-items", str(asked)])
        assert len(done.stdout.splitlines()) == count, done.stdout
    with pytest.raises(SpecError, match=r"there is no file 'none\.jsonl'"):
        read_comparison(file)


def test_sets_of_labels_in_lists_tables_and_lines(tmp_path: Path) -> None:
    rows = [{"text": f"text {i}", "labels": [["a"], ["a", "b c"], []][i % 3]} for i in range(90)]
    wrote(tmp_path / "d.jsonl", rows)
    data = load_dataset({"task": "multilabel", "train": "d.jsonl"}, tmp_path)
    assert isinstance(data.test.targets, LabelSets)
    sets = data.test.targets.values
    wrote(tmp_path / "a.jsonl", [{"predicted": own} for own in sets])
    (tmp_path / "b.csv").write_text("predicted,n\n" + "".join(f"{'|'.join(own)},1\n" for own in sets))
    with (tmp_path / "c.csv").open("w") as file:  # as nlpipe predict writes them
        csv.writer(file).writerows([["predicted", "n"], *([json.dumps(own), "1"] for own in sets)])
    for name in ("a.jsonl", "b.csv", "c.csv"):
        assert take(tmp_path / name, data).scores["subset_accuracy"] == 1.0
    wrote(tmp_path / "e.jsonl", [{"predicted": [*own, "x"]} for own in sets])
    found = take(tmp_path / "e.jsonl", data)
    assert found.scores["subset_accuracy"] == 0 and found.scores["recall_micro"] == 1
    assert f"{len(sets)} answers have the label 'x', which is unknown" in str(
        json.loads((found.folder / "ledger.json").read_text())
    )
    for wrong, said in (
        ([{"predicted": ["x"]}] * len(sets), "no answer is a label of d, the first 'x'; the labels are a, b c"),
        ([{"answer": own} for own in sets], r":1: 'predicted' is None; expected a list of labels"),
        ([{"predicted": {"a": 1}} for _ in sets], "expected a list of labels"),
    ):
        with pytest.raises(DataError, match=said):
            take(wrote(tmp_path / "f.jsonl", wrong), data)


def test_the_folder_of_a_run_is_a_row_with_its_costs(tmp_path: Path) -> None:
    run = nlpipe.run({**BAYES, "data": "sample_reviews"}, out=tmp_path / "before")
    file = tmp_path / "compare.yaml"
    file.write_text(
        "data: sample_reviews\npipelines:\n"
        "  - {name: other, representation: bow, head: {name: naive_bayes, alpha: 2.0}}\n"
        f"  - {{predictions: {run.folder}, name: earlier, costs: {{latency_ms: 7}}}}\n"
    )
    found = nlpipe.compare(file, out=tmp_path / "runs")
    row = {row.name: row for row in found.rows}["earlier"]
    assert row.score == pytest.approx(run.score)
    assert row.costs["latency_p50_seconds"] == pytest.approx(0.007)
    assert row.costs["texts_per_second"] == pytest.approx(run.costs["texts_per_second"])
    assert row.costs["fit_seconds"] == pytest.approx(run.costs["fit_seconds"])


def test_a_folder_without_answers_is_no_row(tmp_path: Path) -> None:
    file = tmp_path / "compare.yaml"
    file.write_text(f"data: sample_reviews\npipelines: [{{predictions: {tmp_path}}}]\n")
    with pytest.raises(
        SpecError, match=r"there is no file 'predictions.jsonl' in .*; name a file, or the folder of a fin"
    ):
        read_comparison(file)
