"""scikit-learn and spaCy: nothing is lost, mixed up or run in other people's programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import nlpipe
from nlpipe import heads, representations, tokenizers
from nlpipe.integrations.sklearn import PipelineClassifier

WORDS = [["Anna", "is", "in", "Oslo", "."], ["Lake", "Como", "is", "big"], ["nothing", "here"]]
TAGS = [["B-PER", "O", "O", "B-LOC", "O"], ["B-LOC", "I-LOC", "O", "O"], ["O", "O"]]


@pytest.fixture(scope="module")
def nlp(tmp_path_factory: pytest.TempPathFactory) -> Any:
    spacy = pytest.importorskip("spacy")
    pytest.importorskip("nlpipe.integrations.spacy")
    pipeline = nlpipe.Pipeline([tokenizers.Regex(lowercase=False), heads.Dictionary()], task="tagging")
    model = pipeline.fit(WORDS, TAGS).save(tmp_path_factory.mktemp("model") / "model")
    nlp = spacy.blank("en")
    nlp.add_pipe("nlpipe", config={"model": str(model)})
    return nlp


def entities(doc: Any) -> list[tuple[str, str]]:
    return [(span.text, span.label_) for span in doc.ents]


def test_a_loaded_spacy_pipeline_is_saved_into_its_own_folder(nlp: Any, tmp_path: Path) -> None:
    import spacy

    nlp.to_disk(tmp_path / "whole")
    for _ in range(2):  # the model is loaded with the first document only
        spacy.load(tmp_path / "whole").to_disk(tmp_path / "whole")
    assert entities(spacy.load(tmp_path / "whole")("Anna")) == [("Anna", "PER")]


def test_bytes_hold_the_model(nlp: Any) -> None:
    import spacy

    again = spacy.blank("en")
    again.add_pipe("nlpipe")
    assert entities(again.from_bytes(nlp.to_bytes())("Anna is in Oslo")) == [("Anna", "PER"), ("Oslo", "LOC")]


@pytest.mark.parametrize(
    ("overwrite", "expected"),
    [(False, [("Anna is", "EARLIER"), ("Oslo", "LOC")]), (True, [("Anna", "PER"), ("Oslo", "LOC")])],
)
def test_earlier_entities_stay_unless_told_otherwise(nlp: Any, overwrite: bool, expected: Any) -> None:
    from spacy.tokens import Span

    doc = nlp.make_doc("Anna is in Oslo")
    doc.set_ents([Span(doc, 0, 2, label="EARLIER")])
    component = nlp.get_pipe("nlpipe")
    component.overwrite = overwrite
    try:
        assert entities(component(doc)) == expected
    finally:
        component.overwrite = False


def test_evaluate_scores_entities(nlp: Any) -> None:
    from spacy.training import Example

    gold = {"entities": [(0, 4, "PER"), (5, 7, "LOC")]}
    scores = nlp.evaluate([Example.from_dict(nlp.make_doc("Anna is in Oslo"), gold)])
    assert (scores["ents_p"], scores["ents_r"]) == (0.5, 0.5)
    assert scores["ents_per_type"]["PER"]["f"] == 1.0


def test_one_text_with_other_tokens_is_another_document(nlp: Any) -> None:
    from spacy.tokens import Doc

    pipeline = nlpipe.Pipeline(
        [tokenizers.Regex(lowercase=False), representations.Window(), heads.Perceptron()], task="tagging"
    ).fit(WORDS, TAGS)
    component = nlp.get_pipe("nlpipe")
    before, component._pipeline = component.pipeline, pipeline
    try:
        splits = [["Anna", "is", "in", "Oslo"], ["Anna is", "in Oslo"]]

        def documents() -> list[Doc]:
            return [Doc(nlp.vocab, words=words, spaces=[True] * (len(words) - 1) + [False]) for words in splits]

        together = [doc.to_json().get("ents") for doc in component.pipe(documents())]
        alone = [component(doc) for doc in documents()]
        assert together == [doc.to_json().get("ents") for doc in alone]
    finally:
        component._pipeline = before


def test_types_are_escaped_in_pages() -> None:
    pytest.importorskip("spacy")
    from nlpipe.report.entity_page import entity_page

    record = {"text": "<b>Anna</b>", "entities": [{"start": 3, "end": 7, "type": "<svg/onload=alert(1)>"}]}
    page = entity_page([record])
    assert "<svg" not in page and "<b>" not in page


@pytest.mark.parametrize(("head", "has"), [("naive_bayes", True), ("perceptron", False)])
def test_predict_proba_is_there_where_probabilities_are(tmp_path: Path, head: str, has: bool) -> None:
    (tmp_path / "p.yaml").write_text(f"representation: bow\nhead: {head}\n")
    classifier = PipelineClassifier(tmp_path / "p.yaml").fit(["good film", "dull film"] * 5, ["a", "b"] * 5)
    assert hasattr(classifier, "predict_proba") is has


def test_sample_weights_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("representation: bow\nhead: naive_bayes\n")
    with pytest.raises(TypeError, match="sample_weight"):
        PipelineClassifier(tmp_path / "p.yaml").fit(["a"], ["b"], sample_weight=[1.0])  # type: ignore[call-arg]
