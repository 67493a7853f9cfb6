"""The laws of static word vectors, over every stage that has them; a stage that is new must say whether it has.

A representation with vectors is tried with the options of ``examples.py``; one without is in ``WITHOUT``.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nlpipe
from nlpipe.capabilities import ComputesWordVectors, OffersWordVectors, declares
from nlpipe.errors import NlpipeError
from nlpipe.pipeline import Pipeline
from nlpipe.registry import from_plain, slot
from nlpipe.tokenizers import Regex
from nlpipe.wire import Sequences, Tokens, as_tensor

from .examples import LABELS, NASTY, TEXTS, cases, label, make, registered
from .test_language_models import BERT, PIPELINES, TRAINER

WITHOUT = {
    "bow": "has vectors of words", "hashing": "has vectors of words", "tfidf": "has vectors of words",
    "window": "has vectors of words", "bert": "another vector in every text",
    "new_bert": "another vector in every text",
}  # fmt: skip
"""Representations without static vectors of words, and what is said to those who ask."""
HEADS_WITH = {"language_model", "masked_language_model", "seq2seq"}
"""Heads with a table of words; the others have none."""


def has_vectors(kind: str, name: str) -> bool:
    owner = slot(kind).load(name)
    return declares(owner, OffersWordVectors) or declares(owner, ComputesWordVectors)


def test_every_stage_says_whether_it_has_vectors_of_words() -> None:
    representations = {name for kind, name in registered() if kind == "representation"}
    assert {name for name in representations if has_vectors("representation", name)} | {*WITHOUT, "join"} == (
        representations
    )
    assert not any(has_vectors("representation", name) for name in WITHOUT)
    assert {name for kind, name in registered() if kind == "head" and has_vectors("head", name)} == HEADS_WITH


WITH = [case for case in cases("representation") if case[1] not in {*WITHOUT, "join"}]
STATIC = [case for case in WITH if declares(slot(case[0]).load(case[1]), OffersWordVectors)]


@pytest.fixture(scope="module")
def pipelines() -> dict[str, Pipeline]:
    return {}


def fitted(pipelines: dict[str, Pipeline], case: Any) -> Pipeline:
    """A classifier with this representation."""
    name = label(case)
    if name not in pipelines:
        first = make(case)
        stages = [Regex(), first] if first.gives is not Sequences else [Regex(), first, nlpipe.encoders.Mean()]
        head = nlpipe.heads.Classifier() if first.trainable else nlpipe.heads.Majority()
        trainer = TRAINER if first.trainable else None
        pipelines[name] = Pipeline([*stages, head], trainer=trainer).fit(TEXTS, LABELS)
    return pipelines[name]


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))


@pytest.mark.parametrize("case", STATIC, ids=label)
def test_neighbours_are_those_of_the_vectors_that_the_stage_gives(pipelines: dict[str, Pipeline], case: Any) -> None:
    """In two texts the word has one vector; its neighbours are the nearest of the vectors that ``forward`` gives."""
    pipeline = fitted(pipelines, case)
    stage: Any = pipeline.stages[1]
    space = pipeline.word_space()
    word = space.words[0]
    rows = stage.forward(Tokens([[*space.words], [word, space.words[1], word]], ["", ""])).ragged()[0]
    vectors = as_tensor(rows, "cpu").detach().numpy()
    assert cosine(vectors[0], vectors[-1]) == pytest.approx(1, abs=1e-5)
    expected = sorted((-cosine(vectors[0], vectors[i]), i) for i in range(1, len(space.words)))[:4]
    found = pipeline.neighbours(word, top=4)
    assert [share for _, share in found.nearest] == pytest.approx([-value for value, _ in expected], abs=1e-4)
    assert word not in dict(found.nearest) and found.query == word and not found.composed
    everything = space.neighbours(word, top=10_000).nearest
    assert {other for other, _ in everything} == {*space.words} - {word}


@pytest.mark.parametrize("case", WITH, ids=label)
def test_a_saved_model_has_the_same_vectors(pipelines: dict[str, Pipeline], case: Any, tmp_path: Path) -> None:
    pipeline = fitted(pipelines, case)
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("story\tfilm\t1\ngreat\tbad\t3\nminute\tyear\t2\nfilm\tstart\t4\ncast\tstory\t2.5\na\tthe\t5\n")
    again = Pipeline.load(pipeline.save(tmp_path / "model"))
    assert again.word_similarity(pairs) == pipeline.word_similarity(pairs)
    assert -1 <= pipeline.word_similarity(pairs).correlation <= 1


@pytest.mark.filterwarnings("ignore:.* has no vector of its own")
@pytest.mark.parametrize("name", NASTY)
@pytest.mark.parametrize("case", STATIC, ids=label)
def test_nasty_words_have_neighbours_or_an_error(pipelines: dict[str, Pipeline], case: Any, name: str) -> None:
    space = fitted(pipelines, case).word_space()
    text = NASTY[name][:2000]
    if space.find([text])[0] is not None:
        assert len(space.neighbours(text, top=3).nearest) == 3
    else:
        with pytest.raises(NlpipeError, match="is not among the") as raised:
            space.neighbours(text)
        assert len(str(raised.value)) < 400


@pytest.mark.parametrize(
    "case", [case for case in cases("representation") if case[1] in WITHOUT and case[1] != "new_bert"], ids=label
)
def test_without_static_vectors_the_reason_is_said(pipelines: dict[str, Pipeline], case: Any) -> None:
    first = make(case)
    middle = [nlpipe.encoders.Mean()] if first.gives is Sequences else []
    stages = [Regex(), first, *middle, nlpipe.heads.Classifier() if first.trainable else nlpipe.heads.Majority()]
    with pytest.raises(NlpipeError, match=WITHOUT[case[1]]) as raised:
        Pipeline(stages).neighbours("film")
    assert "embedding" in str(raised.value) and "word2vec" in str(raised.value)


def test_new_bert_is_refused_where_no_head_predicts_its_pieces() -> None:
    stages = [Regex(), from_plain("representation", BERT), nlpipe.encoders.Mean(), nlpipe.heads.Classifier()]
    with pytest.raises(NlpipeError, match="'new_bert' gives a word another vector in every text"):
        Pipeline(stages).neighbours("film")


def test_a_join_shows_each_part(pipelines: dict[str, Pipeline]) -> None:
    """The words of one part are the candidates of another that computes vectors, also of words nobody has seen."""
    case = next(case for case in cases("representation") if case[1] == "join" and "Characters" in label(case))
    pipeline = fitted(pipelines, case)
    first, second = pipeline.word_space(), pipeline.word_space("representation.parts.1")
    assert (first.part, first.others) == ("representation.parts.0", ("representation.parts.1",))
    assert second.words == first.words and second.computes
    alone = Pipeline([Regex(), copy.deepcopy(pipeline.stages[1].nested()["parts.0"]), *pipeline.stages[2:]])
    word = first.words[0]
    assert first.neighbours(word).nearest == alone.neighbours(word).nearest
    assert len(second.neighbours("storyy", top=3).nearest) == 3
    for other, value in second.neighbours(word, top=3).nearest:
        vectors: Any = second.look_up(second.read([word, other]))
        assert value == pytest.approx(cosine(*vectors), abs=1e-5)
    with pytest.raises(NlpipeError, match=r"'representation.parts.2' has no static .* did you mean"):
        pipeline.word_space("representation.parts.2")


def of_language(name: str) -> Pipeline:
    return nlpipe.load(copy.deepcopy(PIPELINES[name][1])).fit(TEXTS, dev=(TEXTS[:5], None))


@pytest.mark.parametrize("name", ["lstm", "gpt", "characters", "mixed"])
def test_causal_language_models_show_their_tables(name: str) -> None:
    """That of the representation; and where the head is not tied to it, that of the head."""
    pipeline = of_language(name)
    space, stage = pipeline.word_space(), pipeline.stages[1]
    assert isinstance(stage, nlpipe.representations.Embedding)
    assert (space.part, space.others) == ("representation", ("head",) if name == "lstm" else ())
    assert space.words == [word for word in stage.vocabulary.words() if word not in ("<pad>", "<unk>", "<s>", "</s>")]
    ids = stage.vocabulary.ids(space.words)
    np.testing.assert_array_equal(space.vectors, stage.table.weight.detach().numpy()[ids])
    if name == "lstm":
        own, head = pipeline.word_space("head"), pipeline.head
        assert isinstance(head, nlpipe.heads.LanguageModel) and own.words == space.words
        np.testing.assert_array_equal(own.vectors, head.words.detach().numpy()[ids])


def test_a_masked_language_model_shows_its_pieces() -> None:
    pipeline = of_language("masked")
    space, bert = pipeline.word_space(), pipeline.stages[1]
    assert isinstance(bert, nlpipe.representations.NewBert)
    assert (space.part, space.others) == ("head", ())
    assert not {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"} & {*space.words}
    ids = [bert.splitter.backend.token_to_id(piece) for piece in space.words]
    np.testing.assert_array_equal(space.vectors, bert.piece_table.detach().numpy()[ids])
    with pytest.warns(UserWarning, match="'filmstory' has no vector of its own: it gets the mean of its parts"):
        found = space.neighbours("filmstory")
    assert len(found.composed["filmstory"]) > 1
    assert not {*found.composed["filmstory"]} & {*dict(found.nearest)}
    piece = next(piece for piece in space.words if piece.startswith("##"))
    assert space.read([piece]) == [(piece,)]


def test_a_translator_shows_the_tables_of_both_languages() -> None:
    stages = [
        Regex(), nlpipe.representations.Embedding(dim=8, min_count=1), nlpipe.encoders.GRU(hidden=6),
        nlpipe.heads.Seq2Seq(nlpipe.decoders.GRU(hidden=6), tokenizer=nlpipe.tokenizers.Whitespace(lowercase=False),
                             max_length=5),
    ]  # fmt: skip
    pipeline = Pipeline(stages, task="translation", trainer=TRAINER)
    pipeline.fit(["the cat", "a dog", "the dog"] * 4, ["die Katze", "ein Hund", "der Hund"] * 4)
    assert pipeline.word_space().others == ("head",)
    assert "Hund" in dict(pipeline.neighbours("Katze", part="head", top=9).nearest)
    with pytest.raises(NlpipeError, match="did you mean 'Hund'"):
        pipeline.neighbours("hund", part="head")
