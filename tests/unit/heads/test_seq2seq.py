"""The sequence-to-sequence head: alone, and in pipelines that share one vocabulary and one table."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from nlpipe.decoders import GRU, LSTM, Transformer
from nlpipe.errors import DataError, WiringError
from nlpipe.heads import Classifier, Seq2Seq
from nlpipe.pipeline import Pipeline
from nlpipe.registry import slot
from nlpipe.representations import Embedding, Word2Vec
from nlpipe.search import take
from nlpipe.stage import State
from nlpipe.tokenizers import BPE, Whitespace
from nlpipe.vocabulary import END, START
from nlpipe.wire import Sequences, Text, Tokens

torch.set_num_threads(1)
reader: Any = slot("encoder").load("gru")
NUMBERS = {"one": "eins", "two": "zwei", "three": "drei", "four": "vier", "five": "fünf", "six": "sechs"}
DECODERS: list[Any] = [
    lambda: LSTM(hidden=8, attention="bahdanau"),
    lambda: GRU(hidden=7, input_feeding=True),
    lambda: Transformer(layers=2, heads=2, feed_forward=16, dropout=0.0),
]


def pairs(count: int, seed: int = 0) -> tuple[list[str], list[str]]:
    random = np.random.default_rng(seed)
    sources = [" ".join(random.choice([*NUMBERS], random.integers(1, 5))) for _ in range(count)]
    return sources, [" ".join(NUMBERS[word] for word in source.split()) for source in sources]


def sequences(texts: list[str], width: int = 6) -> Sequences:
    """A vector a word, made from its letters."""
    words = [text.split() for text in texts]
    rows = [[np.cos((i + 1) * sum(map(ord, word))) for i in range(width)] for sentence in words for word in sentence]
    array = np.array(rows, dtype=np.float32).reshape(-1, width)
    return Sequences(array, [len(sentence) for sentence in words], Tokens(words, texts))


def head(decoder: Any = DECODERS[2], **options: Any) -> Seq2Seq:
    """A head with a vocabulary of its own, not trained."""
    torch.manual_seed(5)
    made = Seq2Seq(decoder(), tokenizer=Whitespace(lowercase=False), dim=8, **options)
    made.fit([(sequences([]), Text(pairs(30)[1]))])
    made.bind([])
    made.build(6)
    return made.eval()


# -- alone -----------------------------------------------------------------------------------------------------------


@torch.no_grad()
@pytest.mark.parametrize("decoder", DECODERS)
def test_feeding_gold_tokens_through_step_gives_the_scores(decoder: Any) -> None:
    model = head(decoder)
    sources, targets = pairs(7)
    source = sequences(sources)
    scores = model.score(source, Text(targets))
    stepper, tokens, state, memory = model.start(source)
    vocabulary = model.vocabulary
    gold = [[*vocabulary.ids(target.split()), vocabulary.id(END)] for target in targets]
    for t in range(max(map(len, gold))):
        log_probs, state = stepper.step(tokens, state, memory)
        tokens = torch.tensor([row[t] if t < len(row) else 0 for row in gold])
        for b, row in enumerate(gold):
            if t < len(row):
                assert float(log_probs[b, row[t]]) == pytest.approx(scores[b][t], abs=1e-4)
    assert [len(row) for row in scores] == [len(row) for row in gold]


@torch.no_grad()
@pytest.mark.parametrize("decoder", DECODERS)
def test_the_loss_is_what_the_scores_say(decoder: Any) -> None:
    model = head(decoder, label_smoothing=0.0)
    sources, targets = pairs(9)
    loss, units = model.loss(sequences(sources), Text(targets))
    scores = model.score(sequences(sources), Text(targets))
    assert int(units) == sum(len(target.split()) + 1 for target in targets)
    assert float(loss) == pytest.approx(-sum(row.sum() for row in scores), rel=1e-5)


@torch.no_grad()
def test_padding_does_not_count() -> None:
    model = head(label_smoothing=0.1)
    sources, targets = pairs(9)
    whole = model.loss(sequences(sources), Text(targets))
    alone = [model.loss(sequences([s]), Text([t])) for s, t in zip(sources, targets, strict=True)]
    assert_close(whole[0], torch.stack([loss for loss, _ in alone]).sum())
    assert_close(whole[1], torch.stack([units for _, units in alone]).sum())


@torch.no_grad()
def test_prepared_targets_give_the_same_loss() -> None:
    model = head()
    sources, targets = pairs(6)
    prepared = model.prepare_target(Text(targets))
    assert prepared.lengths.tolist() == [len(target.split()) for target in targets]
    some = [4, 0, 2]
    expected = model.loss(sequences(sources).take(some), Text(targets).take(some))[0]
    assert_close(model.loss(sequences(sources).take(some), prepared.take(some))[0], expected)


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("beam", [1, 4])
def test_predictions_have_their_log_probability_and_the_same_in_any_batch(decoder: Any, beam: int) -> None:
    model = head(decoder, beam=beam, max_length=6)
    source = sequences([*pairs(6)[0], "", "one " * 40])
    predictions = model.predict(source)
    assert predictions.scores is not None
    for b, text in enumerate(predictions.values.strings):
        alone = model.predict(source.take([b]))
        assert alone.values.strings == [text]
        own = model.score(source.take([b]), Text([text]))[0].sum()
        assert predictions.scores[b] == pytest.approx(own, abs=1e-4)


def test_lengths_are_relative_to_the_source() -> None:
    source = sequences(["one two three four", "one"])
    long = head(min_ratio=3.0, max_ratio=3.0, beam=2).predict(source).values.strings
    assert len(long[0].split()) >= 12
    assert 3 <= len(long[1].split()) <= 13
    assert head(max_length=0).predict(source).values.strings == ["", ""]
    assert head(max_length=2, min_ratio=1.0).predict(source).values.strings[0].count(" ") == 1


def test_no_repeat_ngram() -> None:
    for text in head(min_ratio=3.0, no_repeat_ngram=1).predict(sequences(["one two", "six"])).values.strings:
        assert len(set(text.split())) == len(text.split())


def test_n_best_are_ranked_and_different() -> None:
    found = head(beam=4).n_best(sequences(["one two", "six"]), 4)
    for translations in found:
        assert len({translation.text for translation in translations}) == 4
        scores = [translation.score for translation in translations]
        assert scores == sorted(scores, reverse=True)
    with pytest.raises(ValueError, match="n_best: invalid value 5: expected an integer from 1 to the beam"):
        head(beam=4).n_best(sequences(["one"]), 5)


def test_a_beam_wider_than_the_vocabulary() -> None:
    assert len(head(beam=50, max_length=3).predict(sequences(["one two"])).values.strings) == 1


@pytest.mark.parametrize("decoder", DECODERS)
def test_coverage_ranks_down_what_leaves_words_out(decoder: Any) -> None:
    model, plain = head(decoder, coverage_penalty=0.5, max_length=4), head(decoder, max_length=4)
    source = sequences(["one two three", "six"])
    for b, translations in enumerate(model.n_best(source, 3)):
        for found in translations:
            weights = model.attend(source.take([b]), Text([found.text]))[0].weights  # (T, S)
            covered = np.log(np.minimum(weights.sum(0), 1.0)).sum()
            length = len(weights)
            expected = found.log_probability / ((5 + length) / 6) + 0.5 * covered
            assert found.score == pytest.approx(expected, abs=1e-4)
    assert len(plain.predict(source).values.strings) == 2


def test_attention_has_a_row_a_target_word_and_a_column_a_source_word() -> None:
    model = head(max_length=5)
    source = sequences(["one two three", "six"])
    predicted = model.predict(source).values.strings
    for b, shown in enumerate(model.attend(source)):
        assert shown.source == source.tokens.words[b]  # type: ignore[union-attr]
        assert shown.target == [*predicted[b].split(), END]
        assert shown.weights.shape == (len(shown.target), len(shown.source))
        np.testing.assert_allclose(shown.weights.sum(1), 1.0, rtol=1e-5)


def test_special_words_are_never_said() -> None:
    said = " ".join(head(min_ratio=3.0, beam=3).predict(sequences(pairs(20)[0])).values.strings)
    assert "<" not in said


def test_no_targets_are_told() -> None:
    with pytest.raises(DataError, match="no target texts"):
        Seq2Seq(LSTM(), tokenizer=Whitespace()).fit([(sequences(["one"]), Text([" "]))])


def test_joint_alone_is_told() -> None:
    with pytest.raises(WiringError, match="none to share"):
        Seq2Seq(LSTM()).bind([])


# -- in a pipeline ---------------------------------------------------------------------------------------------------


def joint(decoder: Any = None, **options: Any) -> Pipeline:
    body = [BPE(vocabulary_size=60), Embedding(dim=32, min_count=1, scaled=True), reader(hidden=16, bidirectional=True)]
    return Pipeline(
        [*body, Seq2Seq(decoder or LSTM(hidden=32, dropout=0.0), dropout=0.0, label_smoothing=0.0, beam=3)],
        task="translation",
        trainer={"epochs": 30, "batch_size": 16, "lr": 0.01, "schedule": "linear", "precision": "fp32", **options},
    )


@pytest.fixture(scope="module")
def learnt() -> Pipeline:
    return joint().fit(*pairs(300))


def test_it_learns_to_translate(learnt: Pipeline, tmp_path: Path) -> None:
    sources, targets = pairs(50, seed=1)
    found = learnt.predict(sources)
    right = sum(got == want for got, want in zip(found.values.strings, targets, strict=True))
    assert right >= 38
    again = Pipeline.load(learnt.save(tmp_path / "model")).predict(sources)
    assert again.values.strings == found.values.strings
    np.testing.assert_array_equal(again.scores, found.scores)


def test_a_transformer_learns_to_translate() -> None:
    decoder = Transformer(layers=1, heads=2, feed_forward=32, dropout=0.0)
    sources, targets = pairs(50, seed=1)
    found = joint(decoder, lr=0.005).fit(*pairs(300)).predict(sources)
    assert sum(got == want for got, want in zip(found.values.strings, targets, strict=True)) >= 40


def test_joint_learns_pieces_and_words_of_both_sides_and_stores_one_table(learnt: Pipeline) -> None:
    _, embedding, _, last = learnt.stages
    vocabulary = embedding.vocabulary  # type: ignore[attr-defined]
    assert START in vocabulary and END in vocabulary
    assert any("ü" in word for word in vocabulary.words()) and any("w" in word for word in vocabulary.words())
    assert last.vocabulary is vocabulary  # type: ignore[attr-defined]
    arrays = {name: array for stage in learnt.stages for name, array in stage.state().arrays.items()}
    assert [name for name, array in arrays.items() if len(array) == len(vocabulary)] == ["table.weight"]
    assert not [name for name in last.state().arrays if "table" in name]


def test_nasty_sources_give_one_line_each(learnt: Pipeline) -> None:
    sources = ["", " ", "one " * 2000, "我喜欢", "ÞÞÞ", "one\ntwo", "NUL\0", "one"]
    found = learnt.predict(sources)
    assert len(found.values.strings) == len(sources)
    assert found.values.strings[-1] == "eins"
    assert found.scores is not None and np.isfinite(found.scores).all()


def test_pieces_join_to_natural_text(learnt: Pipeline) -> None:
    texts = ["eins, zwei.", "„drei“ (vier)!", "five-six: one/two", "don't"]
    tokenizer = BPE(vocabulary_size=200)
    tokenizer.fit([(Text(texts * 3), None)])
    words = tokenizer.forward(Text(texts)).words
    assert [tokenizer.join(sentence) for sentence in words] == texts


def test_a_head_with_its_own_tokenizer_takes_any_sequences() -> None:
    body = [Whitespace(), Word2Vec(dim=8, epochs=1, min_count=1), reader(hidden=16)]
    last = Seq2Seq(GRU(hidden=32, dropout=0.0), tokenizer=Whitespace(lowercase=False), dim=16, dropout=0.0)
    trainer = {"epochs": 30, "batch_size": 16, "lr": 0.02, "precision": "fp32"}
    pipeline = Pipeline([*body, last], task="translation", trainer=trainer).fit(*pairs(150))
    sources, targets = pairs(30, seed=1)
    found = pipeline.predict(sources).values.strings
    assert sum(got == want for got, want in zip(found, targets, strict=True)) >= 15
    assert last.vocabulary.words()[4:] == sorted(
        NUMBERS.values(), key=lambda w: (-last.vocabulary.counts[last.vocabulary.id(w)], w)
    )


def test_joint_over_what_has_no_table_is_told_before_training() -> None:
    with pytest.raises(WiringError, match=r"'word2vec' has none to share.*or take: embedding"):
        Pipeline([Whitespace(), Word2Vec(), Seq2Seq(LSTM())], task="translation")


def test_another_dim_than_the_shared_one_is_told() -> None:
    stages = [Whitespace(), Embedding(dim=8, min_count=1), Seq2Seq(LSTM(hidden=8), dim=9)]
    with pytest.raises(WiringError, match="dim: 9, but the shared table has vectors of 8"):
        Pipeline(stages, task="translation").fit(["one"], ["eins"])


def test_other_heads_leave_the_vocabulary_as_it_was() -> None:
    embedding = Embedding(dim=4, min_count=1)
    Pipeline([Whitespace(), embedding, reader(hidden=4), *_pooled()], trainer={"epochs": 1}).fit(
        ["a b", "c d"], ["x", "y"]
    )
    assert START not in embedding.vocabulary


def _pooled() -> list[Any]:
    from nlpipe.encoders import Mean

    return [Mean(), Classifier()]


def test_identical_sources_and_targets() -> None:
    sources, _ = pairs(200)
    pipeline = joint(epochs=20).fit(sources, sources)
    found = pipeline.predict(sources[:20]).values.strings
    assert sum(got == want for got, want in zip(found, sources, strict=False)) >= 15


def test_state_of_a_head_of_its_own_survives(tmp_path: Path) -> None:
    model = head()
    again = copy.deepcopy(Seq2Seq(DECODERS[2](), tokenizer=Whitespace(lowercase=False), dim=8))
    for name, nested in model.nested().items():
        again.nested()[name].load_state(nested.state(), nested.version)
    state = model.state()
    again.load_state(State(state.arrays, state.data), model.version)
    source = sequences(pairs(5)[0])
    assert again.eval().predict(source).values.strings == model.predict(source).values.strings
    assert not [name for name in state.arrays if name.startswith("decoder.")]


def test_take_knows_objects_that_take_themselves() -> None:
    class Leaf:
        def take(self, rows: torch.Tensor) -> list[int]:
            return rows.tolist()

    tree = (torch.arange(4) * 2, (Leaf(),))
    found = take(tree, torch.tensor([2, 0, 2]))
    assert found[0].tolist() == [4, 0, 4]
    assert found[1] == ([2, 0, 2],)


@pytest.mark.parametrize("beam", [1, 3])
@pytest.mark.parametrize("decoder", DECODERS)
def test_an_empty_text_gives_an_empty_one(decoder: Any, beam: int) -> None:
    texts = ["one two", "", "three"]
    found = head(decoder, beam=beam, min_ratio=0.5).predict(sequences(texts)).values.strings
    assert found[1] == ""
    assert head(decoder, beam=beam, min_ratio=0.5).predict(sequences([""])).values.strings == [""]


def test_attention_is_drawn_as_a_page(learnt: Pipeline) -> None:
    from nlpipe.report.attention_page import attention_of, page

    found = attention_of(learnt, ["two one", "six"])
    drawn = page([("two one", "x", found[0]), ("six", "y", found[1])], "t")
    assert drawn.count("<svg") == 2


@pytest.mark.parametrize("decoder", [lambda: GRU(hidden=8), lambda: LSTM(hidden=8, attention="none")])
def test_a_shared_table_without_an_encoder_pads_with_zeros(decoder: Any) -> None:
    """The scores over the vocabulary train the row of padding too; it must not reach the decoder's memory."""
    sources, targets = pairs(40)
    stages = [Whitespace(lowercase=False), Embedding(dim=8, min_count=1), Seq2Seq(decoder(), dropout=0.0)]
    trainer = {"epochs": 3, "batch_size": 8, "lr": 0.05, "precision": "fp32", "patience": None}
    model = Pipeline(stages, task="translation", trainer=trainer).fit(sources, targets)
    assert bool(model.stages[1].table.weight[0].any())
    together = model.predict([*sources[:10], "one two three four five six one two"])
    alone = [model.predict([text]) for text in sources[:10]]
    assert together.values.strings[:10] == [found.values.strings[0] for found in alone]
    assert_close(together.scores[:10], np.array([found.scores[0] for found in alone]), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("beam", [1, 3])
def test_a_search_stays_within_the_positions_of_the_decoder(beam: int) -> None:
    model = head(lambda: Transformer(layers=1, heads=2, positions="learned", max_length=5), beam=beam, max_ratio=9.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = model.predict(sequences(["one two three four", "six"]))
    assert all(len(text.split()) <= 4 for text in found.values.strings)


def test_special_words_in_a_target_are_words() -> None:
    model = head()
    ids = model.prepare_target(Text(["eins </s> zwei <s> <pad>", "<unk>"])).ids
    unknown = model.vocabulary.id("never seen")
    assert ids[0].tolist() == [model.vocabulary.id("eins"), unknown, model.vocabulary.id("zwei"), unknown, unknown]
    assert ids[1].tolist() == [unknown]


def test_coverage_without_attention_is_told() -> None:
    with pytest.raises(WiringError, match="coverage_penalty needs attention, and the decoder has none"):
        head(lambda: GRU(hidden=8, attention="none"), coverage_penalty=0.2)
