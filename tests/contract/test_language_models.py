"""The laws of language models, over every head that gives the probability of texts or fills their gaps.

A model that is new is covered when it has a line in ``PIPELINES``.
"""

from __future__ import annotations

import copy
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import nlpipe
from nlpipe.audit.extraction import memorisation
from nlpipe.audit.memorisation import Sampling
from nlpipe.capabilities import Fills, Generates, able, declares
from nlpipe.errors import NlpipeError
from nlpipe.pipeline import Pipeline
from nlpipe.pipeline.reading import Reader
from nlpipe.registry import slot
from nlpipe.vocabulary import END, START

from .examples import NASTY, TEXTS

WORDS = {"name": "whitespace", "lowercase": False}
TABLE = {"name": "embedding", "dim": 8, "min_count": 2}
TRAINER = {"epochs": 2, "batch_size": 4, "precision": "fp32"}


def causal(encoder: Any, head: Any = "language_model", tokenizer: Any = WORDS) -> dict[str, Any]:
    return {
        "tokenizer": tokenizer, "representation": TABLE, "encoder": encoder, "head": head, "trainer": TRAINER,
        "data": {"task": "language_modelling", "train": "unused.txt"},
    }  # fmt: skip


def counted(**options: Any) -> dict[str, Any]:
    data = {"task": "language_modelling", "train": "unused.txt"}
    return {"tokenizer": WORDS, "head": {"name": "ngram", **options}, "data": data}


SHORT = {"name": "language_model", "context": 6}
MIXED = {"name": "interpolated", "models": [SHORT, "ngram"]}
BERT = {"name": "new_bert", "pieces": 150, "depth": 2, "hidden": 8, "heads": 2, "precision": "fp32"}
PIPELINES: dict[str, tuple[str, dict[str, Any]]] = {
    "kneser_ney": ("ngram", counted(order=3, min_count=2)),
    "unigrams": ("ngram", counted(order=1)),
    "add_k": ("ngram", counted(smoothing="add_k")),
    "stupid_backoff": ("ngram", counted(smoothing="stupid_backoff")),
    "rnn": ("language_model", causal({"name": "rnn", "hidden": 6})),
    "lstm": ("language_model", causal({"name": "lstm", "hidden": 6, "layers": 2}, {**SHORT, "tied": False})),
    "gru": ("language_model", causal({"name": "gru", "hidden": 8}, SHORT)),
    "gpt": ("language_model", causal({"name": "transformer", "heads": 2, "causal": True, "positions": "rotary"})),
    "short gpt": (
        "language_model",
        causal({"name": "transformer", "heads": 2, "causal": True, "positions": "learned", "max_length": 6}, SHORT),
    ),
    "characters": ("language_model", causal({"name": "gru", "hidden": 8}, SHORT, {"name": "characters"})),
    "mixed": ("interpolated", causal({"name": "lstm", "hidden": 6}, MIXED)),
    "masked": (
        "masked_language_model",
        {
            "representation": BERT, "trainer": TRAINER,
            "head": {"name": "masked_language_model", "context": 10, "whole_words": True},
            "data": {"task": "masked_language_modelling", "train": "unused.txt"},
        },
    ),
}  # fmt: skip
"""A pipeline for each kind of model: the head's name, and the file."""
CASES = [("head", name) for name, _ in PIPELINES.values()]
CAUSAL = [name for name, (head, _) in PIPELINES.items() if declares(slot("head").load(head), Generates)]
NEW = [*TEXTS[::5], "a word nobody knows: xyzzy", *(text[:300] for text in NASTY.values())]


@pytest.fixture(scope="module")
def models() -> dict[str, Pipeline]:
    return {}


def fitted(models: dict[str, Pipeline], name: str) -> Pipeline:
    if name not in models:
        models[name] = nlpipe.load(copy.deepcopy(PIPELINES[name][1])).fit(TEXTS, dev=(TEXTS[:5], None))
    return models[name]


@pytest.mark.parametrize("name", PIPELINES)
def test_every_text_has_a_probability_alone_and_in_a_batch(models: dict[str, Pipeline], name: str) -> None:
    pipeline = fitted(models, name)
    together = pipeline.predict(NEW)
    assert together.values.strings == NEW and np.isfinite(together.scores).all() and (together.scores <= 0).all()
    alone = [float(pipeline.predict([text]).scores[0]) for text in NEW]
    np.testing.assert_allclose(together.scores, alone, rtol=1e-4, atol=1e-4)
    assert (together.units is not None) is (able(pipeline.head, Fills) is not None)


@pytest.mark.parametrize("name", PIPELINES)
def test_a_saved_model_gives_the_same(models: dict[str, Pipeline], name: str, tmp_path: Path) -> None:
    pipeline = fitted(models, name)
    again = Pipeline.load(pipeline.save(tmp_path / "model"))
    np.testing.assert_allclose(again.predict(NEW).scores, pipeline.predict(NEW).scores, rtol=1e-5)


@pytest.mark.parametrize("name", CAUSAL)
def test_it_can_be_audited_for_training_text(models: dict[str, Pipeline], name: str) -> None:
    found = memorisation(fitted(models, name), TEXTS, NEW, Sampling(samples=6, max_new_tokens=12, length=4, context=3))
    for part in (found.generated, found.held_out):
        assert part.texts == 6 and part.continued is not None and part.continued.total == 6
    assert all(any(passage.text in text for text in TEXTS) for passage in found.passages)


@pytest.mark.parametrize("name", CAUSAL)
def test_token_by_token_it_gives_what_it_gives_the_whole_text(models: dict[str, Pipeline], name: str) -> None:
    """The step function of generation, fed the gold tokens, has the log-probabilities of ``surprisals``."""
    pipeline = fitted(models, name)
    head = able(pipeline.head, Generates)
    assert head is not None
    context = getattr(pipeline.head, "context", None)
    for scored in pipeline.surprisals(TEXTS[:6]):
        ids = head.vocabulary.ids([START, *scored.tokens, END])
        model = head.next_tokens()
        state, logs, sums = model.start(1), [], []
        limit = len(ids) if context is None or Reader(pipeline.body, pipeline.head).context is None else context
        for read, wanted in zip(ids[:-1][:limit], ids[1:], strict=False):
            following, state = model.step(torch.tensor([read]), state)
            logs.append(float(following[0, wanted]))
            sums.append(float(following.double().exp().sum()))
        known = np.array([word in head.vocabulary for word in (*scored.tokens, END)])[:limit]
        np.testing.assert_allclose(np.array(logs)[known], -scored.nats[:limit][known], rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(sums, 1.0, rtol=1e-3)


SPELLED = "<s> </s> <unk> <pad> <mask> [MASK] [CLS]"


@pytest.mark.parametrize("name", CAUSAL)
def test_words_spelled_like_special_ones_are_words_like_others(models: dict[str, Pipeline], name: str) -> None:
    pipeline = fitted(models, name)
    if name != "characters":
        unseen = pipeline.surprisals([SPELLED])[0].nats
        known = float(pipeline.surprisals(["xyzzy"])[0].nats[0])  # an unknown word, with its spelling
        assert (unseen[:-1] > known / 3).all(), unseen
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = pipeline.generate([SPELLED], temperature=0, max_new_tokens=3)[0]
    assert found.text.startswith(SPELLED) and math.isfinite(found.log_probability)


@pytest.mark.parametrize("name", ["kneser_ney", "lstm", "mixed"])
def test_a_corpus_may_have_the_word_unk(name: str, tmp_path: Path) -> None:
    """Penn Treebank and WikiText have it in place of rare words."""
    pipeline = nlpipe.load(copy.deepcopy(PIPELINES[name][1])).fit(["the <unk> sat"] * 20, dev=(["the <unk>"], None))
    pipeline = Pipeline.load(pipeline.save(tmp_path / "model"))
    one, other = pipeline.surprisals(["the <unk> sat", "the <s> sat"])
    assert one.nats[1] < other.nats[1] and one.tokens == ("the", "<unk>", "sat")
    written = pipeline.generate(["the"] * 20, max_new_tokens=1)
    assert ("<unk>",) in {found.tokens for found in written} and "the <unk>" in {found.text for found in written}


@pytest.mark.parametrize("name", CAUSAL)
def test_what_comes_later_changes_nothing_before(models: dict[str, Pipeline], name: str) -> None:
    pipeline = fitted(models, name)
    one, other = pipeline.surprisals(["A warm, funny film", "A warm, funny cast of great length"])
    count = len(one.tokens) - len("film") if name == "characters" else 3
    np.testing.assert_allclose(one.nats[:count], other.nats[:count], rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore:the model does not know")
@pytest.mark.parametrize("name", CAUSAL)
@pytest.mark.parametrize("how", [{"temperature": 0}, {"seed": 5}, {"beam": 3}, {"top_k": 3}, {"top_p": 0.5}], ids=str)
def test_prompts_are_continued_in_a_batch_as_alone(models: dict[str, Pipeline], name: str, how: dict[str, Any]) -> None:
    pipeline = fitted(models, name)
    prompts = ["A warm,", "I", "", "The story is"]
    together = pipeline.generate(prompts, max_new_tokens=12, **how)
    for i, (prompt, found) in enumerate(zip(prompts, together, strict=True)):
        assert found.text.startswith(prompt) and len(found.tokens) <= 12 and math.isfinite(found.log_probability)
        own = {**how, "seed": how.get("seed", 13) + i}  # prompt i has the random numbers of seed + i
        alone = pipeline.generate([prompt], max_new_tokens=12, **own)[0]
        assert (alone.text, alone.tokens, alone.ended) == (found.text, found.tokens, found.ended)


def test_a_masked_model_is_what_transformers_loads(models: dict[str, Pipeline], tmp_path: Path) -> None:
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    pipeline = fitted(models, "masked")
    folder = pipeline.export(tmp_path / "bert")
    model, tokenizer = AutoModelForMaskedLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    own, splitter = pipeline.head.masked_model()
    text = "A [MASK], funny film with a [MASK] cast."
    with torch.no_grad():
        theirs = model(**tokenizer(text, return_tensors="pt")).logits
        ours = own(input_ids=torch.tensor([splitter.backend.encode(text).ids])).logits
    torch.testing.assert_close(theirs, ours)
    assert pipeline.fill([text.replace("[MASK]", "<Mask>")]) == pipeline.fill([text])
    for given, message in (
        (None, "texts: expected a list"),
        ([text, None], r"texts\[1\]: None"),
        (text, "write .text."),
    ):
        with pytest.raises(NlpipeError, match=message):
            pipeline.fill(given)
    for top in (0, -1, 2.5):
        with pytest.raises(NlpipeError, match="top: invalid value"):
            pipeline.fill([text], top=top)
    first = pipeline.fill([text], top=3)[0]
    assert len(first) == 2 and all(len(gap) == 3 for gap in first)
    gap = tokenizer(text, return_tensors="pt").input_ids[0].tolist().index(tokenizer.mask_token_id)
    values, ids = theirs[0, gap].softmax(-1).topk(3)
    assert [piece for piece, _ in first[0]] == tokenizer.convert_ids_to_tokens(ids.tolist())
    assert [share for _, share in first[0]] == pytest.approx(values.tolist())
