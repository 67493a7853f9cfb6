"""Cascades in Python: answers of the first member that is sure, saved and loaded as one pipeline."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import nlpipe
from nlpipe import Pipeline
from nlpipe.errors import DataError, ModelError, NlpipeError, WiringError
from nlpipe.heads import LogisticRegression, NaiveBayes, Perceptron
from nlpipe.pipeline import integrity
from nlpipe.pipeline.cascade import Cascade
from nlpipe.pipeline.thresholds import Aim, Thresholds
from nlpipe.representations import BagOfWords, TfIdf, Window
from nlpipe.tokenizers import Regex, Whitespace

WORDS = ("fine", "good", "great", "dull", "bad", "poor")
TEXTS = [f"a {WORDS[i % 6]} film number {i % 7}" for i in range(60)]
LABELS = ["neg" if i % 6 > 2 else "pos" for i in range(60)]
NEW = ["a fine film", "a film", "dull and great", "poor", "", "good bad 3"]


def members() -> list[Pipeline]:
    cheap = Pipeline([Regex(), BagOfWords(), NaiveBayes()], name="cheap")
    dear = Pipeline([Regex(), TfIdf(), LogisticRegression(C=100)], name="dear")
    return [cheap.fit(TEXTS, LABELS), dear.fit(TEXTS, LABELS)]


@pytest.fixture(scope="module")
def fitted() -> list[Pipeline]:
    return members()


def cascade(fitted: list[Pipeline], threshold: float) -> Cascade:
    return Cascade(fitted, Aim(within=0.01), "both", Thresholds((threshold,)))


@pytest.mark.parametrize("quantile", [0.0, 0.3, 0.7, 1.0])
def test_each_answer_is_that_of_the_first_member_that_is_sure(fitted: list[Pipeline], quantile: float) -> None:
    first, last = (member.predict(NEW) for member in fitted)
    assert first.confidence is not None
    threshold = float(np.quantile(first.confidence, quantile))
    found = cascade(fitted, threshold).predict(NEW)
    for i, sure in enumerate(first.confidence >= threshold):
        own = first if sure else last
        assert found.labels[i] == own.labels[i]
        assert found.scores is not None and own.scores is not None and found.scores[i] == own.scores[i]
        assert found.probabilities is not None and own.probabilities is not None
        assert found.probabilities[i].tolist() == own.probabilities[i].tolist()


def test_a_text_comes_out_the_same_alone_and_among_others(fitted: list[Pipeline]) -> None:
    both = cascade(fitted, 0.8)
    together = both.predict(NEW)
    for i, text in enumerate(NEW):
        assert both.predict([text]).labels == [together.labels[i]]
    assert both.predict([]).labels == []


def test_fitting_finds_the_threshold_on_dev() -> None:
    found = Cascade(members(), Aim(within=0.2), "both").fit(TEXTS, LABELS, dev=(TEXTS[:20], LABELS[:20]))
    assert isinstance(found, Cascade) and found.thresholds is not None
    assert 0 <= found.thresholds.values[0] <= 1 and found.thresholds.reached[0] == 1
    assert set(found.fit_seconds) >= {"cheap: head", "dear: head"} or len(found.fit_seconds) >= 2
    timed = Cascade(members(), Aim(cost_ms=1e6), "both").fit(TEXTS, LABELS, dev=(TEXTS[:20], LABELS[:20]))
    assert isinstance(timed, Cascade) and timed.thresholds is not None and len(timed.thresholds.seconds) == 2


def test_saved_and_loaded(fitted: list[Pipeline], tmp_path: Path) -> None:
    before = cascade(fitted, 0.8)
    loaded = nlpipe.load(before.save(tmp_path / "model"))
    assert isinstance(loaded, Cascade) and loaded.name == "both" and loaded.thresholds == before.thresholds
    assert [member.name for member in loaded.members] == ["cheap", "dear"]
    assert loaded.predict(NEW).labels == before.predict(NEW).labels
    assert loaded.parameter_count() == sum(member.parameter_count() for member in fitted)


def test_a_file_makes_one(tmp_path: Path) -> None:
    (tmp_path / "cheap.yaml").write_text("representation: bow\nhead: naive_bayes\n")
    content = {"cascade": ["cheap.yaml", {"name": "dear", "representation": "tfidf", "head": "logistic_regression"}]}
    (tmp_path / "both.yaml").write_text(json.dumps({**content, "within": 0.1, "seed": 7}))
    made = nlpipe.load(tmp_path / "both.yaml")
    assert isinstance(made, Cascade) and [member.seed for member in made.members] == [7, 7]
    assert made.name == "both" and [member.name for member in made.members] == ["cheap", "dear"]


def test_tags_of_the_same_words() -> None:
    texts = [["Anna", "saw", "Rome"], ["Tom", "ran"]] * 10
    tags = [["B-PER", "O", "B-LOC"], ["B-PER", "O"]] * 10

    def tagger(**options: object) -> Pipeline:
        stages = [Regex(lowercase=False), Window(), LogisticRegression(**options)]  # type: ignore[arg-type]
        return Pipeline(stages, "tagging", name=f"C{options['C']}").fit(texts, tags)

    both = Cascade([tagger(C=0.01), tagger(C=10)], Aim(within=0.1), "tags", Thresholds((0.5,)))
    found = both.predict(["Anna ran.", "Tom saw Rome"])
    assert [len(each) for each in found.tags] == [3, 3]
    assert found.entities[1][0] == (0, 3, "PER")
    other = Pipeline([Whitespace(), Window(), LogisticRegression()], "tagging", name="other").fit(texts, tags)
    with pytest.raises(WiringError, match=r"'C1' and 'other' split texts into other words"):
        Cascade([tagger(C=1), other], Aim(within=0.1))


def test_members_that_do_not_go_together(fitted: list[Pipeline]) -> None:
    stars = Pipeline([Regex(), BagOfWords(), NaiveBayes()], name="stars").fit(TEXTS, [str(i % 3) for i in range(60)])
    with pytest.raises(ModelError, match=r"'cheap' and 'stars' answer other labels: 0, 1, 2, neg, pos is of one"):
        Cascade([fitted[0], stars], Aim(within=0.1))
    tagger = Pipeline([Regex(), Window(), LogisticRegression()], "tagging", name="tagger")
    with pytest.raises(WiringError, match=r"'cheap' is for classification, 'tagger' for tagging"):
        Cascade([fitted[0], tagger], Aim(within=0.1))
    with pytest.raises(WiringError, match="a cascade has 2 to 5 members, not 1"):
        Cascade(fitted[:1], Aim(within=0.1))


def test_a_member_without_confidence_can_be_the_last_only(fitted: list[Pipeline]) -> None:
    unsure = Pipeline([Regex(), BagOfWords(), Perceptron()], name="unsure").fit(TEXTS, LABELS)
    with pytest.raises(NlpipeError, match=r"'unsure' cannot pass on .* the head 'perceptron' gives no probabilities"):
        Cascade([unsure, fitted[1]], Aim(within=0.1), thresholds=Thresholds((0.5,))).predict(NEW)
    last = Cascade([fitted[0], unsure], Aim(within=0.1), thresholds=Thresholds((1.0,))).predict(NEW)
    assert last.labels == unsure.predict(NEW).labels


def test_use_before_fitting_and_fitting_without_dev() -> None:
    both = Cascade(members(), Aim(within=0.1))
    with pytest.raises(ModelError, match="fit it first"):
        both.predict(NEW)
    with pytest.raises(DataError, match="the thresholds of a cascade are fitted on dev"):
        both.fit(TEXTS, LABELS)


def change(folder: Path, **values: object) -> None:
    """Change what ``model.json`` says of the cascade, and its hashes with it."""
    from nlpipe.pipeline.integrity import sealed

    manifest = json.loads((folder / "model.json").read_text())
    manifest["cascade"] |= values
    (folder / "model.json").write_text(json.dumps(sealed(folder, manifest)))


def test_a_changed_or_missing_member_is_refused(fitted: list[Pipeline], tmp_path: Path) -> None:
    whole = cascade(fitted, 0.8).save(tmp_path / "whole")
    missing = Path(shutil.copytree(whole, tmp_path / "missing"))
    shutil.rmtree(missing / "member-1")
    with pytest.raises(ModelError, match=r"member-1/model\.json: missing: the cascade lacks a member"):
        Pipeline.load(missing)
    swapped = Path(shutil.copytree(whole, tmp_path / "swapped"))
    shutil.rmtree(swapped / "member-1")
    shutil.copytree(swapped / "member-0", swapped / "member-1")
    with pytest.raises(ModelError, match="not the member that the cascade was saved with"):
        Pipeline.load(swapped)
    damaged = Path(shutil.copytree(whole, tmp_path / "damaged"))
    read: list[Path] = []
    with pytest.MonkeyPatch.context() as patch:
        sha256 = integrity._sha256
        patch.setattr(integrity, "_sha256", lambda path: read.append(path) or sha256(path))
        Pipeline.load(damaged)
    assert len(read) == len(set(read)) > 2  # each file is read once
    next((damaged / "member-0").glob("*.safetensors")).write_bytes(b"x")
    with pytest.raises(ModelError, match="does not match the sha256"):
        Pipeline.load(damaged)


@pytest.mark.parametrize("values", [[1.5], [-0.1], [True], ["0.5"], [], [0.5, 0.5]])
def test_a_threshold_out_of_range_is_refused(fitted: list[Pipeline], tmp_path: Path, values: list[object]) -> None:
    folder = cascade(fitted, 0.8).save(tmp_path / "model")
    change(folder, thresholds={"values": values})
    with pytest.raises(ModelError, match=r"invalid threshold|members need 1 thresholds"):
        Pipeline.load(folder)


def test_what_is_missing_of_the_cascade_is_named(fitted: list[Pipeline], tmp_path: Path) -> None:
    folder = cascade(fitted, 0.8).save(tmp_path / "model")
    change(folder, aim={"wihtin": 1})
    with pytest.raises(ModelError, match=r"damaged: .*wihtin.* of the cascade"):
        Pipeline.load(folder)
