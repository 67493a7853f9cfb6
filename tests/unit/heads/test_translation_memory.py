"""The nearest training source decides, whatever form its vectors have."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.metrics.pairwise import cosine_similarity

from nlpipe.errors import DataError
from nlpipe.heads import TranslationMemory
from nlpipe.pipeline import Pipeline
from nlpipe.representations import TfIdf
from nlpipe.tokenizers import Regex
from nlpipe.wire import Text, Vectors

EN = ["open the file", "close the file", "open the door", "save all", "open the file"]
DE = ["öffne die Datei", "schließe die Datei", "öffne die Tür", "alles sichern", "Datei öffnen"]


@pytest.mark.parametrize("form", [sp.csr_matrix, np.asarray], ids=["sparse", "dense"])
@pytest.mark.parametrize("batch", [1, 7, 64])
def test_it_is_the_largest_cosine(form, batch):
    random = np.random.default_rng(0)
    stored = random.poisson(0.5, (40, 12)) * random.random((40, 12))
    queries = random.poisson(0.5, (30, 12)) * random.random((30, 12))
    head = TranslationMemory(batch)
    texts = [f"t{i}" for i in range(40)]
    head.fit([(Vectors(form(stored[:25])), Text(texts[:25])), (Vectors(form(stored[25:])), Text(texts[25:]))])
    predictions = head.predict(Vectors(form(queries)))
    cosines = cosine_similarity(queries, stored)
    none = cosines.max(axis=1) == 0
    expected = ["" if no else texts[i] for i, no in zip(cosines.argmax(axis=1), none, strict=True)]
    assert predictions.values.strings == expected
    np.testing.assert_allclose(np.exp(predictions.scores), np.maximum(cosines.max(axis=1), 1e-9), atol=1e-8)


def test_of_equals_the_first():
    pipeline = Pipeline([Regex(), TfIdf(), TranslationMemory()], "translation").fit(EN, DE)
    assert pipeline.predict([*EN[:4], "nothing known", ""]).values.strings == [*DE[:4], "", ""]


def test_nothing_to_keep():
    with pytest.raises(DataError, match="no training pairs"):
        TranslationMemory().fit([])
    with pytest.raises(DataError, match="no features"):
        TranslationMemory().fit([(Vectors(sp.csr_matrix((2, 0))), Text(["a", "b"]))])
