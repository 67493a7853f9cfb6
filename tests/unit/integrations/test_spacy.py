"""The spaCy component: entities in documents, alone and in a stream, and saved with the pipeline."""

from __future__ import annotations

import pytest

import nlpipe
from nlpipe.errors import ModelError

spacy = pytest.importorskip("spacy")
pytest.importorskip("nlpipe.integrations.spacy")

WORDS = [["Anna", "is", "in", "Oslo", "."], ["Lake", "Como", "is", "big"], ["nothing", "here"]]
TAGS = [["B-PER", "O", "O", "B-LOC", "O"], ["B-LOC", "I-LOC", "O", "O"], ["O", "O"]]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    pipeline = nlpipe.Pipeline([nlpipe.tokenizers.Regex(lowercase=False), nlpipe.heads.Dictionary()], task="tagging")
    return str(pipeline.fit(WORDS, TAGS).save(tmp_path_factory.mktemp("model") / "model"))


def entities(doc):
    return [(span.text, span.label_, span.start_char) for span in doc.ents]


def test_documents_get_entities_whatever_their_spaces(model):
    nlp = spacy.blank("en")
    nlp.add_pipe("nlpipe", config={"model": model})
    assert entities(nlp("Anna   saw\n Lake Como.")) == [("Anna", "PER", 0), ("Lake Como", "LOC", 12)]
    texts = ["in Oslo", "", "Anna", "in Oslo"]
    assert [entities(doc) for doc in nlp.pipe(texts, batch_size=2)] == [
        [("Oslo", "LOC", 3)], [], [("Anna", "PER", 0)], [("Oslo", "LOC", 3)],
    ]  # fmt: skip


def test_it_is_saved_with_the_spacy_pipeline(model, tmp_path):
    nlp = spacy.blank("en")
    nlp.add_pipe("nlpipe", config={"model": model})
    nlp.to_disk(tmp_path / "whole")
    assert entities(spacy.load(tmp_path / "whole")("Anna")) == [("Anna", "PER", 0)]


def test_a_model_is_needed_and_must_tag(tmp_path):
    nlp = spacy.blank("en")
    nlp.add_pipe("nlpipe")
    with pytest.raises(ModelError, match="no model is named"):
        nlp("Anna")
    pipeline = nlpipe.Pipeline(
        [nlpipe.tokenizers.Regex(), nlpipe.representations.BagOfWords(), nlpipe.heads.Majority()]
    )
    saved = pipeline.fit(["a b", "c"], ["x", "y"]).save(tmp_path / "other")
    other = spacy.blank("en")
    other.add_pipe("nlpipe", config={"model": str(saved)})
    with pytest.raises(ModelError, match=r"this pipeline is for classification, but doc\.ents needs one for tagging"):
        other("Anna")
