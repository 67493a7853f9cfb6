"""Further labelled examples: read as training read its own, scored as the run was, and the run left as it is."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import nlpipe
from nlpipe.datasets.labelled import Changes
from nlpipe.datasets.load import load_dataset
from nlpipe.errors import NlpipeError
from nlpipe.runs import costs
from nlpipe.runs.evaluate import evaluate
from nlpipe.runs.listing import latest_run, list_runs
from nlpipe.runs.result import Result
from tests.commands import complaint
from tests.commands import nlpipe as command
from tests.unit.runs.finished_runs import PIPELINES, USE
from tests.unit.runs.user_programs import STAGES

TEXTS = [
    ("a warm and funny film", "positive"), ("a cold and clumsy film", "negative"), ("stale bread", "positive"),
    ("rich soup", "positive"), ("thin soup", "negative"), ("we will be back", "negative"),
]  # fmt: skip


def write_csv(path: Path, rows: list[tuple[str, str]], header: tuple[str, str] = ("text", "label")) -> str:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return str(path)


def content(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("name", list(PIPELINES))
def test_the_test_split_of_the_card_scores_as_in_the_run(runs: dict[str, Result], tmp_path: Path, name: str) -> None:
    run = runs[name]
    before = content(run.folder)
    done = evaluate(run.folder, f"{run.environment['data']}:test", tmp_path / "again")
    assert content(run.folder) == before
    assert done.metrics["scores"] == run.scores == done.before["scores"]
    again = Result(tmp_path / "again")
    assert (again.folder / "items.safetensors").read_bytes() == (run.folder / "items.safetensors").read_bytes()
    assert [line["id"] for line in again.records()] == [line["id"] for line in run.records()]
    metric, items = again.primary_items()
    assert metric.of(items)[again.metrics["primary"]] == run.score
    assert again.environment["evaluated"] == str(run.folder)
    assert again.metrics["split"] == "evaluation" and "dev" not in again.metrics
    assert again.ledger["evaluation"]["counts"]["examples"] == done.examples == len(list(run.records()))
    (listed,) = list_runs(again.folder)
    assert (listed.problem, listed.evaluated, listed.score) == ("", str(run.folder), run.score)
    with pytest.raises(NlpipeError, match="no finished run"):
        latest_run(tmp_path)
    with pytest.raises(NlpipeError, match="this is an evaluation, which has no model; its run is"):
        evaluate(again.folder, "sample_reviews")


def test_a_file_is_counted_by_hand_and_its_interval_is_that_of_a_share(runs: dict[str, Result], tmp_path: Path) -> None:
    run = runs["classes"]
    rows = [(f"{text} {i}", label) for i in range(50) for text, label in TEXTS]
    done = evaluate(run.folder, write_csv(tmp_path / "new.csv", rows), tmp_path / "out")
    lines = [json.loads(line) for line in (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()]
    assert [(line["text"], line["gold"]) for line in lines] == rows
    answers = run.pipeline().predict([text for text, _ in rows]).labels
    assert [line["predicted"] for line in lines] == answers
    share = np.mean([answer == label for answer, (_, label) in zip(answers, rows, strict=True)])
    assert 0.2 < share < 1
    assert done.metrics["scores"]["accuracy"] == pytest.approx(share)
    spread = 1.96 * np.sqrt(share * (1 - share) / len(rows))
    assert done.intervals["accuracy"] == pytest.approx((share - spread, share + spread), abs=0.015)


def test_labels_that_training_lacks_are_counted_and_wrong(runs: dict[str, Result], tmp_path: Path) -> None:
    """Also where the card lists its labels, of which each other one is a fault in training."""
    rows = [(TEXTS[0][0], "positive"), ("so so", "Positive"), ("so so so", "mixed"), ("hm", "mixed")]
    done = evaluate(runs["classes"].folder, write_csv(tmp_path / "new.csv", rows))
    assert done.metrics["scores"]["accuracy"] == 0.25
    assert done.ledger["evaluation"]["counts"]["labels_unseen"] == 3
    (warning,) = [text for text in done.ledger["warnings"] if "cannot be predicted" in text]
    assert warning.startswith("evaluation: 3 labels") and "'Positive' (1 times); did you mean 'positive'?" in warning
    assert done.folder is None
    with pytest.raises(NlpipeError, match=r"none.csv:2: no training example has the label 'mixed', nor any other"):
        evaluate(runs["classes"].folder, write_csv(tmp_path / "none.csv", rows[2:]))


def test_entity_types_that_training_lacks_are_counted(runs: dict[str, Result], tmp_path: Path) -> None:
    (tmp_path / "new.conll").write_text("Anna\tX\tB-PER\nslept\tX\tO\n\nMonday\tX\tB-DAY\ncame\tX\tO\n")
    done = evaluate(runs["entities"].folder, str(tmp_path / "new.conll"))
    assert done.ledger["evaluation"]["counts"]["labels_unseen"] == 1
    assert done.metrics["scores"]["recall"] <= 0.5  # one of the two cannot be found
    spans = [{"text": "Anna slept", "entities": [[0, 4, "PER"]]}, {"text": "x", "entities": [[5, 9, "PER"]]}]
    (tmp_path / "new.jsonl").write_text("".join(json.dumps(line) + "\n" for line in spans))
    changed = Changes(columns={"text": "text", "entities": "entities"})
    other = evaluate(runs["entities"].folder, str(tmp_path / "new.jsonl"), changes=changed)
    assert other.ledger["evaluation"]["counts"]["entities_invalid"] == 1
    assert other.examples == 2 and "f1_raw" in other.metrics["scores"]


def test_more_probabilities_than_a_split_may_have_are_refused(
    runs: dict[str, Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nlpipe.datasets.labelled.MOST_PROBABILITIES", 11)
    with pytest.raises(NlpipeError, match=r"new.csv: 6 examples of 2 labels; evaluate at most 5 at a time"):
        evaluate(runs["classes"].folder, write_csv(tmp_path / "new.csv", TEXTS))


def test_training_examples_among_them_are_counted(runs: dict[str, Result], tmp_path: Path) -> None:
    train = load_dataset("sample_reviews").train
    known = [(text.upper(), label) for text, label in zip(train.inputs.strings[:3], train.targets.values, strict=False)]
    done = evaluate(runs["classes"].folder, write_csv(tmp_path / "new.csv", [*known, *TEXTS]))
    assert done.ledger["evaluation"]["counts"]["in_train"] == 3
    assert any(text.startswith("3 of 9 examples are training examples too") for text in done.ledger["warnings"])


def test_a_card_of_its_own_is_compared_with_the_training_data_of_the_run(
    runs: dict[str, Result], tmp_path: Path
) -> None:
    """Not with the training split of that card, which has one of its own test texts."""
    known = load_dataset("sample_reviews").train.inputs.strings[0]
    write_csv(tmp_path / "train.csv", TEXTS * 2)
    write_csv(tmp_path / "dev.csv", [("quite good", "positive"), ("so bad", "negative")])
    write_csv(tmp_path / "test.csv", [TEXTS[0], (known, "positive"), ("so bad it hurts", "mixed")])
    (tmp_path / "card.yaml").write_text(
        "task: classification\nname: mine\ntrain: train.csv\ndev: dev.csv\ntest: test.csv\n"
    )
    done = evaluate(runs["classes"].folder, str(tmp_path / "card.yaml"))
    assert (done.data, done.examples) == ("mine:test", 3)
    counts = done.ledger["evaluation"]["counts"]
    assert (counts["in_train"], counts["labels_unseen"]) == (1, 1)
    assert done.ledger["evaluation"]["examples"]["in_train"] == [known.casefold()]
    assert evaluate(runs["classes"].folder, f"{tmp_path / 'card.yaml'}:dev").examples == 2


def test_pairs_are_read_from_parallel_files_and_from_a_table(runs: dict[str, Result], tmp_path: Path) -> None:
    (tmp_path / "a.en").write_text("The house is old.\nGood morning.\n")
    (tmp_path / "a.de").write_text("Das Haus ist alt.\nGuten Morgen.\n")
    write_csv(
        tmp_path / "a.csv",
        [("The house is old.", "Das Haus ist alt."), ("Good morning.", "Guten Morgen.")],
        ("source", "target"),
    )
    run = runs["texts"].folder
    pair = evaluate(run, [str(tmp_path / "a.en"), str(tmp_path / "a.de")])
    table = evaluate(run, str(tmp_path / "a.csv"))
    assert pair.metrics["scores"] == table.metrics["scores"] and pair.examples == 2
    with pytest.raises(NlpipeError, match=r"parallel reads pairs of files"):
        evaluate(run, str(tmp_path / "a.en"))


def test_one_example_has_a_score_and_no_interval(runs: dict[str, Result], tmp_path: Path) -> None:
    done = evaluate(runs["classes"].folder, write_csv(tmp_path / "one.csv", TEXTS[:1]))
    assert done.examples == 1 and done.intervals == {}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("empty.csv", "", "empty.csv: the file is empty"),
        ("head.csv", "text,label\n", "head.csv: no examples"),
        ("gap.csv", "text,label\nfine,\n", "gap.csv:2: column 'label': the label is missing"),
        ("other.csv", "body,stars\nfine,positive\n", "there are: body, stars; give yours as --column text=NAME or"),
        ("other.jsonl", '{"text": "fine", "stars": "positive"}\n', "give it as --column label=NAME"),
        ("x.conll", "EU B-ORG\n", "x.conll: conll holds no examples of classification; expected csv, tsv, jsonl"),
        ("latin.csv", b"text,label\ncaf\xe9,positive\n", "latin.csv:2: byte 4 of the line"),
    ],
)
def test_what_cannot_be_read_is_said(
    runs: dict[str, Result], tmp_path: Path, name: str, text: str | bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(NlpipeError) as raised:
        evaluate(runs["classes"].folder, str(tmp_path / name), tmp_path / "out")
    assert message in str(raised.value)
    assert not (tmp_path / "out").exists() and [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            "sample_entities",
            "sample_entities: this card is for tagging, and the pipeline was fitted for classification",
        ),
        ("sample_reviews:tset", "a card has no split 'tset'; did you mean 'test'?"),
        ("sample_review", "no such card; did you mean 'sample_reviews'?"),
        ("nowhere.csv", "nowhere.csv: there is no such file"),
    ],
)
def test_what_is_not_there_or_of_another_task_is_said(runs: dict[str, Result], data: str, message: str) -> None:
    with pytest.raises(NlpipeError) as raised:
        evaluate(runs["classes"].folder, data)
    assert message in str(raised.value)


def test_a_folder_that_is_no_run_or_lacks_a_file_is_said(runs: dict[str, Result], tmp_path: Path) -> None:
    new = write_csv(tmp_path / "new.csv", TEXTS)
    with pytest.raises(NlpipeError, match="this is not a run's folder; 'nlpipe runs DIR' lists"):
        evaluate(tmp_path, new)
    with pytest.raises(NlpipeError, match="there is no such folder"):
        evaluate(tmp_path / "nowhere", new)
    with pytest.raises(NlpipeError, match="exists already; name a new folder"):
        evaluate(runs["classes"].folder, new, tmp_path)
    for number, name in enumerate(("scoring.json", "metrics.json", "pipeline.yaml", "model/model.json")):
        folder = shutil.copytree(runs["classes"].folder, tmp_path / str(number))
        (folder / name).unlink()
        with pytest.raises(NlpipeError):
            evaluate(folder, new)
        (folder / name).write_text("[")
        with pytest.raises(NlpipeError):
            evaluate(folder, new)


def test_data_that_has_moved_since_is_not_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costs, "measure_model", lambda *_: USE)
    shutil.copy(Path(nlpipe.__file__).parents[1] / "data" / "samples" / "reviews.csv", tmp_path / "mine.csv")
    data = {"task": "classification", "train": str(tmp_path / "mine.csv")}
    run = nlpipe.run({"data": data, "representation": "bow", "head": "naive_bayes"}, out=tmp_path / "runs")
    (tmp_path / "mine.csv").rename(tmp_path / "moved.csv")
    done = evaluate(run.folder, write_csv(tmp_path / "new.csv", TEXTS))
    assert done.examples == len(TEXTS)
    (warning,) = [text for text in done.ledger["warnings"] if "it was not checked" in text]
    assert "the training data cannot be read" in warning and "mine.csv" in warning
    assert "in_train" not in done.ledger["evaluation"]["counts"]


def test_conditions_on_columns_that_the_file_lacks_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(costs, "measure_model", lambda *_: USE)
    lines = [f"{text} {i},{label},{kind}" for i in range(10) for text, label in TEXTS for kind in ("a", "b")]
    (tmp_path / "mine.csv").write_text("\n".join(["text,label,kind", *lines]))
    data = {"task": "classification", "train": str(tmp_path / "mine.csv"), "where": {"kind": "a"}}
    run = nlpipe.run({"data": data, "representation": "bow", "head": "naive_bayes"}, out=tmp_path / "runs").folder
    without = evaluate(run, write_csv(tmp_path / "new.csv", TEXTS))
    assert without.examples == len(TEXTS)
    assert any(
        "where are not in the file, so that all its rows are used" in text for text in without.ledger["warnings"]
    )
    (tmp_path / "kinds.csv").write_text("text,label,kind\nfine,positive,b\nbad,negative,a\n")
    assert evaluate(run, str(tmp_path / "kinds.csv")).examples == 1


def test_the_command_and_a_stage_that_cannot_be_imported(tmp_path: Path, runs: dict[str, Result]) -> None:
    new = write_csv(tmp_path / "new.csv", TEXTS)
    done = command("evaluate", runs["classes"].folder, new, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr.decode()
    shown = done.stdout.decode().splitlines()
    assert shown[0].split()[:2] == ["6", "examples"] and shown[1].startswith("accuracy")
    assert shown[-1] == str(tmp_path / "out")
    assert "exists already" in complaint("evaluate", runs["classes"].folder, new, "--out", tmp_path / "out")
    assert "did you mean 'text'" in complaint("evaluate", runs["classes"].folder, new, "--column", "txt=a")
    assert "expected a role and a column" in complaint("evaluate", runs["classes"].folder, new, "--column", "a")
    (tmp_path / "own.py").write_text(STAGES)
    (tmp_path / "own.yaml").write_text(
        "import: [own]\ndata: sample_reviews\nrepresentation: lengths\nhead: logistic_regression\n"
    )
    ran = command("run", tmp_path / "own.yaml", "--out", tmp_path / "runs", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr.decode()
    folder = ran.stdout.decode().splitlines()[-1]
    assert command("evaluate", folder, new, cwd=tmp_path).returncode == 0
    (tmp_path / "own.py").unlink()
    assert "own.py" in complaint("evaluate", folder, new, cwd=tmp_path)
