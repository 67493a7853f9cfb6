"""Training: ties, models that learn nothing, options without effect, time limits."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

import nlpipe
from nlpipe.datasets.load import load_dataset
from nlpipe.errors import SpecError
from nlpipe.predictions import Predictions
from nlpipe.runs.answer import same_answers
from nlpipe.runs.result import Result
from nlpipe.tasks.task import Split
from nlpipe.wire import Tags, Tokens

torch = pytest.importorskip("torch")

from nlpipe.training.loop import train as run_training  # noqa: E402
from nlpipe.training.progress import Progress  # noqa: E402
from nlpipe.training.trainer import Trainer  # noqa: E402
from tests.unit.training.trainer_toys import Toy, ToyExamples  # noqa: E402

pytestmark = pytest.mark.usefixtures("unmeasured")


@pytest.mark.parametrize(
    ("losses", "kept", "epochs"),
    [
        ({1: 3.0, 2: 2.0, 3: 1.0, 4: 1.5}, 3, 4),  # at 0 throughout: learning shows in the loss alone
        ({1: 1.0, 2: 2.0, 3: 3.0, 4: 4.0}, 1, 3),  # patience runs out where the loss rises
        ({1: 2.0, 2: 2.0, 3: 2.0, 4: 2.0}, 1, 3),  # of equals the first
    ],
)
def test_ties_go_to_the_lower_dev_loss(losses: dict[int, float], kept: int, epochs: int) -> None:
    objective, seen = Toy(), []
    states: dict[int, dict[str, object]] = {}

    def evaluate() -> float:
        seen.append(1)
        states[len(seen)] = {name: tensor.clone() for name, tensor in objective.state_dict().items()}
        return 0.0

    def dev_loss() -> float:
        weight = objective.output.weight
        return next(losses[epoch] for epoch, state in states.items() if torch.equal(state["output.weight"], weight))

    history = run_training(
        Trainer(epochs=4, patience=1), objective, ToyExamples(), evaluate, seed=3, progress=False, dev_loss=dev_loss
    )
    assert history.kept == (kept,)
    assert len(history.epochs) == epochs
    assert torch.equal(objective.output.weight, states[kept]["output.weight"])


def test_no_loss_is_computed_without_a_tie() -> None:
    scores = iter([0.1, 0.2, 0.15])

    def dev_loss() -> float:
        raise AssertionError("there is no tie")

    trainer = Trainer(epochs=3)
    run_training(trainer, Toy(), ToyExamples(), lambda: next(scores), seed=3, progress=False, dev_loss=dev_loss)


def neural(folder: Path, **trainer: object) -> Path:
    """A pipeline whose learning rate is too low to learn anything."""
    rows = [f"good film {i},a" for i in range(30)] + [f"dull film {i},b" for i in range(30)]
    (folder / "data.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    content = {
        "data": {"task": "classification", **dict.fromkeys(("train", "dev", "test"), str(folder / "data.csv"))},
        "representation": {"name": "embedding", "dim": 4}, "encoder": "mean", "head": "classifier",
        "trainer": {"epochs": 2, "patience": None, **trainer},
    }  # fmt: skip
    (folder / "p.yaml").write_text(json.dumps(content))
    return folder / "p.yaml"


def test_a_model_that_gives_one_answer_is_told_of(tmp_path: Path) -> None:
    file = neural(tmp_path, lr=0.1)
    rows = [f"film {i % 7},a" for i in range(50)] + [f"film {i % 7},b" for i in range(7)]  # the words tell nothing
    (tmp_path / "data.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    told = nlpipe.run(file, out=tmp_path / "runs").ledger["warnings"]
    assert any("every input gets the same answer" in line and "another lr" in line for line in told)


@pytest.mark.parametrize(("answer", "told"), [("O O", True), ("O B-PER", False)])
def test_a_tagger_that_finds_nothing_is_told_of_where_every_text_has_an_entity(answer: str, told: bool) -> None:
    words = Tokens.from_words([["saw", "Anna"], ["met", "Paul"]])
    split = Split(words, Tags([["O", "B-PER"]] * 2))
    notes = same_answers(split, Predictions(Tags([answer.split()] * 2)), "tagger")
    assert bool(notes) is told


def test_a_model_that_has_learned_is_not(tmp_path: Path) -> None:
    result: Result = nlpipe.run(neural(tmp_path, lr=0.1, epochs=8), out=tmp_path / "runs")
    assert result.score == 1.0
    assert not [line for line in result.ledger["warnings"] if "same answer" in line]


def test_dev_labels_that_training_lacks_do_not_stop_a_tie(tmp_path: Path) -> None:
    file = neural(tmp_path, lr=1e-30, patience=1)
    (tmp_path / "dev.csv").write_text("text,label\ngood film,a\ndull film,b\nodd film,new\n")
    content = json.loads(file.read_text())
    content["data"]["dev"] = str(tmp_path / "dev.csv")
    file.write_text(json.dumps(content))
    assert load_dataset(content["data"]).ledger["dev"].counts["labels_unseen"] == 1
    assert 0.0 <= nlpipe.run(file, out=tmp_path / "runs").scores["accuracy"] <= 1.0


def test_a_trainer_under_a_head_without_gradients_is_a_fault_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("representation: bow\nhead: naive_bayes\ntrainer:\n  epochs: 3\n")
    with pytest.raises(SpecError, match=r"p\.yaml:3:1: trainer: this head learns without gradients"):
        nlpipe.load(tmp_path / "p.yaml")


def test_the_time_limit_counts_in_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    now = [0.0]
    monkeypatch.setattr("nlpipe.training.progress.time.perf_counter", lambda: now[0])
    with Progress(10_000, 0, True, print, seconds=10.0) as progress:
        now[0] = 5.0
        progress.advance(100, 1, 0.5, None)  # at 20 tokens a second, 5 seconds are left
        assert progress._bar.tasks[0].total == 200
