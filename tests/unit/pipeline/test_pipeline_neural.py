"""Neural pipelines from texts to answers: learning, saving, killing, bad input, several processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

import nlpipe
from nlpipe.cli.app import app
from nlpipe.encoders import GRU, LSTM, AttentionPooling, Convolution, Max, Mean, Transformer
from nlpipe.errors import DataError, ModelError, NlpipeError, NlpipeWarning
from nlpipe.heads import Classifier, LogisticRegression
from nlpipe.pipeline import Pipeline
from nlpipe.pipeline.batches import PADDED, cuts
from nlpipe.pipeline.python_data import split_of
from nlpipe.representations import Bert, Embedding, Join, Word2Vec
from nlpipe.runs import costs
from nlpipe.runs import fit as fit_step
from nlpipe.runs import measure as measure_step
from nlpipe.runs.costs import peak_memory
from nlpipe.tokenizers import Regex
from nlpipe.wire import Tokens
from tests.tiny_models import write_encoder as make
from tests.unit.pipeline.neural_children import COSTS, RUN

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
torch.set_num_threads(1)

GOOD, BAD, PLAIN = ["good", "fine", "great"], ["bad", "dull", "poor"], ["a", "film", "day", "the", "with", "some"]
DEV = (["the good film", "the bad film", "some fine day", "some dull day"], ["pos", "neg", "pos", "neg"])


def examples(count: int = 60, seed: int = 0) -> tuple[list[str], list[str]]:
    """Texts of plain words around one that decides the label."""
    random = np.random.default_rng(seed)
    texts, labels = [], []
    for i in range(count):
        words = random.choice(PLAIN, random.integers(1, 6)).tolist()
        words.insert(int(random.integers(0, len(words) + 1)), str(random.choice(GOOD if i % 2 else BAD)))
        texts.append(" ".join(words))
        labels.append("pos" if i % 2 else "neg")
    return texts, labels


def pipeline(*body: Any, head: Any = None, seed: int = 1, **trainer: Any) -> Pipeline:
    options = {"epochs": 8, "batch_size": 8, "lr": 0.02, "precision": "fp32", **trainer}
    return Pipeline([Regex(), *body, head or Classifier(dropout=0.1)], trainer=options, seed=seed)


def words(**options: Any) -> Embedding:
    return Embedding(**{"dim": 8, "min_count": 1, "dropout": 0.1, **options})


def python(program: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """A program in a fresh process."""
    found = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "COLUMNS": "300", **environment}
    command = [sys.executable, *(["-c", textwrap.dedent(program)] if program else []), *map(str, arguments)]
    return subprocess.run(command, env=found, capture_output=True, text=True, check=False)


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NLPIPE_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> str:
    return make("bert", tmp_path_factory.mktemp("model") / "tiny")


# -- learning, saving, loading


VECTORS = {"dim": 8, "min_count": 1, "epochs": 2}
BODIES = {
    "embedding, lstm": lambda: [words(), LSTM(hidden=6, bidirectional=True, dropout=0.1), Max()],
    "embedding, gru": lambda: [words(word_dropout=0.1), GRU(hidden=6, layers=2), AttentionPooling()],
    "embedding, transformer": lambda: [words(), Transformer(layers=1, heads=2, dropout=0.1), Mean()],
    "embedding, convolution": lambda: [words(), Convolution(widths=[1, 2], filters=6), Max()],
    "word2vec, frozen": lambda: [Word2Vec(**{**VECTORS, "epochs": 60}), LSTM(hidden=8), Max()],
    "word2vec, trainable": lambda: [Word2Vec(**VECTORS, trainable=True), GRU(hidden=6), Mean()],
    "join": lambda: [Join([words(), Word2Vec(**VECTORS)]), LSTM(hidden=6), Mean()],
    "join, trainable": lambda: [Join([Word2Vec(**VECTORS, trainable=True), words(dim=4)]), Mean()],
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of ``BODIES``, fitted and saved, with what they say of the texts and how much of it is right."""
    folder = tmp_path_factory.mktemp("saved")
    texts, labels = examples()
    for name, body in BODIES.items():
        fitted = pipeline(*body(), epochs=25 if "frozen" in name else 12, lr=0.03).fit(texts, labels)
        fitted.save(folder / name)
        found = fitted.predict(texts)
        assert found.probabilities is not None
        np.save(folder / f"{name}.npy", found.probabilities)
        right = np.mean([said == label for said, label in zip(found.values.values, labels, strict=True)])
        (folder / f"{name}.json").write_text(json.dumps(right))
    return folder


@pytest.mark.parametrize("name", BODIES)
def test_it_learns(saved: Path, name: str) -> None:
    assert json.loads((saved / f"{name}.json").read_text()) > 0.95


@pytest.mark.parametrize("name", BODIES)
def test_loaded_it_answers_the_same_however_often_it_is_asked(saved: Path, name: str) -> None:
    """Without dropout, that is."""
    texts, _ = examples()
    loaded = Pipeline.load(saved / name)
    for _ in range(2):
        np.testing.assert_array_equal(loaded.predict(texts).probabilities, np.load(saved / f"{name}.npy"))


def test_loaded_in_another_process_it_answers_the_same(saved: Path, tmp_path: Path) -> None:
    program = """
        import json, sys
        from pathlib import Path
        import numpy as np
        from nlpipe.pipeline import Pipeline
        folder = Path(sys.argv[1])
        for path in folder.glob("*.npy"):
            found = Pipeline.load(folder / path.stem).predict(json.loads(sys.argv[2])).probabilities
            np.testing.assert_array_equal(found, np.load(path))
            print(path.stem)
    """
    done = python(program, saved, json.dumps(examples()[0]))
    assert set(done.stdout.split("\n")[:-1]) == set(BODIES), done.stderr


def test_the_same_seed_gives_the_same_model_and_another_a_different_one() -> None:
    texts, labels = examples(20)
    first, same, other = (
        pipeline(words(), LSTM(hidden=4), Mean(), seed=seed, epochs=2).fit(texts, labels).predict(texts).probabilities
        for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)


def test_word2vec_with_a_linear_head_needs_no_torch(tmp_path: Path) -> None:
    program = """
        import sys
        from nlpipe.encoders import Mean
        from nlpipe.heads import LogisticRegression
        from nlpipe.pipeline import Pipeline
        from nlpipe.representations import Word2Vec
        from nlpipe.tokenizers import Regex
        texts, labels = ["a good film", "a bad film"] * 8, ["pos", "neg"] * 8
        pipeline = Pipeline([Regex(), Word2Vec(dim=8, min_count=1, epochs=30), Mean(), LogisticRegression(C=1000)])
        pipeline.fit(texts, labels).save(sys.argv[1])
        assert Pipeline.load(sys.argv[1]).predict(texts).values.values == labels
        assert "gensim" in sys.modules
        print(*({"torch", "transformers", "accelerate"} & set(sys.modules)))
    """
    done = python(program, tmp_path / "model")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "\n"


# -- bert


@pytest.mark.parametrize("head", [LogisticRegression, Classifier])
def test_a_frozen_bert_under_both_heads(directory: str, tmp_path: Path, head: Any) -> None:
    texts, labels = examples()
    fitted = pipeline(Bert(directory), Mean(), head=head(), epochs=100, lr=0.05).fit(texts, labels)
    found = fitted.predict(texts)
    assert np.mean([a == b for a, b in zip(found.values.values, labels, strict=True)]) > 0.8
    loaded = Pipeline.load(fitted.save(tmp_path / "model"))
    np.testing.assert_array_equal(loaded.predict(texts).probabilities, found.probabilities)
    assert sum(path.stat().st_size for path in (tmp_path / "model").iterdir()) < 20_000  # it names the model


def test_a_fine_tuned_bert_learns_and_exports(
    directory: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts, labels = examples()
    bert = Bert(directory, trainable=True, precision="fp32")
    fitted = pipeline(bert, Mean(), epochs=15, lr=0.01, pretrained_lr=0.003).fit(texts, labels)
    found = fitted.predict(texts)
    assert np.mean([a == b for a, b in zip(found.values.values, labels, strict=True)]) > 0.95
    fitted.save(tmp_path / "run" / "model")
    moved = shutil.move(directory, directory + "-away")  # the saved pipeline holds all of it
    try:
        loaded = Pipeline.load(tmp_path / "run")
        np.testing.assert_allclose(loaded.predict(texts).probabilities, found.probabilities, atol=1e-6)
        app(["export", str(tmp_path / "run"), "--to", "transformers", str(tmp_path / "bert")], standalone_mode=False)
    finally:
        shutil.move(moved, directory)
    assert capsys.readouterr().out.strip() == str(tmp_path / "bert")
    model = transformers.AutoModel.from_pretrained(tmp_path / "bert").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "bert")
    text = "a good day with some film"
    with torch.no_grad():
        theirs = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0, 1:-1].numpy()
        ours = loaded.stages[1].forward(Regex().forward(nlpipe.Text([text]))).rows.numpy()
    np.testing.assert_allclose(theirs.mean(0), _mean_of_pieces(loaded.stages[1], text), atol=1e-5)
    assert len(ours) == 6
    before = transformers.AutoModel.from_pretrained(directory).state_dict()
    changed = [name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])]
    assert any("encoder.layer.0" in name for name in changed)


def _mean_of_pieces(stage: Any, text: str) -> np.ndarray:
    """The mean over the pieces of ``text``, each taken for a word of its own."""
    offsets = stage.splitter.backend.encode(text, add_special_tokens=False).offsets
    tokens = Tokens([[text[a:b] for a, b in offsets]], [text], lambda *_: offsets)
    with torch.no_grad():
        return np.asarray(stage.forward(tokens).rows.numpy().mean(0))


def test_a_joined_bert_learns_at_the_rate_of_pretrained_parts(directory: str) -> None:
    texts, labels = examples(20)
    bert = Bert(directory, trainable=True, precision="fp32")
    before = {name: tensor.clone() for name, tensor in _model(bert).state_dict().items()}
    trainer = {"epochs": 1, "lr": 0.05, "pretrained_lr": 1e-12, "weight_decay": 0.0}
    fitted = pipeline(Join([words(), bert]), Mean(), **trainer).fit(texts, labels)
    for name, tensor in fitted.stages[1].parts[1].model.state_dict().items():
        torch.testing.assert_close(tensor, before[name], atol=1e-6, rtol=1e-6)


def _model(stage: Bert) -> Any:
    stage.build(0)
    return stage.model


def test_export_tells_where_there_is_nothing_to_export(tmp_path: Path) -> None:
    texts, labels = examples(20)
    folder = pipeline(words(), Mean(), epochs=1).fit(texts, labels).save(tmp_path / "model")
    with pytest.raises(ModelError, match=r"no stage of this pipeline \(regex → embedding → mean → classifier\)"):
        app(["export", str(folder), "--to", "transformers", str(tmp_path / "bert")], standalone_mode=False)
    with pytest.raises(NlpipeError, match="'pickle' for --to; known: arpa, ctranslate2, onnx, transformers"):
        app(["export", str(folder), "--to", "pickle", str(tmp_path / "bert")], standalone_mode=False)


def test_export_never_overwrites(directory: str, tmp_path: Path) -> None:
    texts, labels = examples(20)
    fitted = pipeline(Bert(directory), Mean(), head=LogisticRegression()).fit(texts, labels)
    with pytest.raises(ModelError, match="exists already"):
        fitted.export(tmp_path)


# -- runs that are killed, and several processes: see neural_children.py


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    done = python("", HERE / "neural_children.py", folder)
    assert done.returncode == 0, done.stderr
    return folder


def code(runs: Path, name: str) -> int:
    return int((runs / f"{name}.code").read_text())


def folder_of(runs: Path, name: str) -> Path:
    """The only folder that a run left."""
    (found,) = (path for path in (runs / f"{name}-runs").iterdir() if path.name[0] != ".")
    return found


def losses(folder: Path) -> list[float]:
    return [epoch["loss"] for epoch in json.loads((folder / "history.json").read_text())["epochs"]]


@needs_fork
@pytest.mark.parametrize(("moment", "said"), [("within", "epoch 1, step 3"), ("between", "epoch 2, step 0")])
def test_a_killed_run_goes_on_and_ends_the_same(runs: Path, moment: str, said: str) -> None:
    assert code(runs, "whole") == 0 and "resumes after" not in (runs / "whole.err").read_text()
    assert code(runs, f"{moment}-killed") == -signal.SIGKILL
    assert any(name.startswith("state-") for name in json.loads((runs / f"{moment}.left").read_text()))
    assert code(runs, moment) == 0, (runs / f"{moment}.err").read_text()
    assert f"resumes after {said}" in (runs / f"{moment}.err").read_text()
    whole, resumed = folder_of(runs, "whole"), folder_of(runs, moment)
    assert whole.name == resumed.name == Path((runs / f"{moment}.out").read_text().strip()).name
    assert (resumed / "predictions.jsonl").read_bytes() == (whole / "predictions.jsonl").read_bytes()
    assert losses(resumed) == losses(whole) and len(losses(whole)) == 4
    assert not (resumed.parent / ".checkpoints").exists()


@needs_fork
def test_a_run_that_breaks_down_leaves_no_folder_and_no_traceback(runs: Path) -> None:
    said = (runs / "broken.err").read_text()
    assert (code(runs, "broken"), "Traceback" in said) == (2, False)
    assert "error: training diverged in epoch" in said
    assert [path.name for path in (runs / "broken-runs").iterdir() if path.name != ".checkpoints"] == []


@needs_fork
@pytest.mark.parametrize("name", ["two", "classical"])
def test_several_processes_leave_one_folder_and_the_first_alone_prints(runs: Path, name: str) -> None:
    for number in (0, 1):
        assert code(runs, f"{name}-{number}") == 0, (runs / f"{name}-{number}.err").read_text()
    assert (runs / f"{name}-0.out").read_text().strip() == str(folder_of(runs, name))
    assert (runs / f"{name}-1.out").read_text() == ""
    assert "accuracy" in (runs / f"{name}-0.err").read_text()
    assert "accuracy" not in (runs / f"{name}-1.err").read_text()


@needs_fork
def test_two_processes_answer_as_one(runs: Path) -> None:
    """72 examples in batches of 7: the last has 2, and in the others one process has more than the other."""
    alone, both = folder_of(runs, "one"), folder_of(runs, "two")
    assert [json.loads((each / "history.json").read_text())["processes"] for each in (alone, both)] == [1, 2]
    np.testing.assert_allclose(losses(alone), losses(both), rtol=1e-4)
    one, two = (
        [json.loads(line) for line in (each / "predictions.jsonl").read_text().splitlines()] for each in (alone, both)
    )
    assert [record["predicted"] for record in one] == [record["predicted"] for record in two]
    np.testing.assert_allclose([r["score"] for r in one], [r["score"] for r in two], rtol=1e-3)
    assert not (runs / "two-runs" / ".checkpoints").exists()


def test_a_run_uses_the_threads_that_it_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    for step in (fit_step, measure_step):
        monkeypatch.setattr(step, "thread_count", lambda: 3)
    monkeypatch.setattr(costs, "measure_model", lambda *_: told.append(torch.get_num_threads()) or COSTS)
    (tmp_path / "small.yaml").write_text(RUN.replace("DROPOUT", "0"))
    try:
        result = nlpipe.run(tmp_path / "small.yaml", ["trainer.epochs=1"], out=tmp_path / "runs")
    finally:
        torch.set_num_threads(1)
    assert told == [result.costs["threads"]] == [3]


# -- bad input


@pytest.mark.parametrize("trainer", [{"lr": 1e9, "clip": None}, {"lr": 1e30}])
def test_a_loss_that_is_not_a_number_is_told(trainer: dict[str, Any]) -> None:
    texts, labels = examples(20)
    with pytest.raises(NlpipeError, match=r"training diverged in epoch .* try a trainer.lr below"):
        pipeline(words(), Mean(), head=Classifier(hidden=8), epochs=50, **trainer).fit(texts, labels)


def test_one_training_example_of_each_class() -> None:
    fitted = pipeline(words(), LSTM(hidden=8), Mean(), epochs=20).fit(["good film", "bad film"], ["pos", "neg"], DEV)
    assert fitted.predict(["good", "bad"]).values.values == ["pos", "neg"]


def test_one_class_and_no_words_are_told() -> None:
    with pytest.raises(DataError, match="'pos': two are needed"):
        pipeline(words(), Mean()).fit(["good", "fine"], ["pos", "pos"])
    with pytest.raises(DataError, match="every text is empty"):
        pipeline(words(), Mean()).fit(["", " "], ["pos", "neg"])
    with pytest.raises(DataError, match="no labels"):
        pipeline(words(), Mean()).fit([], [])


@pytest.mark.parametrize(
    "body",
    [
        lambda: [words(min_count=1000), LSTM(hidden=4), Mean()],
        lambda: [words(max_words=1), Transformer(layers=1, heads=2), Mean()],
        lambda: [Word2Vec(dim=8, min_count=1000), GRU(hidden=4), Max()],
        lambda: [Word2Vec(dim=8, min_count=1, max_words=1, trainable=True), Mean()],
        lambda: [Join([words(min_count=1000), Word2Vec(dim=8, min_count=1000)]), Mean()],
    ],
)
def test_all_words_unknown_or_a_vocabulary_of_one(body: Any, tmp_path: Path) -> None:
    """It answers, with what is left: the lengths, or the one word; the ledger says what was lost."""
    texts, labels = examples(20)
    fitted = pipeline(*body(), epochs=2).fit(texts, labels, DEV)
    found = fitted.predict([*texts, "", "never seen"])
    assert found.probabilities is not None and np.isfinite(found.probabilities).all()
    ledger = fitted.ledger(nlpipe.Text(["never seen"]))
    assert ledger["out_of_vocabulary"] == 2
    loaded = Pipeline.load(fitted.save(tmp_path / "model"))
    np.testing.assert_array_equal(loaded.predict(texts).probabilities, fitted.predict(texts).probabilities)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("no weights", "has no weights"),
        ("pickled", "opening a pickled file can run any code"),
        ("tokenizer", "it does not belong to this model"),
    ],
)
def test_a_bert_directory_that_will_not_do(directory: str, tmp_path: Path, damage: str, said: str) -> None:
    bad = tmp_path / "bad"
    shutil.copytree(directory, bad)
    if damage == "tokenizer":
        other = make("roberta", tmp_path / "other")
        for path in Path(other).glob("tokenizer*"):
            shutil.copy(path, bad)
    else:
        (bad / "model.safetensors").unlink()
        if damage == "pickled":
            (bad / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    (tmp_path / "bert.yaml").write_text(
        f"data: sample_reviews\nrepresentation: {{name: bert, model: {bad}}}\nencoder: mean\nhead: naive_bayes\n"
    )
    with pytest.raises(ModelError, match=said):
        nlpipe.run(tmp_path / "bert.yaml", out=tmp_path / "runs")
    assert not [path for path in (tmp_path / "runs").iterdir() if path.name[0] != "."]


@pytest.mark.parametrize("trainable", [False, True])
def test_texts_longer_than_the_models_positions(directory: str, trainable: bool) -> None:
    texts, labels = examples(12)
    texts[0] = " ".join(["good", "film"] * 200)  # of 40 positions
    fitted = pipeline(Bert(directory, trainable=trainable), Mean(), epochs=1).fit(texts, labels, DEV)
    found = fitted.predict(texts)
    assert found.probabilities is not None and np.isfinite(found.probabilities).all()
    np.testing.assert_allclose(fitted.predict(texts[:1]).probabilities, found.probabilities[:1], atol=1e-4)


@pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA is here")
def test_a_device_that_is_not_here_is_told() -> None:
    with pytest.raises(NlpipeError, match=r"trainer.device: this machine has no 'cuda', only cpu"):
        never = pipeline(words(), Mean(), device="cuda")
        never.fit(*examples(20))
    assert not never.fit_seconds  # said before a word was counted


def test_a_label_that_only_dev_has() -> None:
    texts, labels = examples(20)
    dev = ([*DEV[0], "some strange film"], [*DEV[1], "strange"])
    fitted = pipeline(words(), Mean(), patience=3).fit(texts, labels, dev)
    assert max(epoch.score for epoch in fitted.history.epochs) <= 4 / 5
    alone = pipeline(words(), Mean(), epochs=1).fit(texts, labels, (["some strange film"], ["strange"]))
    assert alone.head.temperature == 1.0


def test_without_a_dev_split_patience_is_told_and_all_epochs_are_trained() -> None:
    texts, labels = examples(20)
    with pytest.warns(NlpipeWarning, match="no dev split: .* all 3 epochs"):
        fitted = pipeline(words(), Mean(), epochs=3, patience=1).fit(texts, labels)
    assert len(fitted.history.epochs) == 3
    again = pipeline(words(), Mean(), epochs=3).fit(texts, labels, ([], []))
    np.testing.assert_array_equal(again.predict(texts).probabilities, fitted.predict(texts).probabilities)


# -- memory and long texts


def test_batches_are_small_where_a_text_is_long() -> None:
    sizes = np.full(600, 60)
    sizes[300] = 10 * PADDED
    found = list(cuts(sizes))
    assert [i for start, end in found for i in range(start, end)] == list(range(600))
    assert all(end - start <= 256 for start, end in found)
    assert all((end - start) * sizes[start:end].max() <= PADDED for start, end in found if end - start > 1)
    assert len(found) < 25
    assert list(cuts(np.full(600, 60))) == [(0, 256), (256, 512), (512, 600)]


LONG = """
    from nlpipe.runs.costs import peak_memory
    from nlpipe.encoders import LSTM, Max
    from nlpipe.heads import Classifier
    from nlpipe.pipeline import Pipeline
    from nlpipe.representations import Embedding
    from nlpipe.tokenizers import Whitespace
    texts, labels = ["a good film", "a bad film"] * 100, ["pos", "neg"] * 100
    long = "good " * 100_000
    stages = [Whitespace(), Embedding(dim=16, min_count=1), LSTM(hidden=4, bidirectional=True), Max(), Classifier()]
    trainer = {"epochs": 1, "batch_size": 32, "lr": 0.05, "precision": "fp32"}
    before = peak_memory()
    data = [*texts, long], [*labels, "pos"]
    pipeline = Pipeline(stages, trainer=trainer).fit(*data, data)
    found = pipeline.predict([*texts, long, *texts])
    assert len(found.values) == 401
    print((peak_memory() - before) / 1e6)
"""


def test_a_text_of_100_000_words_among_short_ones() -> None:
    """Padded to it, a batch of 201 texts would take 201 x 100,000 x 16 x 4 bytes = 1.3 GB, once for each layer."""
    done = python(LONG)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 400


def test_memory_does_not_grow_over_epochs() -> None:
    texts, labels = examples(60)
    used: list[int] = []

    def note(line: str) -> None:
        if line.startswith("epoch "):
            used.append(_resident())

    train = pipeline(words(), LSTM(hidden=8), Mean(), epochs=40, average=3)
    splits = [split_of(train.task, *examples, None) for examples in ((texts, labels), DEV)]
    train.fit_split(*splits, report=note, progress=False)
    assert len(used) == 40
    assert used[-1] - used[9] < 4e6, used


def _resident() -> int:
    """Bytes of memory that this process has now."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return peak_memory()
