"""Pretrained encoders on tiny models made here: alignment, windows, freezing, state, export, bad directories."""

from __future__ import annotations

import itertools
import json
import pickle
import random
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

from nlpipe.decoders import GRU
from nlpipe.errors import ModelError
from nlpipe.heads import Seq2Seq
from nlpipe.nn.word_pieces import buckets, cut_windows, overlaps
from nlpipe.pipeline import Pipeline
from nlpipe.representations import Bert, Embedding, Join
from nlpipe.stage import State
from nlpipe.tokenizers import Regex, Whitespace
from nlpipe.wire import Span, Tokens
from tests.tiny_models import corpus
from tests.tiny_models import write_encoder as make


@pytest.fixture(scope="module", params=["bert", "roberta"])
def directory(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    return make(request.param, tmp_path_factory.mktemp("model") / request.param)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    return make("bert", tmp_path_factory.mktemp("model") / "tiny")


def tokens_of(texts: list[str], pattern: str = r"\w+|[^\w\s]") -> Tokens:
    def spans(text: str, words: list[str]) -> list[Span]:
        return [match.span() for match in re.finditer(pattern, text)]

    return Tokens([re.findall(pattern, text) for text in texts], texts, spans)


def built(directory: str, **options: Any) -> Bert:
    stage = Bert(directory, **{"precision": "fp32", **options})
    stage.build(0)
    return stage.eval()  # type: ignore[no-any-return]


def by_hand(directory: str, text: str, spans: list[Span], how: str = "mean", layer: int = -1) -> np.ndarray:
    """One text through ``transformers`` itself, pieces given to words character by character."""
    model = transformers.AutoModel.from_pretrained(directory)
    tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
    inputs = tokenizer(
        text, return_tensors="pt", return_offsets_mapping=True, return_special_tokens_mask=True, truncation=False,
        padding=False,
    )  # fmt: skip
    with torch.no_grad():
        output = model(inputs["input_ids"], output_hidden_states=True)
    hidden = output.hidden_states[layer][0].numpy()
    rows = []
    for start, end in spans:
        mine = [
            hidden[i]
            for i, (first, last) in enumerate(inputs["offset_mapping"][0].tolist())
            if not inputs["special_tokens_mask"][0][i] and set(range(first, last)) & set(range(start, end))
        ]
        pooled = {"mean": np.mean(mine, axis=0), "first": mine[0], "last": mine[-1]} if mine else {how: 0 * hidden[0]}
        rows.append(pooled[how])
    return np.stack(rows)


NASTY = [
    "",
    " \t\n ",
    "a",
    "Plain words, and some more.",
    "smile 🙂 🙂🙂 family 👨‍👩‍👧‍👦 flag 🇩🇪",
    "cafe\u0301 n\u0303o\u0308 Z\u0351\u036b\u0343\u036a",
    "line\u2028separator\u2029paragraph",
    "שלום עולם مرحبا بالعالم",
    "nul\0inside \0 \x07 bell",
    "\ufeffbom \u200bzero\u200dwidth",
    "half \ud83d pair",
    "漢字仮名交じり文",
]


@pytest.mark.parametrize("pattern", [r"\w+|[^\w\s]", r"\S+", r"(?s:.)"], ids=["regex", "whitespace", "characters"])
def test_one_finite_vector_a_word_on_nasty_texts(directory: str, pattern: str) -> None:
    stage = built(directory)
    tokens = tokens_of(NASTY, pattern)
    given = stage.forward(tokens)
    assert given.lengths.tolist() == [len(words) for words in tokens.words]
    assert given.form.rows.shape == (given.lengths.sum(), 16) and bool(given.form.rows.isfinite().all())
    empty = (given.form.rows == 0).all(-1).sum()
    assert empty == stage.ledger(tokens)["tokens_without_pieces"]
    assert stage.ledger(tokens)["tokens"] == given.lengths.sum()


@pytest.mark.parametrize("how", ["mean", "first", "last"])
def test_words_get_their_pieces_vectors(directory: str, how: str) -> None:
    stage = built(directory, pool=how)
    for text in [*corpus()[:3], "Ganz andere Wörter 🙂x", "ab"]:
        tokens = tokens_of([text])
        expected = by_hand(directory, text, tokens.spans(0), how)
        assert len(expected) < 38  # one window
        np.testing.assert_allclose(stage.forward(tokens).form.rows.numpy(), expected, atol=2e-5)


def test_pieces_over_several_words(tiny: str) -> None:
    text = corpus()[0]
    tokens = tokens_of([text], r"(?s:.)")  # every character a word, spaces too
    expected = by_hand(tiny, text, tokens.spans(0))
    np.testing.assert_allclose(built(tiny).forward(tokens).form.rows.numpy(), expected, atol=2e-5)


def test_layers_are_chosen_and_put_side_by_side(tiny: str) -> None:
    text = corpus()[1]
    tokens = tokens_of([text])
    stage = built(tiny, layers=[0, -2])
    assert stage.build(0) == 32
    expected = np.concatenate([by_hand(tiny, text, tokens.spans(0), layer=i) for i in (0, -2)], 1)
    np.testing.assert_allclose(stage.forward(tokens).form.rows.numpy(), expected, atol=2e-5)


def test_mixed_layers_start_as_their_mean_and_learn(tiny: str) -> None:
    text = corpus()[1]
    tokens = tokens_of([text])
    stage = built(tiny, layers="mix")
    assert stage.trainable and not stage.costly
    rows = stage.forward(tokens).form.rows
    expected = np.mean([by_hand(tiny, text, tokens.spans(0), layer=i) for i in range(4)], axis=0)
    np.testing.assert_allclose(rows.detach().numpy(), expected, atol=2e-5)
    rows.square().sum().backward()
    learned = [name for name, p in stage.named_parameters() if p.requires_grad]
    assert learned == ["mixture"] and stage.mixture is not None and bool(stage.mixture.grad.any())


def test_alone_and_in_a_batch(directory: str) -> None:
    texts = [*NASTY, *corpus()[:10], " ".join(corpus()[:15])]
    stage = built(directory, max_pieces_per_batch=100)
    together = stage.forward(tokens_of(texts)).form.rows
    alone = torch.cat([stage.forward(tokens_of([text])).form.rows for text in texts])
    torch.testing.assert_close(together, alone, atol=2e-5, rtol=1e-4)


def test_bf16_is_near_fp32(tiny: str) -> None:
    tokens = tokens_of(corpus()[:5])
    exact, half = (built(tiny, precision=p).forward(tokens).form.rows for p in ("fp32", "bf16"))
    assert half.dtype == torch.float32 and not torch.equal(exact, half)
    assert torch.cosine_similarity(exact, half).min() > 0.98


@torch.no_grad()
def test_weights_put_back_after_training_are_those_that_answer(tiny: str) -> None:
    """As the trainer does it: an epoch is scored, then the best weights are put back, then ``eval`` is called."""
    stage = built(tiny, precision="bf16", trainable=True)
    tokens = tokens_of(corpus()[:3])
    stage.forward(tokens)
    for parameter in stage.parameters():
        parameter.mul_(0.5)
    stage.eval()
    fresh = built(tiny, precision="bf16", trainable=True)
    for parameter in fresh.parameters():
        parameter.mul_(0.5)
    assert torch.equal(stage.forward(tokens).form.rows, fresh.forward(tokens).form.rows)


def test_a_text_of_ten_thousand_words_and_a_short_one(directory: str) -> None:
    words = " ".join(corpus() * 12).split()[:10_000]
    stage = built(directory, max_pieces_per_batch=4096)
    tokens = tokens_of([" ".join(words), "short one"], r"\S+")
    given = stage.forward(tokens)
    assert given.lengths.tolist() == [10_000, 2]
    assert bool((given.form.rows != 0).any(-1).all())  # every word has its vector
    assert stage.ledger(tokens)["windowed_texts"] == 1 and stage.ledger(tokens)["truncated_tokens"] == 0
    torch.testing.assert_close(given.form.rows[-2:], stage.forward(tokens.take([1])).form.rows, atol=2e-5, rtol=1e-4)


def test_a_window_is_read_as_a_text_of_its_own(tiny: str) -> None:
    """Without overlap, a long text is its windows one after the other, so each can be read by ``transformers``."""
    words = list("abcdefghij" * 4)  # one piece each
    stage = built(tiny, window=12, overlap=0.0)
    given = stage.forward(tokens_of([" ".join(words)])).form.rows.numpy()
    parts = [" ".join(words[i : i + 10]) for i in range(0, 40, 10)]
    expected = [by_hand(tiny, part, tokens_of([part]).spans(0)) for part in parts]
    np.testing.assert_allclose(given, np.concatenate(expected), atol=2e-5)


@given(st.lists(st.integers(0, 60), max_size=6), st.integers(1, 12), st.data())
def test_windows_cover_every_piece_once_in_the_middle(lengths: list[int], capacity: int, draw: st.DataObject) -> None:
    overlap = draw.draw(st.integers(0, capacity - 1))
    windows = cut_windows(lengths, capacity, overlap)
    assert (windows.count <= capacity).all() and (windows.count > 0).all()
    kept = [list(range(k, k + n)) for k, n in zip(windows.keep, windows.kept, strict=True)]
    assert [i for part in kept for i in part] == list(range(sum(lengths)))
    offsets = np.repeat(np.cumsum([0, *lengths])[:-1], lengths)
    ends = np.repeat(np.cumsum(lengths), lengths)
    stretches = list(zip(windows.start, windows.start + windows.count, strict=True))
    for (start, end), part in zip(stretches, kept, strict=True):
        for i in part:
            assert offsets[i] <= start <= i < end <= ends[i]  # within its own text
            margin = min(i - start, end - 1 - i)
            best = max(min(i - s, e - 1 - i) for s, e in stretches if s <= i < e)
            assert margin >= best - 1  # no window has it more in the middle (a tie may round either way)


@given(st.lists(st.integers(1, 50), max_size=40), st.integers(1, 200))
def test_buckets_hold_everything_once_within_the_budget(lengths: list[int], budget: int) -> None:
    batches = buckets(np.array(lengths, dtype=np.int64), budget)
    assert sorted(i for batch in batches for i in batch.tolist()) == list(range(len(lengths)))
    assert all(len(b) == 1 or len(b) * max(lengths[i] for i in b) <= budget for b in batches)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=40), st.integers(0, 60))
def test_buckets_hold_lengths_that_are_alike_or_little_padding(lengths: list[int], spare: int) -> None:
    batches = [np.array(lengths)[batch] for batch in buckets(np.array(lengths, dtype=np.int64), 10_000, spare)]
    for batch, after in itertools.pairwise([*batches, None]):
        alike = batch.max() <= batch.min() + max(2, batch.min() // 8)
        assert alike or (batch.max() - batch).sum() <= spare
        if after is not None:  # one more would have been too much
            assert after.min() > batch.min() + max(2, batch.min() // 8)
            assert (after.min() - batch).sum() > spare


@given(st.data())
def test_overlaps_are_those_of_sets_of_characters(draw: st.DataObject) -> None:
    def stretches() -> list[tuple[int, int]]:
        marks = sorted(draw.draw(st.sets(st.integers(0, 30), max_size=12)))
        return list(zip(marks[::2], marks[1::2], strict=False))

    offsets, spans = stretches(), stretches()
    if offsets and draw.draw(st.booleans()):
        offsets.insert(0, offsets[0])  # two pieces of one character, as byte-level vocabularies make them
    expected = {
        (p, w)
        for p, (a, b) in enumerate(offsets)
        for w, (c, d) in enumerate(spans)
        if set(range(a, b)) & set(range(c, d))
    }
    found = overlaps(np.reshape(offsets, (-1, 2)).astype(int), np.reshape(spans, (-1, 2)).astype(int))
    assert {(int(p), int(w)) for p, w in found.T} == expected and (np.diff(found[1]) >= 0).all()


def test_prepared_tokens_are_selected_and_joined(tiny: str) -> None:
    stage = built(tiny)
    tokens = tokens_of(corpus()[:4])
    prepared = stage.prepare(tokens)
    again = type(prepared).concat([prepared.take([2, 0]), prepared.take([3])])
    expected = stage.forward(tokens.take([2, 0, 3])).form.rows
    torch.testing.assert_close(stage.forward(again).form.rows, expected, atol=2e-5, rtol=1e-4)
    side = Join([stage, Embedding(dim=4)])
    side.fit([(tokens, None)])
    assert side.build(0) == 20 and side.forward(side.prepare(tokens)).form.rows.shape[1] == 20


def test_frozen_has_no_gradients_and_no_dropout(tiny: str) -> None:
    stage = built(tiny, dropout=0.0)
    assert not stage.trainable and stage.costly
    assert not any(p.requires_grad for p in stage.parameters())
    tokens = tokens_of(corpus()[:2])
    quiet = stage.forward(tokens).form.rows
    stage.train()
    assert torch.equal(stage.forward(tokens).form.rows, quiet) and not quiet.requires_grad


def test_fine_tuning_reaches_the_chosen_layers(tiny: str) -> None:
    def learned(**options: Any) -> set[str]:
        stage = built(tiny, trainable=True, **options)
        assert stage.trainable and not stage.costly
        stage.train()
        stage.forward(tokens_of(corpus()[:4])).form.rows.square().sum().backward()
        wanted = {name for name, p in stage.named_parameters() if p.requires_grad}
        found = {name for name, p in stage.named_parameters() if p.grad is not None and p.grad.any()}
        assert {n for n in wanted - found if "key.bias" not in n} == set()  # softmax ignores a bias of the keys
        return found

    assert any("embeddings" in name for name in learned())
    assert {re.findall(r"layer\.(\d)", name)[0] for name in learned(train_layers=1)} == {"2"}
    assert learned(gradient_pieces=1_000_000) == learned()


def plain(state: State) -> State:
    return State(state.arrays, json.loads(json.dumps(state.data)))


def test_a_frozen_model_is_saved_as_a_reference(tiny: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tiny, copy)
    stage = built(str(copy))
    state = plain(stage.state())
    assert not state.arrays
    tokens = tokens_of(corpus()[:3])
    fresh = Bert(**stage.options)
    fresh.load_state(state, 1)
    assert torch.equal(fresh.eval().forward(tokens).form.rows, stage.forward(tokens).form.rows)
    other = transformers.BertModel(transformers.BertConfig.from_pretrained(tiny))
    other.save_pretrained(copy)
    with pytest.raises(ModelError, match="no longer the model"):
        Bert(**stage.options).load_state(state, 1)


def test_the_learned_mix_is_saved(tiny: str) -> None:
    stage = built(tiny, layers="mix")
    with torch.no_grad():
        stage.mixture.copy_(torch.tensor([1.0, -1.0, 0.5, 2.0]))  # type: ignore[union-attr]
    fresh = Bert(**stage.options)
    fresh.load_state(plain(stage.state()), 1)
    tokens = tokens_of(corpus()[:3])
    assert torch.equal(fresh.eval().forward(tokens).form.rows, stage.forward(tokens).form.rows)


def test_a_fine_tuned_model_is_saved_whole_and_exported(directory: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(directory, copy)
    stage = built(str(copy), trainable=True)
    with torch.no_grad():
        for parameter in stage.parameters():
            parameter.add_(0.1)
    state = plain(stage.state())
    shutil.rmtree(copy)  # the saved pipeline does not need it
    fresh = Bert(**stage.options)
    fresh.load_state(state, 1)
    text = corpus()[0]
    tokens = tokens_of([text])
    expected = stage.forward(tokens).form.rows.detach()
    assert torch.equal(fresh.eval().forward(tokens).form.rows, expected)
    fresh.export(tmp_path / "exported")
    np.testing.assert_allclose(by_hand(str(tmp_path / "exported"), text, tokens.spans(0)), expected, atol=2e-5)
    with pytest.raises(ModelError, match="exists already"):
        fresh.export(tmp_path / "exported")


def test_the_constructor_touches_no_file() -> None:
    stage = Bert("/no/such/place")
    with pytest.raises(ModelError, match="there is no directory '/no/such/place'"):
        stage.build(0)


def broken(tiny: str, folder: Path) -> Path:
    shutil.copytree(tiny, folder / "model")
    return folder / "model"


def test_weights_missing_or_pickled(tiny: str, tmp_path: Path) -> None:
    model = broken(tiny, tmp_path)
    (model / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="has no weights"):
        built(str(model))
    (model / "pytorch_model.bin").write_bytes(pickle.dumps({}))
    with pytest.raises(ModelError, match=r"only as pytorch_model\.bin"):
        built(str(model))


def test_weights_cut_short(tiny: str, tmp_path: Path) -> None:
    model = broken(tiny, tmp_path)
    whole = (model / "model.safetensors").read_bytes()
    (model / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match="cannot be read"):
        built(str(model))


@pytest.mark.parametrize(("key", "value"), [("num_hidden_layers", 5), ("intermediate_size", 32)])
def test_weights_of_another_shape(tiny: str, tmp_path: Path, key: str, value: int) -> None:
    model = broken(tiny, tmp_path)
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, key: value}))
    with pytest.raises(ModelError, match=r"its weights do not fit its config\.json \(\d+ differ: encoder"):
        built(str(model))


def test_the_name_of_a_directory_must_be_written_as_a_path(
    tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(tiny, tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=r"'model' is a directory here: write \./model"):
        built("model")
    assert built("./model").name == "./model"


def test_more_layers_to_train_than_there_are(tiny: str) -> None:
    for trainable in (False, True):
        with pytest.raises(ModelError, match="train_layers: invalid value 4: expected at most 3, the layers of "):
            built(tiny, trainable=trainable, train_layers=4)


def test_a_tokenizer_of_another_model(tiny: str, tmp_path: Path) -> None:
    other = Path(make("roberta", tmp_path / "other"))
    model = broken(tiny, tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(other / name, model / name)
    with pytest.raises(ModelError, match="does not belong to this model"):
        built(str(model))


def test_no_tokenizer(tiny: str, tmp_path: Path) -> None:
    model = broken(tiny, tmp_path)
    for path in model.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(ModelError, match="tokenizer"):
        built(str(model))


def test_code_in_a_model_directory_is_never_run(tiny: str, tmp_path: Path) -> None:
    model = broken(tiny, tmp_path)
    config = json.loads((model / "config.json").read_text())
    config |= {"model_type": "harm", "auto_map": {"AutoConfig": "harm.Harm", "AutoModel": "harm.Harm"}}
    (model / "config.json").write_text(json.dumps(config))
    (model / "harm.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(ModelError):
        built(str(model))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 2}, "window: invalid value 2: expected a number of pieces from 3 to 40"),
        ({"window": 41}, "window: invalid value 41: expected a number of pieces from 3 to 40"),
        ({"layers": [4]}, r"layers: invalid value \[4\]: expected numbers from -4 to 3"),
        ({"train_layers": 4}, "train_layers: invalid value 4: expected at most 3"),
    ],
)
def test_options_that_do_not_fit_the_model(tiny: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        built(tiny, trainable=True, **options)


@pytest.mark.parametrize("trainable", [False, True])
def test_it_reads_the_source_of_a_translator(tiny: str, trainable: bool, tmp_path: Path) -> None:
    """The task is to say each word in capitals: what a decoder can only do if BERT tells it the words."""
    words = sorted({word for text in corpus() for word in text.split() if word.isalpha()})[:6]
    texts = [" ".join(random.Random(i).choices(words, k=1 + i % 3)) for i in range(120)]
    stages = [
        Regex(),
        Bert(tiny, precision="fp32", trainable=trainable),
        Seq2Seq(GRU(hidden=32, dropout=0.0), tokenizer=Whitespace(lowercase=False), dim=16, dropout=0.0, beam=2),
    ]
    trainer = {"epochs": 40, "batch_size": 16, "lr": 0.005, "pretrained_lr": 1e-3, "precision": "fp32"}
    pipeline = Pipeline(stages, task="translation", trainer=trainer).fit(texts, [text.upper() for text in texts])
    found = pipeline.predict(texts[:40]).values.strings
    assert sum(got == text.upper() for got, text in zip(found, texts, strict=False)) >= 30
    pipeline.save(tmp_path / "model")
    assert Pipeline.load(tmp_path / "model").predict(texts[:40]).values.strings == found


@pytest.mark.network
def test_the_minilm_wheel() -> None:
    stage = Bert(precision="fp32")
    assert stage.build(0) == 384
    stage.eval()
    texts = ["A wonderful, warm film.", "A delightful and touching movie.", "The invoice is overdue."]
    tokens = tokens_of(texts)
    np.testing.assert_allclose(
        stage.forward(tokens.take([0])).form.rows.numpy(),
        by_hand(str(stage.directory), texts[0], tokens.spans(0)),
        atol=2e-4,
    )
    means = [stage.forward(tokens.take([b])).form.rows.mean(0) for b in range(3)]
    near, far = torch.cosine_similarity(means[0], torch.stack(means[1:]))
    assert near > far + 0.3
