"""A pretrained encoder-decoder as a pipeline, shown on small random BART and T5 that are built here."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

import nlpipe
from nlpipe.errors import ModelError, NlpipeWarning
from nlpipe.heads import PretrainedSeq2Seq
from nlpipe.pipeline import Pipeline
from nlpipe.spec import read_pipeline
from nlpipe.wire import Text
from tests.tiny_models import write_translator

pytestmark = pytest.mark.filterwarnings("ignore:.* answers were cut")  # random models find no end

WORDS = ["a", "b", "c", "d", "e", "ein", "zwei", "drei", "vier"]
TEXTS = ["a b c", "", "d", "e d c b a a a", " ", "unknown words b", "c b"]


@pytest.fixture(scope="module", params=["bart", "t5"])
def model(request, tmp_path_factory):
    return write_translator(request.param, tmp_path_factory.mktemp(request.param), WORDS)


def pipeline(model, **options):
    head = PretrainedSeq2Seq(model, **{"max_length": 8, "batch": 3, **options})
    return Pipeline([head], "translation").fit(["a"], ["ein"])


def test_it_answers_as_generate_does(model):
    predictions = pipeline(model, beam=2).predict(TEXTS)
    network = transformers.AutoModelForSeq2SeqLM.from_pretrained(model)
    tokenizer = transformers.AutoTokenizer.from_pretrained(model)
    for text, answer, score in zip(TEXTS, predictions.values.strings, predictions.scores, strict=True):
        if not text.strip():
            assert (answer, score) == ("", 0.0)
            continue
        with torch.inference_mode():
            generated = network.generate(**tokenizer([text], return_tensors="pt"), num_beams=2, max_new_tokens=8)
            logits = network(**tokenizer([text], return_tensors="pt"), decoder_input_ids=generated[:, :-1]).logits
        assert answer == tokenizer.decode(generated[0], skip_special_tokens=True)
        logs = logits[0].log_softmax(-1)
        expected = 0.0
        for place, piece in enumerate(generated[0, 1:].tolist()):
            expected += float(logs[place, piece])
            if piece == 1:
                break
        assert score == pytest.approx(expected, abs=1e-4)


def test_it_is_saved_whole(model, tmp_path):
    fitted = pipeline(model, beam=2, length_penalty=0.5)
    again = Pipeline.load(fitted.save(tmp_path / "model"))
    for name, tensor in fitted.head.network.state_dict().items():
        assert torch.equal(tensor, again.head.network.state_dict()[name]), name
    before, after = fitted.predict(TEXTS), again.predict(TEXTS)
    assert after.values.strings == before.values.strings
    np.testing.assert_array_equal(after.scores, before.scores)


def test_a_batch_equals_one_by_one(model):
    fitted = pipeline(model)
    together = fitted.predict(TEXTS)
    alone = [fitted.predict([text]) for text in TEXTS]
    assert together.values.strings == [one.values.strings[0] for one in alone]
    np.testing.assert_allclose(together.scores, [one.scores[0] for one in alone], atol=1e-4)


def test_what_is_too_long_is_cut_and_counted(model):
    fitted = pipeline(model)
    with pytest.warns(NlpipeWarning, match="1 of 2 texts are longer than the 12 word pieces"):
        long = fitted.predict(["b " * 2000, "a"]).values.strings
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", ".* answers were cut")
        assert long == fitted.predict(["b " * 11, "a"]).values.strings


def test_its_file_needs_no_tokenizer(model):
    head = {"name": "pretrained_seq2seq", "model": model}
    spec = read_pipeline({"data": None, "head": head})
    assert [stage.name for stage in spec.stages] == ["pretrained_seq2seq"]
    assert read_pipeline(spec.resolved()).resolved() == spec.resolved()


def test_models_that_are_none(model, tmp_path):
    with pytest.raises(ModelError, match="there is no directory"):
        pipeline(str(tmp_path / "nowhere"))
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(ModelError, match=r"only as pytorch_model\.bin"):
        pipeline(str(tmp_path))
    (tmp_path / "model.safetensors").write_bytes(b"")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(ModelError, match="bert is not an encoder-decoder model"):
        pipeline(str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "t5"}))
    with pytest.raises(ModelError, match="cannot read the model"):
        pipeline(str(tmp_path))


def test_it_takes_text_alone():
    assert PretrainedSeq2Seq.takes is Text
    assert PretrainedSeq2Seq.gives is Text


def test_an_answer_stops_at_the_positions_of_the_decoder(model):
    """BART has 32, T5 any number."""
    positions = json.loads((Path(model) / "config.json").read_text()).get("max_position_embeddings", 50)
    long = pipeline(model, max_length=50, beam=1)
    long.head.network.generation_config.eos_token_id = None  # it never ends
    answers = long.head._answer(long.head._tokenize(["a b c"])[0])[0]
    assert len(answers) == 1 and len(answers[0].split()) <= positions


def test_a_tokenizer_without_a_longest_text_cuts_nothing(model, tmp_path):
    bare = shutil.copytree(model, tmp_path / "bare")
    for name, key in (("tokenizer_config.json", "model_max_length"), ("config.json", "n_positions")):
        content = json.loads((bare / name).read_text())
        content.pop(key, None)
        (bare / name).write_text(json.dumps(content))
    text = " ".join(["a"] * 20)
    assert len(pipeline(str(bare)).predict([text, "b"]).values.strings) == 2


def test_a_language_that_the_tokenizer_does_not_know(model, tmp_path):
    with pytest.raises(
        ModelError, match="target_language: the model's tokenizer knows no language 'de'; it knows none"
    ):
        pipeline(model, target_language="de")
    several = tmp_path / "several"
    tokenizer = transformers.AutoTokenizer.from_pretrained(model)
    tokenizer.add_special_tokens({"additional_special_tokens": ["deu_Latn", "eng_Latn"]})
    network = transformers.AutoModelForSeq2SeqLM.from_pretrained(model)
    network.resize_token_embeddings(len(tokenizer))
    network.save_pretrained(several)
    tokenizer.save_pretrained(several)
    with pytest.raises(ModelError, match="did you mean 'deu_Latn'"):
        pipeline(str(several), target_language="deu_Latin")
    with pytest.raises(ModelError, match="it knows deu_Latn, eng_Latn"):
        pipeline(str(several), target_language="xx")
    with pytest.raises(ModelError, match="has no source_language"):
        pipeline(str(several), source_language="eng_Latn")
    assert pipeline(str(several), target_language="deu_Latn").predict(["a b"]).values.strings[0] is not None


def test_it_runs_and_is_compared_as_any_other(model, tmp_path, monkeypatch):
    """From the file to the table: scores, costs and ledger of a pipeline without a tokenizer of its own."""
    monkeypatch.chdir(tmp_path)
    for name, count in (("train", 20), ("test", 6)):
        (tmp_path / f"{name}.tsv").write_text("".join(f"{i} a b\t{i} ein zwei\n" for i in range(count)))
    columns = "columns: {source: 0, target: 1}"
    data = f"{{task: translation, train: train.tsv, test: test.tsv, {columns}}}"
    head = f"{{name: pretrained_seq2seq, model: {model}, max_length: 60, batch: 3}}"
    (tmp_path / "p.yaml").write_text(f"data: {data}\nhead: {head}\n")
    result = nlpipe.run("p.yaml")
    assert result.metrics["primary"] == "bleu" and len(list(result.records())) == 6
    assert result.ledger["test"]["counts"]["examples"] == 6
    assert result.costs["peak_memory_bytes"] > 0
