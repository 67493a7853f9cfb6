"""A translator takes CTranslate2 by itself where its run showed that it answers alike and faster."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner

import nlpipe
from nlpipe.bulk.answer_process import Answerer, Setting
from nlpipe.bulk.bulk import Here
from nlpipe.cli.app import app
from nlpipe.datasets.load import load_dataset
from nlpipe.decoders import GRU
from nlpipe.decoders import Transformer as Decoder
from nlpipe.encoders import Transformer
from nlpipe.errors import ModelError, NlpipeError, NlpipeWarning
from nlpipe.heads import CTranslate2, Seq2Seq
from nlpipe.integrations.ctranslate2_export import export_ctranslate2
from nlpipe.pipeline import Pipeline, runtimes
from nlpipe.pipeline.cascade import Cascade
from nlpipe.pipeline.integrity import sealed
from nlpipe.pipeline.thresholds import Aim, Thresholds
from nlpipe.representations import Embedding
from nlpipe.runs import costs
from nlpipe.runs.fit import _told, fit
from nlpipe.runs.identity import run_hash
from nlpipe.runs.result import Result
from nlpipe.spec import read_pipeline
from nlpipe.tokenizers import Whitespace
from nlpipe.wire import Text
from tests.commands import complaint
from tests.unit.integrations.test_ctranslate2 import TEXTS, fitted, sentences
from tests.unit.runs.finished_runs import USE

pytest.importorskip("ctranslate2", reason="needs ctranslate2 (pip install 'nlpipe[ctranslate2]')")


@pytest.fixture(scope="module")
def translator() -> Pipeline:
    return fitted()


def take(monkeypatch: pytest.MonkeyPatch, *seconds: float) -> None:
    """Have the stages take the first of ``seconds``, one by one and in a batch, and then CTranslate2 the others."""
    left = iter(seconds)
    monkeypatch.setattr(runtimes, "timed", lambda way, parts: ([way(part) for part in parts], next(left)))


@pytest.fixture
def faster(monkeypatch: pytest.MonkeyPatch) -> None:
    """CTranslate2 is four times as fast."""
    take(monkeypatch, 4, 4, 1, 1)


@pytest.fixture
def saved(translator: Pipeline, faster: None, tmp_path: Path) -> Path:
    """The folder of a pipeline that showed CTranslate2 to answer alike, four times as fast."""
    translator.try_runtimes(Text(sentences(20, 3)[0]))
    return translator.save(tmp_path / "saved")


@pytest.mark.filterwarnings("ignore:.* answers were cut")
def test_what_answers_alike_and_faster_is_taken_when_the_model_is_loaded(saved: Path) -> None:
    record = json.loads((saved / "model.json").read_text())["runtimes"]["ctranslate2"]
    assert record == {
        "compared": 20, "same": 20, "times_as_fast_alone": 4.0, "times_as_fast_in_batches": 4.0, "taken": True,
    }  # fmt: skip
    loaded = Pipeline.load(saved)
    assert loaded.runtime == "ctranslate2"
    own = Pipeline.load(saved, runtime="nlpipe")
    assert own.runtime == "nlpipe" and own.predict(TEXTS).texts == loaded.predict(TEXTS).texts
    loaded.fit(*sentences(20))  # other weights: nothing is known of them
    assert loaded.runtime == "nlpipe" and not loaded.runtimes


@pytest.mark.filterwarnings("ignore:.* answers were cut")
def test_it_searches_as_the_options_say_and_leaves_to_the_stages_what_it_cannot(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded, own = Pipeline.load(saved), Pipeline.load(saved, runtime="nlpipe")
    calls: list[int] = []
    beside = loaded._beside
    assert beside is not None
    predict = beside.head.predict
    monkeypatch.setattr(beside.head, "predict", lambda tokens: calls.append(beside.head.beam) or predict(tokens))
    for options in ({"beam": 2}, {"beam": 1}, {"beam": 3, "coverage_penalty": 0.3}):
        for pipeline in (loaded, own):
            pipeline.head.change(**options)
        assert loaded.predict(TEXTS[:4]).texts == own.predict(TEXTS[:4]).texts
    assert calls == [2, 1]  # with a coverage penalty the stages answer
    monkeypatch.setattr(runtimes, "POSITIONS", 3)
    for pipeline in (loaded, own):
        pipeline.head.change(coverage_penalty=0.0)
    assert loaded.predict(TEXTS[:1]).texts == own.predict(TEXTS[:1]).texts
    assert calls == [2, 1]  # and a text that is too long for CTranslate2


def test_one_that_answers_otherwise_or_slower_is_not_taken(
    translator: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = Text(sentences(20, 3)[0])
    monkeypatch.setattr(runtimes, "ALIKE", 1.01)
    translator.try_runtimes(inputs)
    assert translator.runtimes["ctranslate2"]["taken"] is False and translator.runtime == "nlpipe"
    monkeypatch.undo()
    take(monkeypatch, 1, 1, 2, 0.5)
    translator.try_runtimes(inputs)
    assert translator.runtimes["ctranslate2"]["times_as_fast_alone"] == 0.5 and translator.runtime == "nlpipe"


def test_where_it_is_missing_or_not_of_use_the_stages_answer(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(runtimes, "installed", lambda: False)
        assert Pipeline.load(saved).runtime == "nlpipe"
    monkeypatch.setenv("NLPIPE_RUNTIME", "nlpipe")
    assert Pipeline.load(saved).runtime == "nlpipe"
    assert Pipeline.load(saved, runtime="ctranslate2").runtime == "ctranslate2"
    monkeypatch.setenv("NLPIPE_RUNTIME", "fast")
    with pytest.raises(NlpipeError, match="NLPIPE_RUNTIME: unknown runtime 'fast'; known: auto, nlpipe, ctranslate2"):
        Pipeline.load(saved)


def test_what_is_asked_for_and_cannot_be_is_told(saved: Path, tmp_path: Path) -> None:
    asked = ("predict", saved, "one", "--runtime", "ctranslate2")
    assert "head: coverage_penalty: CTranslate2 has nothing that means 0.1" in complaint(
        *asked, "--set", "coverage_penalty=0.1"
    )
    classical = Pipeline([nlpipe.tokenizers.Regex(), nlpipe.representations.TfIdf(), nlpipe.heads.NaiveBayes()])
    folder = classical.fit(["a", "b"], ["x", "y"]).save(tmp_path / "classical")
    with pytest.raises(NlpipeError, match=r"CTranslate2 computes a tokenizer, .* these stages are others"):
        Pipeline.load(folder, runtime="ctranslate2")
    assert Pipeline.load(folder).runtime == "nlpipe"
    both = Cascade([classical, classical], Aim(within=0.1), "both", Thresholds((0.5,))).save(tmp_path / "both")
    for runtime, message in (("ctranslate2", "these stages are others"), ("fast", "runtime: unknown runtime 'fast'")):
        with pytest.raises(NlpipeError, match=message):
            Pipeline.load(both, runtime=runtime)
    manifest = json.loads((folder / "model.json").read_text())
    manifest["runtimes"] = {"ctranslate2": {"taken": True}}  # of another model
    (folder / "model.json").write_text(json.dumps(sealed(folder, manifest)))
    with pytest.warns(NlpipeWarning, match="CTranslate2 is not used: .* these stages are others"):
        assert Pipeline.load(folder).runtime == "nlpipe"


@pytest.mark.filterwarnings("ignore:.* answers were cut")
def test_the_stages_answer_where_it_fails_unless_it_is_forced(
    translator: Pipeline, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Pipeline.load(saved, runtime="nlpipe").predict(TEXTS).texts

    def fails(message: str) -> None:
        with pytest.warns(NlpipeWarning, match=f"CTranslate2 is not used: .*{message}.*; the pipeline's own network"):
            assert Pipeline.load(saved).predict(TEXTS).texts == own
        with pytest.raises(ModelError, match=message):
            Pipeline.load(saved, runtime="ctranslate2").predict(TEXTS)
        take(monkeypatch, 4, 4, 1, 1)
        with pytest.warns(NlpipeWarning, match=message):
            translator.try_runtimes(Text(TEXTS[:2]))
        assert not translator.runtimes and translator.runtime == "nlpipe"

    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
        fails("gone.*: No such file or directory; .* TMPDIR")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "ctranslate2.specs", ModuleType("broken"))
        fails("ctranslate2 is installed but cannot be loaded: cannot import name")

    class Broken:
        def translate_batch(self, *_: object, **__: object) -> None:
            raise RuntimeError("out of\nmemory")

    with monkeypatch.context() as patch:
        patch.setattr(CTranslate2, "_translator", lambda self: Broken())
        fails("CTranslate2 failed: out of memory")


def test_a_cascade_hands_the_runtime_to_its_members(translator: Pipeline, saved: Path, tmp_path: Path) -> None:
    members = [Pipeline.load(saved), Pipeline.load(saved)]
    folder = Cascade(members, Aim(within=0.1), "both", Thresholds((0.5,))).save(tmp_path / "both")
    assert Pipeline.load(folder).runtime == "ctranslate2"
    own = Pipeline.load(folder, runtime="nlpipe")
    assert own.runtime == "nlpipe" and [member.runtime for member in own.members] == ["nlpipe"] * 2
    own.use_runtime()
    assert [member.runtime for member in own.members] == ["ctranslate2"] * 2
    with pytest.raises(ModelError, match="both is a cascade; export its members"):
        export_ctranslate2(folder, tmp_path / "out", force=True)


def test_a_runtime_that_cannot_be_is_told_before_anything_is_fitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fitted(*_: object) -> None:
        pytest.fail("it was fitted")

    monkeypatch.setattr(Pipeline, "fit_split", fitted)
    spec = read_pipeline({"data": "sample_reviews", "representation": "bow", "head": "naive_bayes"})
    dataset = load_dataset("sample_reviews")
    for runtime, message in (("ctranslat2", "unknown runtime 'ctranslat2'"), ("ctranslate2", "stages are others")):
        monkeypatch.setenv("NLPIPE_RUNTIME", runtime)
        with pytest.raises(NlpipeError, match=message):
            fit(spec, dataset, tmp_path / "run")


def test_a_run_of_a_translator_is_another_with_another_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = load_dataset("sample_reviews")

    def hashes(spec: dict[str, Any]) -> list[str]:
        found = []
        for runtime in ("auto", "nlpipe", "ctranslate2"):
            monkeypatch.setenv("NLPIPE_RUNTIME", runtime)
            found.append(run_hash(read_pipeline(spec), dataset, 13, None))
        monkeypatch.delenv("NLPIPE_RUNTIME")
        assert run_hash(read_pipeline(spec), dataset, 13, None) == found[0]
        return found

    shape = {"name": "transformer", "layers": 1, "heads": 2}
    translator = {"representation": "embedding", "encoder": shape, "head": {"name": "seq2seq", "decoder": shape}}
    assert len(set(hashes(translator))) == 3
    assert len(set(hashes({"representation": "bow", "head": "naive_bayes"}))) == 1


def test_what_it_can_compute_is_known_before_fitting() -> None:
    def stages(decoder: Any, hidden: int | None = None) -> list[Any]:
        encoder = Transformer(hidden=hidden, layers=1, heads=2)
        return [Whitespace(), Embedding(dim=16), encoder, Seq2Seq(decoder)]

    assert runtimes.computable(stages(Decoder(layers=1, heads=2)))
    assert not runtimes.computable(stages(GRU(hidden=8))) and not runtimes.computable(stages(Decoder(), hidden=32))


def translation(tmp_path: Path, epochs: int) -> dict[str, Any]:
    """A pipeline that translates numbers, whose data is written into ``tmp_path``."""
    shape: dict[str, Any] = {"name": "transformer", "layers": 1, "heads": 2, "feed_forward": 24}
    pairs = [{"source": a, "target": b} for a, b in zip(*sentences(40), strict=True)]
    for split, rows in (("train", pairs[:20]), ("dev", pairs[20:30]), ("test", pairs[30:])):
        (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {
        "data": {"task": "translation", "columns": {"source": "source", "target": "target"},
                 **{split: str(tmp_path / f"{split}.jsonl") for split in ("train", "dev", "test")}},
        "tokenizer": "whitespace", "representation": {"name": "embedding", "dim": 16, "min_count": 1},
        "encoder": shape, "head": {"name": "seq2seq", "decoder": shape}, "trainer": {"epochs": epochs, "lr": 0.01},
    }  # fmt: skip


@pytest.mark.filterwarnings("ignore:.* answers were cut")
def test_what_was_fitted_is_kept_where_the_runtime_that_is_asked_for_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = translation(tmp_path, 1)
    monkeypatch.setenv("NLPIPE_RUNTIME", "ctranslate2")
    monkeypatch.setattr("nlpipe.pipeline.pipeline.compare", lambda *_: None)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(ModelError, match="temporary folder"):
        fit(read_pipeline(spec), load_dataset(spec["data"]), tmp_path / "run")
    assert Pipeline.load(tmp_path / "run", runtime="nlpipe").predict(["one"]).texts


def test_a_run_says_what_computes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faster: None) -> None:
    monkeypatch.setattr(costs, "measure_model", lambda *_: USE)
    said: list[str] = []
    spec = translation(tmp_path, 20)
    pipeline = fit(read_pipeline(spec), load_dataset(spec["data"]), tmp_path / "run", report=said.append)
    assert pipeline.runtime == "ctranslate2", (said, pipeline.runtimes)
    assert Result(tmp_path / "run").environment["runtime"] == "ctranslate2"
    (line,) = [text for text in said if text.startswith("ctranslate2: ")]
    assert line == (
        "ctranslate2: 10 of 10 answers are the same, 4.0 times as fast one by one, 4.0 in batches; it answers from "
        "here on (--runtime nlpipe: not)"
    )
    assert _told("ctranslate2", pipeline.runtimes["ctranslate2"], "nlpipe").endswith("in batches; it is not used")


@pytest.mark.filterwarnings("ignore:.* answers were cut")
def test_workers_answer_by_the_runtime_of_the_command_and_its_folder_records_it(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: list[Setting] = []

    class Workers(Here):
        width = 1

        def __init__(self, setting: Setting, jobs: int) -> None:
            settings.append(setting)
            self.answerer = Answerer(setting)

    monkeypatch.setattr("nlpipe.bulk.local_workers.Processes", Workers)
    (tmp_path / "texts.txt").write_text("".join(f"{text}\n" for text in TEXTS if text.strip()), encoding="utf-8")
    words = ["predict", str(saved), "--file", str(tmp_path / "texts.txt"), "--output", str(tmp_path / "out")]
    words += ["--part-rows", "2", "--jobs", "2"]
    done = CliRunner().invoke(app, [*words, "--runtime", "nlpipe"], catch_exceptions=False)
    assert done.exit_code == 0 and (settings[0]["runtime"], settings[0]["computes"]) == ("nlpipe", "nlpipe")
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["identity"]["runtime"] == "nlpipe"
    other = CliRunner().invoke(app, words)
    assert "these answers were made with runtime 'nlpipe', now runtime 'ctranslate2'" in str(other.exception)
    assert CliRunner().invoke(app, [*words[:-4], "--jobs", "2", "--output", str(tmp_path / "o.txt")]).exit_code == 0
    assert (settings[1]["runtime"], settings[1]["computes"]) == ("auto", "ctranslate2")
    monkeypatch.setattr(runtimes, "installed", lambda: False)
    with pytest.raises(NlpipeError, match="a worker computes with nlpipe and the command with ctranslate2: install"):
        Answerer(settings[1])
