"""``nlpipe export --to ctranslate2``: a run that translates as the one it was made of, and a bare directory in it."""

from __future__ import annotations

import copy
import errno
import json
import shutil
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import nlpipe
from nlpipe.cli.app import app
from nlpipe.decoders import GRU
from nlpipe.decoders import Transformer as Decoder
from nlpipe.encoders import Transformer
from nlpipe.errors import MissingExtra, ModelError, NlpipeError, WiringError
from nlpipe.heads import CTranslate2, Seq2Seq
from nlpipe.heads import ctranslate2 as head_file
from nlpipe.integrations import export
from nlpipe.integrations.ctranslate2_export import export_ctranslate2
from nlpipe.pipeline import Pipeline
from nlpipe.pipeline.ctranslate2_conversion import to_ctranslate2
from nlpipe.representations import Embedding
from nlpipe.runs import costs
from nlpipe.runs.evaluate import evaluate
from nlpipe.runs.result import Result
from nlpipe.tokenizers import Whitespace
from nlpipe.wire import Text
from tests.commands import complaint
from tests.commands import nlpipe as command
from tests.unit.runs.finished_runs import USE

pytest.importorskip("ctranslate2", reason="needs ctranslate2 (pip install 'nlpipe[ctranslate2]')")

torch.set_num_threads(1)
NUMBERS = {"one": "eins", "two": "zwei", "three": "drei", "four": "vier", "five": "fünf", "six": "sechs"}
TEXTS = ["one two three four five", "six", "", "unknown one", "one " * 30, "two two six one", "four", "three one"]


def sentences(count: int, seed: int = 0) -> tuple[list[str], list[str]]:
    """Numbers and their translations."""
    random = np.random.default_rng(seed)
    sources = [" ".join(random.choice([*NUMBERS], random.integers(1, 6))) for _ in range(count)]
    return sources, [" ".join(NUMBERS[word] for word in source.split()) for source in sources]


def fitted(decoder: Any = None, joint: bool = True, scaled: bool = True, beam: int = 5, **shape: Any) -> Pipeline:
    """A translator of numbers, trained for a moment, so that its answers differ from sentence to sentence."""
    shape = {"layers": 2, "heads": 2, "feed_forward": 24, "dropout": 0.0, **shape}
    head = Seq2Seq(
        Decoder(**{**shape, "heads": 4}) if decoder is None else decoder, beam=beam,
        tokenizer="joint" if joint else Whitespace(lowercase=False), dim=None if joint else 8, max_length=12,
    )  # fmt: skip
    stages = [Whitespace(lowercase=False), Embedding(dim=16, min_count=1, scaled=scaled), Transformer(**shape), head]
    trainer = {"epochs": 10, "lr": 0.01, "precision": "fp32"}
    return Pipeline(stages, "translation", trainer).fit(*sentences(60))  # type: ignore[arg-type]


SHAPES: list[dict[str, Any]] = [
    {"activation": "relu"},
    {"norm": "post", "scaled": False},
    {"positions": "learned", "max_length": 8},  # texts and answers reach beyond the last position
    {"joint": False, "scaled": False},
    {"joint": False},
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_it_answers_as_the_pipeline_it_was_made_of(shape: dict[str, Any], tmp_path: Path) -> None:
    ours = fitted(**shape)
    export_ctranslate2(ours.save(tmp_path / "saved"), tmp_path / "out", force=True)
    theirs = Pipeline.load(tmp_path / "out")
    for options in ({"beam": 5}, {"beam": 3, "length_penalty": 0.0}, {"beam": 1}, {"beam": 1, "max_length": 2}):
        for pipeline in (ours, theirs):
            pipeline.head.change(**options)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # answers that are cut
            one, other = ours.predict(TEXTS), theirs.predict(TEXTS)
            alone = [theirs.predict([text]).texts[0] for text in TEXTS]
        assert one.texts == other.texts == alone and len(set(one.texts)) > 2
        assert one.scores is not None and other.scores is not None
        filled = [bool(text) for text in TEXTS]  # the answer to an empty text is certain here
        np.testing.assert_allclose(one.scores[filled], other.scores[filled], atol=1e-4)
        assert one.cut is not None and other.cut is not None and (one.cut == other.cut).all()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        theirs.predict(TEXTS)
    beyond = [str(each.message) for each in told if "learned positions" in str(each.message)]
    expected = "1 of 8 texts are longer than the 8 learned positions; the tokens behind them share the last position"
    assert beyond == ([expected] if "positions" in shape else [])


def test_the_bare_directory_is_for_other_programs(tmp_path: Path) -> None:
    import ctranslate2

    ours = fitted()
    app(["export", str(ours.save(tmp_path / "run")), str(tmp_path / "out"), "--to", "ctranslate2", "--force"],
        standalone_mode=False)  # fmt: skip
    translator = ctranslate2.Translator(str(tmp_path / "out" / "1-head.ctranslate2"), intra_threads=1)
    sources, targets = ["one two", "six", "unknown one"], ["eins zwei", "sechs sechs drei vier", "vier"]
    sequences: Any = Text(sources)
    for stage in ours.body:
        sequences = stage.forward(sequences)
    head: Any = ours.head
    found = translator.score_batch([each.split() for each in sources], [each.split() for each in targets])
    for mine, its in zip(head.score(sequences, Text(targets)), found, strict=True):
        np.testing.assert_allclose(mine, its.log_probs, atol=1e-4)


def test_n_best_are_the_same_in_the_same_order(tmp_path: Path) -> None:
    ours = fitted()
    theirs = Pipeline.load(exported_of(ours, tmp_path))
    for one, other in zip(ours.n_best(TEXTS[:2], 3), theirs.n_best(TEXTS[:2], 3), strict=True):
        assert [each.text for each in one] == [each.text for each in other]
        assert [each.score for each in other] == sorted((each.score for each in other), reverse=True)
    with pytest.raises(NlpipeError, match="n_best: invalid value 9: expected an integer from 1 to the beam, 5"):
        theirs.n_best(TEXTS, 9)


def exported_of(pipeline: Pipeline, folder: Path, **options: Any) -> Path:
    """The folder of the export of a pipeline."""
    export_ctranslate2(pipeline.save(folder / "saved"), folder / "export", force=True, **options)
    return folder / "export"


def test_8_bits_leave_the_pipeline_as_it_is() -> None:
    ours = fitted()
    before = copy.deepcopy(ours.head.state().arrays)
    small = to_ctranslate2(ours.stages, int8=True)
    assert all((array == before[name]).all() for name, array in ours.head.state().arrays.items())
    assert len(small.state().files["ctranslate2/model.bin"]) < len(
        to_ctranslate2(ours.stages).state().files["ctranslate2/model.bin"]
    )


@pytest.mark.filterwarnings("ignore:.* answers were cut")
def test_too_long_a_text_is_cut_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = Pipeline.load(exported_of(fitted(), tmp_path))
    monkeypatch.setattr(head_file, "POSITIONS", 4)
    with pytest.warns(match="1 of 2 texts are longer than the 4 tokens"):
        answers = theirs.predict(["one two three four five six", "one"]).texts
    assert answers == theirs.predict(["one two three four", "one"]).texts


def test_each_thread_translates_sentences_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = Pipeline.load(exported_of(fitted(), tmp_path))
    head = theirs.head
    assert isinstance(head, head_file.CTranslate2)
    one = theirs.predict(TEXTS).texts
    opened = head._translator()
    assert opened.num_translators == 1
    monkeypatch.setattr(head_file, "threads_in_use", lambda: 2)
    assert theirs.predict(TEXTS).texts == one
    assert head._translator() is not opened and head._translator().num_translators == 2
    torch.set_num_threads(2)
    try:
        head._open(2)
        assert torch.get_num_threads() == 2  # torch keeps its own
    finally:
        torch.set_num_threads(1)


# -- of a run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that translates numbers."""
    folder = tmp_path_factory.mktemp("runs")
    for split, count, seed in (("train", 60, 0), ("dev", 10, 1), ("test", 30, 2)):
        pairs = zip(*sentences(count, seed), strict=True)
        (folder / f"{split}.csv").write_text("\n".join(["source,target", *(",".join(pair) for pair in pairs)]) + "\n")
    data = ", ".join(f"{split}: {folder}/{split}.csv" for split in ("train", "dev", "test"))
    shape = "layers: 1, heads: 2, feed_forward: 24, dropout: 0.0"
    (folder / "numbers.yaml").write_text(
        f"data: {{task: translation, {data}, columns: {{source: source, target: target}}}}\n"
        "tokenizer: {name: whitespace, lowercase: false}\n"
        "representation: {name: embedding, dim: 16, min_count: 1, scaled: true}\n"
        f"encoder: {{name: transformer, {shape}}}\n"
        f"head: {{name: seq2seq, decoder: {{name: transformer, {shape}}}}}\n"
        "trainer: {epochs: 3, lr: 0.01, precision: fp32}\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(costs, "measure_model", lambda *_: {**USE, "joules_per_text": 0.1})
        return nlpipe.run(folder / "numbers.yaml", out=folder / "out").folder


@pytest.fixture(scope="module")
def exported(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its export, said to be twice as fast."""

    def measured(model: Path, *_: object) -> dict[str, float]:
        use = {name: value for name, value in USE.items() if not exports(model) or "per_text" not in name}
        return {**use, "latency_p50_seconds": USE["latency_p50_seconds"] / (2 if exports(model) else 1)}

    folder = tmp_path_factory.mktemp("exported") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "measure_model", measured)
        proof = export_ctranslate2(run, folder)
    assert proof is not None and proof.flipped == 0 and proof.loss == 0 and not proof.faults
    assert proof.faster_alone == pytest.approx(2)
    return folder


def exports(model: Path) -> bool:
    return bool(list(model.glob("*.ctranslate2")))


def test_an_export_is_a_run_for_every_command(run: Path, exported: Path, tmp_path: Path) -> None:
    environment = Result(exported).environment
    assert environment["runtime"] == "ctranslate2" and environment["exported_from"] == str(run)
    assert environment["name"] == "numbers-ctranslate2" and environment["packages"]["ctranslate2"]
    assert Result(exported).scores == pytest.approx(Result(run).scores)
    assert "joules_per_text" in Result(run).costs and "joules_per_text" not in Result(exported).costs
    assert "fit_seconds" in Result(exported).costs
    assert evaluate(exported, str(run.parents[1] / "test.csv")).metrics["scores"] == pytest.approx(
        Result(exported).scores
    )
    shutil.copytree(exported, tmp_path / "moved")
    done = command("predict", tmp_path / "moved", "two six", "--set", "beam=2", "--n-best", "2")
    assert len(json.loads(done.stdout)["n_best"]) == 2
    Pipeline.load(exported).save(tmp_path / "saved")
    assert Pipeline.load(tmp_path / "saved").predict(TEXTS[:2]).texts == Pipeline.load(run).predict(TEXTS[:2]).texts


def test_what_the_runtime_has_not_is_told_when_it_is_asked_for(exported: Path) -> None:
    said = complaint("predict", exported, "one", "--set", "coverage_penalty=0.2")
    assert "coverage_penalty: not an option of CTranslate2 that can be changed after fitting" in said
    assert "the head CTranslate2 has no attention" in complaint("predict", exported, "one", "--attention", "page.html")


def test_a_changed_file_and_that_of_another_model_are_told(exported: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(exported, folder)
    file = folder / "model" / "1-head.ctranslate2" / "model.bin"
    content = file.read_bytes()
    file.write_bytes(content[:-1] + b"\7")
    said = complaint("predict", folder, "one")
    assert "1-head.ctranslate2/model.bin: damaged: its content does not match the sha256 in model.json" in said
    file.unlink()
    assert "1-head.ctranslate2/model.bin: missing" in complaint("predict", folder, "one")
    file.write_bytes(content)
    file.with_name("more.json").write_text("{}")
    assert "more.json: not a file of this model" in complaint("predict", folder, "one")
    head = Pipeline.load(exported).head
    assert isinstance(head, CTranslate2)
    files = {name.partition("/")[2]: part for name, part in head.state().files.items()}
    words = [*json.loads(files["shared_vocabulary.json"])[:-1], "other"]
    with pytest.raises(ModelError, match=r"shared_vocabulary\.json is that of another model"):
        head.use({**files, "shared_vocabulary.json": json.dumps(words).encode()}, head.source, head.target, 2.0, 9)
    head.use({**files, "model.bin": content[:90]}, head.source, head.target, 2.0, 9)
    with pytest.raises(ModelError, match=r"cannot read the model: .*; export the run again"):
        head._translator()


def test_what_cannot_be_exported_is_told(tmp_path: Path) -> None:
    def refused(pipeline: Pipeline, message: str) -> None:
        with pytest.raises(ModelError, match=message):
            export_ctranslate2(pipeline.save(tmp_path / "saved"), tmp_path / "new", force=True)
        assert not (tmp_path / "new").exists()

    refused(fitted(GRU(hidden=8)), "this decoder is 'gru'; run a pipeline whose encoder and decoder are 'transformer'")
    refused(fitted(positions="rotary"), "encoder: CTranslate2 has no rotary positions")
    searching = fitted()
    searching.head.change(coverage_penalty=0.2)
    refused(searching, "head: coverage_penalty: CTranslate2 has nothing that means 0.2; run the pipeline with cov")
    classical = Pipeline([nlpipe.tokenizers.Regex(), nlpipe.representations.TfIdf(), nlpipe.heads.NaiveBayes()])
    refused(classical.fit(["a", "b"], ["x", "y"]), r"these stages are others \(regex → tfidf → naive_bayes\)")
    refused(Pipeline.load(exported_of(fitted(), tmp_path / "first")), "CTranslate2 computes it already; export the run")
    with pytest.raises(WiringError, match="this head is not fitted, but made of a run"):
        Pipeline([Whitespace(), CTranslate2()], "translation").fit(["a"], ["b"])
    with pytest.raises(NlpipeError, match="'pickle' for --to; known: arpa, ctranslate2, onnx, transformers"):
        app(["export", str(tmp_path), str(tmp_path / "out"), "--to", "pickle"], standalone_mode=False)


def test_nothing_is_lost_or_left(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "old").mkdir()
    with pytest.raises(ModelError, match="old exists already; name a new directory"):
        export_ctranslate2(run, tmp_path / "old")
    with pytest.raises(ModelError, match=r"has no test items .* add --force"):
        export_ctranslate2(run / "model", tmp_path / "new")
    with monkeypatch.context() as patch:
        patch.setattr(export, "measure_model", lambda *_: USE)
        with pytest.raises(ModelError, match=r"not exported: it is not faster.*--force"):
            export_ctranslate2(run, tmp_path / "new")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "ctranslate2.specs", None)
        with pytest.raises(MissingExtra, match=r"needs the package 'ctranslate2'.*nlpipe\[ctranslate2\]"):
            export_ctranslate2(run, tmp_path / "new")

    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "new"))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(NlpipeError, match="No space left on device; no partial folder was left"):
        export_ctranslate2(run, tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


def test_a_missing_package_is_told_when_an_export_is_loaded(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ctranslate2", None)
    with pytest.raises(MissingExtra, match=r"exported to ctranslate2 needs the package 'ctranslate2'.*nlpipe\[ct"):
        Pipeline.load(exported)
