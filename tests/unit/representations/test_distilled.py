"""Static vectors out of a small BERT: against the model itself, principal components of scikit-learn, and by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from transformers import AutoModel, AutoTokenizer

from nlpipe.errors import MissingExtra, ModelError
from nlpipe.nn.distillation import Encoder
from nlpipe.representations import Distilled
from nlpipe.stage import State
from nlpipe.wire import Tokens
from tests.tiny_models import corpus, write_encoder
from tests.unit.classical.test_piece_tables import write as write_model2vec

TEXTS = [text.split() for text in corpus()[:20]]
TRAIN = [(Tokens.from_words(TEXTS), None)]


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_encoder("bert", tmp_path_factory.mktemp("models") / "bert")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NLPIPE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def fitted(model: str, **options: object) -> Distilled:
    stage = Distilled(model, **options)  # type: ignore[arg-type]
    stage.fit(TRAIN)
    stage.build(0)
    return stage


def vectors(stage: Distilled, words: list[str]) -> np.ndarray:
    return stage.forward(Tokens.from_words([words])).flat().dense()


@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_pieces_are_read_alone_between_the_special_ones(tmp_path: Path, kind: str) -> None:
    folder = write_encoder(kind, tmp_path / kind)
    encoder, model = Encoder(folder), AutoModel.from_pretrained(folder)
    rows = encoder.read([[7], [], [7, 9]])
    with torch.no_grad():
        for row, item in ((0, [7]), (2, [7, 9])):
            ids = torch.tensor([[*encoder.splitter.prefix, *item, *encoder.splitter.suffix]])
            hidden = model.to(encoder.dtype)(ids).last_hidden_state[0, 1:-1].float().mean(0)
            np.testing.assert_allclose(rows[row], hidden, rtol=1e-2, atol=1e-2)
    assert not rows[1].any()


def test_the_columns_are_principal_components(bert: str) -> None:
    stage = fitted(bert, dim=5, weights=None)
    raw = Encoder(bert).read([[i] for i in range(300)])
    expected = PCA(5, svd_solver="full").fit_transform(raw)
    found = stage.pieces * (np.abs(expected).sum() / np.abs(stage.pieces).sum())
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=np.abs(expected).max() / 200)


def test_a_word_has_its_own_vector_or_the_mean_of_its_pieces(bert: str) -> None:
    whole, by_pieces = fitted(bert, dim=8), fitted(bert, dim=8, whole_words=None)
    backend = AutoTokenizer.from_pretrained(bert)
    counts = {word: sum(text.count(word) for text in TEXTS) for text in TEXTS for word in text}
    several = [word for word in counts if len(backend.encode(word, add_special_tokens=False)) > 1]
    for word in several[:5]:
        mean = by_pieces.pieces[backend.encode(word, add_special_tokens=False)].mean(0)
        np.testing.assert_allclose(vectors(by_pieces, [word])[0], mean, atol=2e-3)
        assert np.abs(vectors(whole, [word])[0] - mean).max() > 0.01
    new = "".join(several[:2])  # a word that training did not have
    np.testing.assert_allclose(
        vectors(whole, [new])[0], whole.pieces[backend.encode(new, add_special_tokens=False)].mean(0), atol=1e-6
    )
    rare = fitted(bert, dim=8, whole_words=max(counts.values()) + 1)
    np.testing.assert_array_equal(rare.vectors, by_pieces.vectors)


def test_frequent_pieces_and_words_weigh_less(bert: str) -> None:
    """zipf by the rank in the vocabulary, sif by counts: a / (a + p)."""
    plain = fitted(bert, dim=8, weights=None, whole_words=None)
    ranks = np.arange(1, 301)
    expected = 1e-3 / (1e-3 + 1 / ranks / (1 / ranks).sum())
    lengths = np.linalg.norm(fitted(bert, dim=8, whole_words=None).pieces, axis=1) / np.linalg.norm(
        plain.pieces, axis=1
    )
    np.testing.assert_allclose(lengths / lengths[-1], expected / expected[-1], rtol=2e-2)
    sif = fitted(bert, dim=8, weights="sif", whole_words=None)
    shrunk = np.linalg.norm(sif.pieces, axis=1) / np.linalg.norm(plain.pieces, axis=1)
    used = np.zeros(300)
    tokenizer = AutoTokenizer.from_pretrained(bert)
    for text in TEXTS:
        for word in text:
            used[list(set(tokenizer.encode(word, add_special_tokens=False)))] += 1
    expected = 1e-3 / (1e-3 + used / used.sum())
    np.testing.assert_allclose(shrunk / shrunk.max(), expected, rtol=2e-2)


def test_means_are_those_of_the_vectors(bert: str) -> None:
    stage = fitted(bert, dim=8)
    tokens = Tokens.from_words([TEXTS[0], [], ["abcabc", TEXTS[1][0], "日本", "abcabc"]])
    rows, lengths = stage.forward(tokens).flat().dense(), tokens.lengths
    expected = [rows[: lengths[0]].mean(0), np.zeros(8), rows[lengths[0] :].mean(0)]
    for source in (tokens, stage.prepare(tokens)):
        np.testing.assert_allclose(stage.means(source), expected, atol=1e-6)
    assert stage.ledger(tokens)["out_of_vocabulary"] == 1  # no piece of 日本 is known


def test_training_changes_training_words_alone(bert: str) -> None:
    stage = fitted(bert, dim=8, trainable=True)
    tokens = Tokens.from_words([[TEXTS[0][0], "abcabc"]])
    rows = stage.forward(stage.prepare(tokens)).form.rows
    rows.sum().backward()
    grad = stage.module.learned.weight.grad
    assert np.flatnonzero(grad.abs().sum(1)).tolist() == stage.vocabulary.ids([TEXTS[0][0]]).tolist()
    np.testing.assert_allclose(rows[1].detach(), stage.compose(["abcabc"])[0])


def test_what_the_encoder_gave_is_kept(bert: str, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = fitted(bert, dim=8)
    monkeypatch.setattr(Encoder, "_compute", lambda *_: pytest.fail("it is computed again"))
    np.testing.assert_array_equal(fitted(bert, dim=8).vectors, first.vectors)
    np.testing.assert_array_equal(fitted(bert, dim=4, weights=None).pieces.shape, (300, 4))
    monkeypatch.undo()
    monkeypatch.setenv("NLPIPE_CACHE", str(own_cache))
    for entry in (own_cache / "features").glob("distilled-*/rows.safetensors"):
        entry.write_bytes(entry.read_bytes()[:50])  # damaged: it is made anew
    np.testing.assert_array_equal(fitted(bert, dim=8).vectors, first.vectors)


def test_a_table_that_is_ready_is_taken_as_it_is(tmp_path: Path) -> None:
    folder = write_model2vec(tmp_path / "m")
    stage = Distilled(str(folder), dim=2)
    stage.fit([(Tokens.from_words([["good", "films"], ["bad", "unheard"]]), None)])
    assert stage.build(0) == 2
    rows = vectors(stage, ["good", "films", "bad", "film", "unheard"])
    expected = np.array([[6, 7], [10.5, 11.5], [15, 16], [9, 10], [0, 0]])
    np.testing.assert_allclose(rows * (6 / rows[0, 0]), expected, rtol=2e-3)
    assert np.sqrt((rows[:3] ** 2).mean()) == pytest.approx(0.5, rel=1e-3)


def test_torch_is_not_needed_where_the_table_is_there(tmp_path: Path) -> None:
    folder = write_model2vec(tmp_path / "m")
    script = (
        "import sys\nfrom nlpipe.representations import Distilled\nfrom nlpipe.wire import Tokens\n"
        f"stage = Distilled({str(folder)!r}, dim=2)\ntokens = Tokens.from_words([['good', 'films']])\n"
        "stage.fit([(tokens, None)])\nstage.build(0)\nstage.forward(tokens)\nstage.means(tokens)\n"
        "assert 'torch' not in sys.modules and 'transformers' not in sys.modules\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_what_cannot_be_is_refused(bert: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^dim: invalid value 0"):
        Distilled(dim=0)
    with pytest.raises(
        ModelError, match=r"dim: 17 is more than .* has principal components \(16\); .* or null for all"
    ):
        fitted(bert, dim=17)
    assert fitted(bert, dim=None).build(0) == 16
    table = str(write_model2vec(tmp_path / "m"))
    with pytest.raises(ModelError, match=r"dim: 4 is more than .* has columns \(3\)"):
        Distilled(table, dim=4).fit([(Tokens.from_words([["good"]]), None)])
    with pytest.raises(ModelError, match="knows no piece of any word of the training split; name a model of the lang"):
        Distilled(table, dim=2).fit([(Tokens.from_words([["日本", "東京"], []]), None)])
    with pytest.raises(ModelError, match=r"there is no directory './nothing'"):
        Distilled("./nothing").fit(TRAIN)
    empty = Distilled(bert, dim=8)
    empty.fit([(Tokens.from_words([[], []]), None)])
    empty.build(0)
    assert empty.means(Tokens.from_words([[], ["abc"]])).shape == (2, 8)


def test_a_saved_table_of_another_tokenizer_is_refused(bert: str) -> None:
    stage = fitted(bert, dim=8)
    state = stage.state()
    assert state.arrays["vectors"].dtype == state.arrays["pieces"].dtype == np.float16
    state.arrays["pieces"] = state.arrays["pieces"][:-1]
    with pytest.raises(ModelError, match=r"the saved table has the shape \(299, 8\), but its tokenizer has 300 pieces"):
        Distilled(bert, dim=8).load_state(State(state.arrays, state.data), 1)


def test_a_missing_package_is_named(bert: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "nlpipe.nn.distillation")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra, match=r"'distilled' .* needs the package 'torch', .* \"nlpipe\[bert\]\""):
        Distilled(bert, dim=8).fit(TRAIN)
