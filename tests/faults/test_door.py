"""Examples given in Python are checked as those of files are, with the position."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import nlpipe
from nlpipe import Pipeline, heads, representations, tokenizers
from nlpipe.datasets.load import load_dataset
from nlpipe.errors import DataError, ModelError, NlpipeError, NlpipeWarning, WiringError
from nlpipe.labels import clean_label

TEXTS = ["a good film", "a dull film", "good fun", "no fun"] * 3
WORDS = [["Anna", "lives", "here"], ["Bob", "left"]] * 3
TAGS = [["B-PER", "O", "O"], ["B-PER", "O"]] * 3


def classifier() -> Pipeline:
    return Pipeline([tokenizers.Regex(), representations.BagOfWords(), heads.NaiveBayes()])


def tagger() -> Pipeline:
    return Pipeline([tokenizers.Regex(lowercase=False), representations.Window(), heads.Perceptron()], "tagging")


@pytest.mark.parametrize(
    "labels",
    [np.array([1, 0, 1, 0] * 3), [np.int64(1), np.int64(0)] * 6, np.array(["x", "y", "x", "y"] * 3), [True, False] * 6],
)
def test_labels_of_numpy_can_be_saved(labels: Any, tmp_path: Path) -> None:
    pipeline = classifier().fit(TEXTS, labels)
    again = Pipeline.load(pipeline.save(tmp_path / "model"))
    assert again.predict(TEXTS).labels == pipeline.predict(TEXTS).labels == np.asarray(labels).tolist()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["x", None] * 6, r"labels\[1\]: None"),
        (["x", float("nan")] * 6, r"labels\[1\]: nan"),
        (["x", 1] * 6, r"labels\[1\]: 1 \(int\) is of another type than labels\[0\], 'x'"),
        ([1, True] * 6, r"labels\[1\]: True \(bool\) is of another type"),
        (["x", " \u200b"] * 6, r"labels\[1\]: the label is empty"),
        (["x"] * 11, "12 inputs but 11 targets"),
        ("xyxyxyxyxyxy", "not one text"),
        ({"a": 1}, "not a dict"),
        ([["x"], ["y"]] * 6, r"labels\[0\]: \['x'\]"),
    ],
)
def test_labels_that_are_none_are_told(labels: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        classifier().fit(TEXTS, labels)


class Table:
    """What a data frame looks like: iterating gives the names of its columns."""

    columns = ("text", "label")

    def __iter__(self) -> Any:
        return iter(self.columns)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("a good film", "not one text: write"),
        (b"a good film", "not one text: write"),
        ({"text": TEXTS}, r"not a dict: give one of its columns"),
        (Table(), "not a Table: give one of its columns"),
        ({"a", "b"}, "not a set, which has no order"),
        (np.array([["a", "b"]]), "2 dimensions"),
        (7, r"not 7 \(int\)"),
        (["a", None], r"texts\[1\]: None \(NoneType\) is not a text"),
        (["a", float("nan")], r"texts\[1\]: nan \(float\) is not a text"),
        ([["Anna", 5]], r"texts\[0\]\[1\]: 5 \(int\) is not a word"),
        ([["Anna"], "left"], r"texts\[1\]: texts and lists of words are mixed"),
        (["a", ["b"]], r"texts\[1\]: texts and lists of words are mixed"),
    ],
)
def test_texts_that_are_none_are_told(texts: Any, message: str) -> None:
    pipeline = classifier().fit(TEXTS, ["x", "y"] * 6)
    with pytest.raises(DataError, match=message):
        pipeline.predict(texts)


def test_tags_must_be_as_many_as_words() -> None:
    with pytest.raises(DataError, match=r"tags\[1\]: 1 tags for 2 words \(Bob left\)"):
        tagger().fit(WORDS, [TAGS[0], ["B-PER"], *TAGS[2:]])


def test_tags_of_another_scheme_are_read_as_in_files() -> None:
    words = [["Anna", "Bell", "lives"], ["Bob", "left"]] * 3
    in_iobes = [["B-PER", "E-PER", "O"], ["S-PER", "O"]] * 3
    in_iob2 = [["B-PER", "I-PER", "O"], ["B-PER", "O"]] * 3
    assert tagger().fit(words, in_iobes).predict(words).tags == tagger().fit(words, in_iob2).predict(words).tags


def test_entities_may_be_given_as_characters() -> None:
    texts = [" ".join(words) for words in WORDS]
    entities = [[(0, 4, "PER")], [(0, 3, "PER")]] * 3
    pipeline = tagger().fit(texts, entities)
    assert pipeline.predict(texts).entities == entities
    for bad in [(0, 400, "PER"), (3, 0, "PER"), (-2, 1, "PER"), ("0", "3", "PER"), (0, 3, None), (0, 3)]:
        with pytest.raises(DataError, match=r"entities\[1\]"):
            tagger().fit(texts, [entities[0], [bad], *entities[2:]])
    with pytest.warns(NlpipeWarning, match="does not begin and end where words do"):
        tagger().fit(texts, [entities[0], [(0, 2, "PER")], *entities[2:]])


def test_predictions_name_what_they_hold() -> None:
    predictions = classifier().fit(TEXTS, ["x", "y"] * 6).predict(TEXTS)
    assert predictions.labels == predictions.values.values
    with pytest.raises(NlpipeError, match=r"these predictions have no entities.*use \.labels"):
        _ = predictions.entities


@pytest.mark.parametrize("make", [classifier, tagger])
def test_use_before_fit_is_told(make: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"(predict|forward) needs a fitted stage: call fit first"):
        make().predict([["a", "b"]])
    with pytest.raises(ModelError, match="save needs a fitted stage"):
        make().save(tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_network_without_a_width_is_told() -> None:
    encoders = pytest.importorskip("nlpipe.encoders")
    with pytest.raises(ModelError, match=r"forward needs parameters: give the width of its inputs, LSTM\(..., width=D"):
        encoders.LSTM(hidden=8).forward(nlpipe.Sequences(np.zeros((2, 3), dtype=np.float32), [2]))


def test_an_option_that_does_not_exist_is_suggested() -> None:
    with pytest.raises(TypeError, match="'betta'; did you mean 'beta'"):
        heads.NBSVM(betta=1)  # type: ignore[call-arg]


def test_pieces_of_words_are_no_words_of_the_data() -> None:
    bpe = tokenizers.BPE(vocabulary_size=50)
    with pytest.raises(WiringError, match="takes Text, but the data gives Tokens"):
        Pipeline([bpe, representations.Window(), heads.Perceptron()], "tagging")
    with pytest.raises(ModelError, match="these come as words"):
        bpe.process(nlpipe.Tokens.from_words(WORDS))


def test_a_new_tag_under_scheme_none_is_a_wrong_answer(tmp_path: Path) -> None:
    (tmp_path / "train.conll").write_text("".join(f"Anna{i} B-X\nis I-Y\n\n" for i in range(20)))
    (tmp_path / "test.conll").write_text("".join(f"Anna{i} B-X\nis NEW\n\n" for i in range(20, 24)))
    files = {"train": "train.conll", "test": "test.conll"}
    data = {"task": "tagging", "scheme": "none", **{name: str(tmp_path / file) for name, file in files.items()}}
    (tmp_path / "p.yaml").write_text(json.dumps({"data": data, "representation": "window", "head": "perceptron"}))
    result = nlpipe.run(tmp_path / "p.yaml", out=tmp_path / "runs")
    assert result.metrics["primary"] == "accuracy"
    assert result.score <= 0.5


LABELS = st.text(min_size=1, max_size=6).filter(clean_label)
SENTENCES = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n\ufeff"), max_size=20)


@settings(max_examples=30)
@given(st.lists(st.tuples(SENTENCES, LABELS), min_size=4, max_size=12))
def test_python_and_files_give_the_same(examples: list[tuple[str, str]]) -> None:
    examples = [(f"{i} {text}", label.encode("utf-8", "replace").decode()) for i, (text, label) in enumerate(examples)]
    assume(len({clean_label(label) for _, label in examples}) > 1)
    texts, labels = [text for text, _ in examples], [label for _, label in examples]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.jsonl"
        path.write_text("\n".join(json.dumps({"text": t, "label": label}) for t, label in examples), encoding="utf-8")
        data = load_dataset({"task": "classification", **dict.fromkeys(("train", "dev", "test"), str(path))})
    from_file = classifier().fit(data.train.inputs, data.train.targets).predict(data.test.inputs)
    in_python = classifier().fit(texts, labels).predict(texts)
    assert from_file.labels == in_python.labels
    np.testing.assert_array_equal(from_file.probabilities, in_python.probabilities)
