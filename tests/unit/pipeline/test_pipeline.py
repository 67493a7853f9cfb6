"""A pipeline built in Python: wiring, fitting, prediction, saving and loading."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import nlpipe
from nlpipe.errors import DataError, ModelError, NlpipeError, WiringError
from nlpipe.heads import LogisticRegression, NaiveBayes
from nlpipe.pipeline import Pipeline
from nlpipe.pipeline.integrity import sealed
from nlpipe.representations import BagOfWords, TfIdf
from nlpipe.stage import Stage
from nlpipe.tokenizers import Regex, Whitespace

TEXTS = ["a good film", "good fun", "a fine good day", "a bad film", "bad bad acting", "a dull bad day"] * 3
LABELS = ["pos", "pos", "pos", "neg", "neg", "neg"] * 3


def fitted() -> Pipeline:
    return Pipeline([Regex(), TfIdf(), LogisticRegression()]).fit(TEXTS, LABELS)


def test_it_learns_and_predicts() -> None:
    found = fitted().predict(["good", "bad", "good good film"])
    assert found.values.values == ["pos", "neg", "pos"]
    assert found.probabilities is not None
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1)


def test_predictions_keep_the_order_of_the_texts_and_do_not_depend_on_the_batch() -> None:
    pipeline = fitted()
    texts = [("good " if i % 3 else "bad ") * (1 + (7 * i) % 11) for i in range(50)]
    together = pipeline.predict(texts, batch_size=8)
    alone = [pipeline.predict([text]).values.values[0] for text in texts]
    assert together.values.values == alone == ["pos" if i % 3 else "neg" for i in range(50)]


def test_no_texts_give_no_answers() -> None:
    assert len(fitted().predict([]).values) == 0


def test_streaming_gives_the_same_answers_in_order() -> None:
    pipeline = fitted()
    texts = [f"good {i}" if i % 2 else f"bad {i}" for i in range(100)]
    streamed = [label for _, p in pipeline.predict_stream(iter(texts), 7) for label in p.values.values]
    assert streamed == pipeline.predict(texts).values.values


def test_streaming_reads_no_further_than_it_must() -> None:
    taken = []

    def endless():  # type: ignore[no-untyped-def]
        while True:
            taken.append(1)
            yield "good"

    next(fitted().predict_stream(endless(), 5))
    assert len(taken) == 5


def test_saved_and_loaded_it_answers_the_same(tmp_path: Path) -> None:
    pipeline = fitted()
    again = Pipeline.load(pipeline.save(tmp_path / "model"))
    before, after = pipeline.predict(TEXTS), again.predict(TEXTS)
    assert before.values.values == after.values.values
    np.testing.assert_array_equal(before.probabilities, after.probabilities)
    assert [stage.options for stage in again.stages] == [stage.options for stage in pipeline.stages]


def test_a_model_of_another_format_is_refused(tmp_path: Path) -> None:
    folder = fitted().save(tmp_path / "model")
    manifest = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**manifest, "format": 99}))
    with pytest.raises(ModelError, match="saved in format 99"):
        Pipeline.load(folder)


def test_a_stage_of_another_version_is_refused(tmp_path: Path) -> None:
    folder = fitted().save(tmp_path / "model")
    manifest = json.loads((folder / "model.json").read_text())
    manifest["stages"][1]["versions"] = {"": 99}
    (folder / "model.json").write_text(json.dumps(sealed(folder, manifest)))
    with pytest.raises(ModelError, match="was saved in format 99"):
        Pipeline.load(folder)


@pytest.mark.parametrize("number", [1, 2])
def test_a_damaged_or_missing_part_is_told(tmp_path: Path, number: int) -> None:
    folder = fitted().save(tmp_path / "model")
    part = next(folder.glob(f"{number}-*.safetensors"))
    part.write_bytes(part.read_bytes()[:20])
    with pytest.raises(ModelError, match="damaged"):
        Pipeline.load(folder)
    part.unlink()
    with pytest.raises(ModelError, match="missing"):
        Pipeline.load(folder)


def test_a_folder_without_a_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no saved pipeline here"):
        Pipeline.load(tmp_path)


def test_stages_that_do_not_fit_are_refused_before_anything_is_read() -> None:
    with pytest.raises(WiringError, match="'tfidf'"):
        Pipeline([Regex(), TfIdf(), BagOfWords(), LogisticRegression()])


def test_one_text_instead_of_a_list_is_told() -> None:
    with pytest.raises(NlpipeError, match=r"write \[text\]"):
        fitted().predict("good")


def test_something_that_is_no_text_is_told_with_its_place() -> None:
    with pytest.raises(NlpipeError, match=r"texts\[1\]: None \(NoneType\) is not a text"):
        fitted().predict(["good", None])  # type: ignore[list-item]


def test_unequal_lengths_are_told() -> None:
    with pytest.raises(NlpipeError, match="2 inputs but 1 targets"):
        Pipeline([Regex(), BagOfWords(), NaiveBayes()]).fit(["a", "b"], ["x"])


def test_one_class_alone_is_told() -> None:
    with pytest.raises(DataError, match="pos"):
        Pipeline([Regex(), BagOfWords(), NaiveBayes()]).fit(["good", "fine"], ["pos", "pos"])


def test_texts_that_are_all_empty_are_told() -> None:
    with pytest.raises(DataError, match="empty"):
        Pipeline([Regex(), BagOfWords(), NaiveBayes()]).fit(["", "  "], ["pos", "neg"])


@pytest.mark.parametrize("text", ["", "   ", "\0", "x" * 1_000_000, "\u2028", "🤷🏽‍♀️", "unseen words only"])
def test_nasty_texts_get_an_answer(text: str) -> None:
    found = fitted().predict(["good", text, "bad"])
    assert found.values.values[0] == "pos"
    assert found.values.values[2] == "neg"
    assert found.values.values[1] in ("pos", "neg")


def test_text_is_tokenised_once_while_fitting() -> None:
    seen = []

    class Counting(Whitespace):
        """Counts the texts it splits."""

        def forward(self, source):  # type: ignore[no-untyped-def]
            seen.extend(source.strings)
            return super().forward(source)

    Pipeline([Counting(), TfIdf(), LogisticRegression()]).fit(TEXTS, LABELS)
    assert len(seen) == len(TEXTS)


def test_words_that_come_split_stay_split() -> None:
    pipeline = Pipeline([Regex(), BagOfWords(), NaiveBayes()])
    words = [["New York", "good"], ["bad", "New York"]]
    pipeline.fit(nlpipe.Tokens.from_words(words), ["pos", "neg"])
    assert pipeline.predict(nlpipe.Tokens.from_words([["good"], ["bad"]])).values.values == ["pos", "neg"]


def test_the_same_seed_gives_the_same_model() -> None:
    first, second = fitted().predict(TEXTS).probabilities, fitted().predict(TEXTS).probabilities
    np.testing.assert_array_equal(first, second)


def test_every_stage_is_given_the_seed() -> None:
    pipeline = Pipeline([Regex(), TfIdf(), LogisticRegression()], seed=7).fit(TEXTS, LABELS)
    assert [stage.seed for stage in pipeline.stages] == [7, 7, 7]
    assert Stage.seed != 7
